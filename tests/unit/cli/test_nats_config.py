"""The generated configuration of nats-server."""

from dataclasses import replace

from causeway.cli.nats_config import NatsServer, render_nats_config

SERVER = NatsServer(
    site="branch-042",
    host="127.0.0.1",
    port=4222,
    monitor_port=8222,
    store_dir='/var/lib/a "quoted" 数据',
    store_gb=40,
    memory_mb=256,
    encryption=True,
)


def test_no_secret_stands_in_the_file() -> None:
    text = render_nats_config(SERVER)
    assert "key: $CAUSEWAY_STORAGE_KEY" in text
    assert "password: $CAUSEWAY_NATS_PASSWORD" in text


def test_without_encryption_there_is_no_cipher() -> None:
    assert "cipher" not in render_nats_config(replace(SERVER, encryption=False))
