"""The generated configuration, read by the real nats-server."""

import subprocess
import sys
from pathlib import Path

import pytest

from causeway.cli.nats_config import NatsServer, render_nats_config


@pytest.mark.parametrize("encryption", [True, False])
def test_nats_server_accepts_the_file(tmp_path: Path, encryption: bool) -> None:
    server = NatsServer(
        site="branch-042",
        host="127.0.0.1",
        port=4222,
        monitor_port=8222,
        store_dir=f'{tmp_path}/a "quoted" 数据',
        store_gb=40,
        memory_mb=256,
        encryption=encryption,
    )
    file = tmp_path / "nats-server.conf"
    file.write_text(render_nats_config(server), encoding="utf-8")
    program = Path(sys.executable).parent / "nats-server"
    secrets = {"CAUSEWAY_STORAGE_KEY": "k" + "0" * 63, "CAUSEWAY_NATS_PASSWORD": "k" + "1" * 63}
    done = subprocess.run([program, "-t", "-c", file], env=secrets, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
