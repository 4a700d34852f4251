"""A real llama.cpp server as a process of its own, over its OpenAI-compatible HTTP.

It serves by HTTP only where a port is given, and without a key, on loopback. `python -m tests.support.llama_server`
is the process; it ends when its stdin does, so that it can not outlive the test.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from causeway.cli.ports import free_port

READY_S_MAX = 120.0
STOP_S_MAX = 10.0
CONTEXT_TOKENS = 4_096
MODELS = Path(os.environ.get("CAUSEWAY_MODELS", Path.cwd() / ".models"))
SMALL = "qwen2.5-coder-0.5b-instruct"
LARGE = "qwen2.5-coder-1.5b-instruct"


def generator_file(name: str = SMALL) -> Path:
    """The file of a packaged generator, which may not be installed."""
    return MODELS / name / f"{name}-q4_k_m.gguf"


@dataclass(kw_only=True)
class LlamaServer:
    """One server over one model. `slots` are the requests that it runs at once."""

    model: Path
    slots: int = 2
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "LlamaServer":
        """Start, and return once /health says that the model is loaded."""
        assert self.process is None, "already running"
        command = [sys.executable, "-m", "tests.support.llama_server", str(self.model), str(self.port), str(self.slots)]
        # llama.cpp's libraries read the threads from here before the parameters do.
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        deadline = time.monotonic() + READY_S_MAX
        while not self._well():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"llama.cpp did not start with {self.model}")
            time.sleep(0.1)
        return self

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(STOP_S_MAX)
        self.process = None

    def _well(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1) as reply:
                return bool(json.loads(reply.read()).get("status") == "ok")
        except (OSError, ValueError):
            return False


@contextmanager
def llama_server(model: Path, slots: int = 2) -> Iterator[LlamaServer]:
    """A started one, killed in the end."""
    server = LlamaServer(model=model, slots=slots).start()
    try:
        yield server
    finally:
        server.kill()


def _serve(model: str, port: int, slots: int) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = CONTEXT_TOKENS * slots
    params.n_parallel = slots
    params.warmup = False
    params.verbosity = -1
    params.port = port
    params.endpoint_metrics = True
    params.ui = False
    params.offline = True
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = 1
        cpu.poll = 0
    server = xllamacpp.Server(params)
    sys.stdin.read()
    del server
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
