"""`causeway` commands as forks of a process that has imported them: each test that runs thirty of them would otherwise
spend its time with starting Python. The tests that start the installed script itself say so by `CAUSEWAY`."""

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

START_BOUND_S = 60.0
SLACK_S = 10.0
_NAME = "causeway"
_ROOT = Path(__file__).parents[2]
_addresses: list[str] = []


def run_forked(
    arguments: Sequence[str], env: dict[str, str], timeout_s: float, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `causeway ARGUMENTS` in a fork, in `cwd` or the working folder of the caller.

    Raises:
        subprocess.TimeoutExpired: it ran longer than `timeout_s`, and was ended by SIGALRM.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(_connected(env)) as connection:
        out, err = Path(folder) / "stdout", Path(folder) / "stderr"
        asked = {"arguments": arguments, "env": env, "cwd": str(cwd or Path.cwd()), "timeout_s": timeout_s}
        connection.sendall(json.dumps(asked | {"stdout": str(out), "stderr": str(err)}).encode() + b"\n")
        connection.settimeout(timeout_s + SLACK_S)
        with connection.makefile() as replies:
            code = int(replies.readline())
        if code == -signal.SIGALRM:
            raise subprocess.TimeoutExpired([_NAME, *arguments], timeout_s, out.read_bytes(), err.read_bytes())
        return subprocess.CompletedProcess([_NAME, *arguments], code, out.read_text(), err.read_text())


def _connected(env: dict[str, str]) -> socket.socket:
    if not _addresses:
        _addresses.append(_started(env))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(_addresses[0])
    return connection


def _started(env: dict[str, str]) -> str:
    """Where the server of this test process listens. It ends with this process: with its standard input."""
    folder = tempfile.TemporaryDirectory(prefix="commands-")
    address = str(Path(folder.name) / "socket")
    # numpy's threads begin when it is imported, and rich takes the width of its lines then.
    env = env | {"OPENBLAS_NUM_THREADS": "1"}
    server = subprocess.Popen([sys.executable, "-m", __name__, address], stdin=subprocess.PIPE, env=env, cwd=_ROOT)
    atexit.register(_end, server, folder)
    deadline = time.monotonic() + START_BOUND_S
    while not Path(address).exists():
        assert server.poll() is None, "the server of commands ended at once"
        assert time.monotonic() < deadline, f"no server of commands within {START_BOUND_S:g} s"
        time.sleep(0.02)
    return address


def _end(server: subprocess.Popen[bytes], folder: tempfile.TemporaryDirectory[str]) -> None:
    assert server.stdin is not None
    server.stdin.close()
    server.wait(SLACK_S)
    folder.cleanup()


def _serve(address: str) -> None:
    """Fork for each connection until standard input ends. One thread, so that a fork has everything."""
    from causeway.cli.main import COMMANDS

    for module in COMMANDS.values():
        importlib.import_module(f"causeway.cli.commands.{module}")
    gc.freeze()
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process with threads can not be forked"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{address}.new")
    listener.listen()
    Path(f"{address}.new").rename(address)
    while select.select([listener, sys.stdin], [], [])[0] == [listener]:
        connection, _ = listener.accept()
        if not os.fork():
            listener.close()
            _attend(connection)
        connection.close()


def _attend(connection: socket.socket) -> NoReturn:
    """Read one request, run it in a process of its own, and send its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked = json.loads(connection.makefile().readline())
    command = os.fork()
    if not command:
        connection.close()
        _become(asked)
    code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(f"{code}\n".encode())
    os._exit(0)


def _become(asked: dict[str, Any]) -> NoReturn:
    """The command, as its script would start it."""
    from causeway.cli.main import main

    signal.setitimer(signal.ITIMER_REAL, asked["timeout_s"])
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    files = (os.devnull, asked["stdout"], asked["stderr"])
    for number, (file, flags) in enumerate(zip(files, (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)):
        os.dup2(os.open(file, flags, 0o600), number)
    sys.argv = [str(Path(sys.executable).parent / _NAME), *asked["arguments"]]
    main()
    sys.exit()


if __name__ == "__main__":
    _serve(sys.argv[1])
