"""Real Milvus servers of the test's own: the embedded one as a process, and Milvus 2.3.5 from its wheel."""

import contextlib
import importlib.util
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from causeway.cli.ports import free_port

READY_S_MAX = 60.0
STOP_S_MAX = 20.0
STANDALONE_READY_S_MAX = 110.0
_ALONE = ("unshare", "--map-root-user", "--net")


@dataclass(kw_only=True)
class EmbeddedMilvus:
    """`causeway-milvus` over one data folder; every start uses the same port."""

    root: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def command(self) -> list[str]:
        module = [sys.executable, "-c", "import sys; from causeway.milvus.server import main; sys.exit(main())"]
        return [*module, "--data", str(self.root / "data"), "--port", str(self.port)]

    def start(self) -> "EmbeddedMilvus":
        """Start, and return once it says that it is ready."""
        assert self.process is None, "already running"
        self.root.mkdir(parents=True, exist_ok=True)
        output = self.root / "output.log"
        with output.open("wb") as stdout, (self.root / "errors.log").open("ab") as stderr:
            self.process = subprocess.Popen(self.command, stdout=stdout, stderr=stderr)
        deadline = time.monotonic() + READY_S_MAX
        while b"ready on" not in output.read_bytes():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"causeway-milvus did not start:\n{(self.root / 'errors.log').read_text()}")
            time.sleep(0.02)
        return self

    def kill(self) -> None:
        """SIGKILL."""
        self.end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        return self.end(signal.SIGTERM)

    def end(self, number: signal.Signals) -> int:
        """End by a signal; returns the exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        try:
            code = self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait(STOP_S_MAX)
        self.process = None
        return code


@contextlib.contextmanager
def embedded_milvus(root: Path) -> Iterator[EmbeddedMilvus]:
    """A started one, killed in the end."""
    server = EmbeddedMilvus(root=root).start()
    try:
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def standalone_milvus(root: Path) -> Iterator[str]:
    """The address of a real Milvus 2.3.5. Skips where its wheel is not installed or no namespace can be made.

    It listens on every interface whatever its settings say, so that it runs in a network namespace of its own and is
    reached through a Unix socket.
    """
    if importlib.util.find_spec("milvus") is None:
        pytest.skip("no Milvus server here: uv pip install --no-deps milvus==2.3.5 (group milvus-server)")
    if subprocess.run([*_ALONE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be made here, and this Milvus listens on every interface")
    root.mkdir(parents=True, exist_ok=True)
    # The path of a Unix socket has at most 107 bytes.
    socket_path = Path(tempfile.mkdtemp(prefix="milvus-")) / "s"
    command = [*_ALONE, sys.executable, "-m", "tests.support.milvus_standalone", str(root), str(socket_path)]
    with (root / "starter.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + STANDALONE_READY_S_MAX
        while not socket_path.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"Milvus did not start:\n{(root / 'starter.log').read_text()[-2000:]}")
            time.sleep(0.1)
        yield f"unix:{socket_path}"
    finally:
        assert process.stdin is not None
        process.stdin.close()  # It stops when nobody holds the other end.
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
        shutil.rmtree(socket_path.parent, ignore_errors=True)
