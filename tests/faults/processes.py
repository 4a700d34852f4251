"""The processes beside the servers, killed and started again at will: sync-delta at each place, Milvus at the hub."""

import asyncio
import os
import signal
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError

from causeway.cli.ports import free_port
from causeway.proto.subjects import HUB
from tests.support.linked_servers import PASSWORD, LinkedServers
from tests.support.waiting import until_async

BIN = Path(sys.executable).parent
READY_S_MAX = 60.0
STOP_S_MAX = 15.0
CHUNK_KEYS = {place: bytes([number]) * 32 for number, place in enumerate((HUB, "a", "b"), start=1)}


@dataclass(kw_only=True)
class Child:
    """One process that can be started as often as it is killed."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it is not waited for."""
        assert self.process is None, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=os.environ | self.environment)

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal that ends it, and wait."""
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def ended_by_itself(self) -> bool:
        """Whether it should run and does not."""
        return self.process is not None and self.process.poll() is not None


@dataclass(kw_only=True)
class Processes:
    """All of a fleet, by name: `sync-delta.a`, `sync-delta.hub`, `milvus`."""

    children: dict[str, Child] = field(default_factory=dict)
    metrics_ports: dict[str, int] = field(default_factory=dict)

    async def ready(self, name: str) -> None:
        """Return once a sync-delta says that it is ready."""
        url = f"http://127.0.0.1:{self.metrics_ports[name]}/readyz"

        async def is_ready() -> bool:
            assert not self.children[name].ended_by_itself(), self.children[name].log.read_text()[-3000:]
            return await asyncio.to_thread(_ok, url)

        await until_async(is_ready, READY_S_MAX)

    def stop(self) -> None:
        """End all of them."""
        for child in self.children.values():
            child.end(signal.SIGTERM)


def _ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False


def processes_of(fleet: LinkedServers, folder: Path, *, milvus: bool) -> Processes:
    """The processes of a running fleet, not started yet."""
    made = Processes()
    uri = ""
    if milvus:
        port = free_port()
        uri = f"http://127.0.0.1:{port}"
        command = [str(BIN / "causeway-milvus"), "--data", str(folder / "milvus"), "--port", str(port)]
        made.children["milvus"] = Child(name="milvus", command=command, environment={}, log=folder / "milvus.log")
    for place in fleet.places:
        name = f"sync-delta.{place}"
        made.metrics_ports[name] = free_port()
        environment = _settings(fleet, folder, place, made.metrics_ports[name], uri if place == HUB else "")
        made.children[name] = Child(
            name=name, command=[str(BIN / "sync-delta")], environment=environment, log=folder / f"{name}.log"
        )
    return made


def _settings(fleet: LinkedServers, folder: Path, place: str, port: int, milvus_uri: str) -> dict[str, str]:
    own = folder / f"sync-{place}"
    own.mkdir(parents=True, exist_ok=True)
    secrets = {"app": PASSWORD, "link": f"{PASSWORD}Link", "chunk": CHUNK_KEYS.get(place, b"k" * 32).hex()}
    for name, secret in secrets.items():
        (own / name).write_text(secret)
        (own / name).chmod(0o600)
    settings = {
        "CAUSEWAY_SITE": place,
        "CAUSEWAY_NATS_URL": fleet.url(place),
        "CAUSEWAY_NATS_USER": "causeway",
        "CAUSEWAY_NATS_PASSWORD_FILE": str(own / "app"),
        "SYNC_DELTA_ROLE": "hub" if place == HUB else "site",
        "SYNC_DELTA_STATE_DIR": str(own / "state"),
        "SYNC_DELTA_ARTIFACTS_DIR": str(own / "artifacts"),
        "SYNC_DELTA_CHUNK_KEY_FILE": str(own / "chunk"),
        "SYNC_DELTA_METRICS_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    if place != HUB:
        settings |= {"SYNC_DELTA_LINK_USER": "link", "SYNC_DELTA_LINK_PASSWORD_FILE": str(own / "link")}
    return settings | ({"SYNC_DELTA_MILVUS_URI": milvus_uri} if milvus_uri else {})
