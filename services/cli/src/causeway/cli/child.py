"""One process of a site, on a leash: it can not outlive its supervisor. Its output goes to a log file."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable

from causeway.cli.log_files import LogFile
from causeway.cli.process_spec import ProcessSpec

_PR_SET_PDEATHSIG = 1
_READ_BYTES = 64 * 1024
_LINE_BYTES_MAX = 64 * 1024
_END_POLL_S = 0.1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

OnLine = Callable[[ProcessSpec, bytes], None]


def _leash(supervisor: int) -> None:
    """Runs in the child before its program: the kernel will kill it when the supervisor is gone, even by SIGKILL."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(1)


def _handle_of(process: asyncio.subprocess.Process) -> int:
    """A descriptor that can be read once the process has ended, or -1 where there is none to be had."""
    if sys.platform != "linux" or process.returncode is not None:
        return -1
    try:
        return os.pidfd_open(process.pid)
    except OSError:
        return -1


async def _polled(process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:  # noqa: ASYNC110 - who sets it tells nobody.
        await asyncio.sleep(_END_POLL_S)


class Child:
    """A process from its start to its end. It leads a group of its own: a Ctrl-C of the terminal does not reach it."""

    def __init__(self, spec: ProcessSpec, log: LogFile, on_line: OnLine) -> None:
        self.spec = spec
        self.log = log
        self._on_line = on_line
        self._process: asyncio.subprocess.Process | None = None
        self._pump: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Its process id, 0 before the start."""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it. Output of both kinds goes to the log."""
        supervisor = os.getpid()
        self._process = await asyncio.create_subprocess_exec(
            *self.spec.argv,
            env=dict(self.spec.env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: _leash(supervisor),
        )
        self._pump = asyncio.create_task(self._drain(), name=f"log of {self.spec.name}")

    async def wait(self) -> int:
        """Its exit code, when it has ended and nothing of its group is left."""
        assert self._process is not None
        await self._ended()
        self._kill_group()
        code = await self._process.wait()
        if self._pump is not None:
            await asyncio.shield(self._pump)
        self.log.close()
        return code

    async def stop(self, timeout_s: float) -> bool:
        """Ask it to finish, wait, then kill. True when it finished by itself."""
        if not self.running or self._process is None:
            return True
        self._process.terminate()
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended()
            return True
        except TimeoutError:
            self._kill_group()
            await self._process.wait()
            return False
        finally:
            self._kill_group()

    async def _ended(self) -> None:
        """Return when the process itself has ended. asyncio's own wait goes on while anybody holds its output: for
        ever, where a process that it started has outlived it."""
        assert self._process is not None
        ended = asyncio.Event()
        if (handle := _handle_of(self._process)) < 0:
            await _polled(self._process)
            return
        asyncio.get_running_loop().add_reader(handle, ended.set)
        try:
            await ended.wait()
        finally:
            asyncio.get_running_loop().remove_reader(handle)
            os.close(handle)

    def kill(self) -> None:
        """Kill it and what it started, at once."""
        if self.running:
            self._kill_group()

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    async def _drain(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        rest = b""
        while block := await self._process.stdout.read(_READ_BYTES):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                self._take(line)
            if len(rest) > _LINE_BYTES_MAX:
                self._take(rest)
                rest = b""
        if rest:
            self._take(rest)

    def _take(self, line: bytes) -> None:
        self.log.write(line + b"\n")
        self._on_line(self.spec, line)
