"""Worker processes and the pool that asks them: each document has bounds, and costs at most itself.

A worker that hangs is killed and its document fails. A worker that dies is replaced, and its document tried once more,
because the worker may have been killed from outside; a second death is the document's own doing.
"""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from causeway.ingestor.extraction import Extraction, Failure, Job, Ready, Reply
from causeway.ingestor.parsing.block import MIB, Code, ParseFailure

_LENGTH_BYTES = 8
_SLICE_BYTES = MIB
_START_TIMEOUT_S = 60.0
_TRIES = 2
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TESSDATA_PREFIX", "PYTHONPATH", "VIRTUAL_ENV", "TZ")
# No parser has business on a network: should one try, it is sent to a port where nobody listens.
_NOWHERE = "http://127.0.0.1:9"
_ENVIRONMENT = {
    **{f"{name}_PROXY": _NOWHERE for name in ("HTTP", "HTTPS", "ALL")},
    **{f"{name}_proxy": _NOWHERE for name in ("http", "https", "all")},
    "OMP_THREAD_LIMIT": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKIO_WORKER_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "PYTHONUTF8": "1",
}


class WorkerStartError(RuntimeError):
    """A parser process does not start: run `python -m causeway.ingestor.worker_process 2147483648` to see why."""


class _Died(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"exit status {status}")
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What one document and one worker may take."""

    workers: int = 2
    timeout_s: float = 120.0
    memory_bytes_max: int = 2048 * MIB
    reply_bytes_max: int = 256 * MIB
    jobs_per_worker_max: int = 500


def command() -> list[str]:
    """How a worker is started; the address space follows as the last argument."""
    return [sys.executable, "-m", "causeway.ingestor.worker_process"]


@dataclass(eq=False)
class _Worker:
    process: Process
    jobs: int = 0

    async def ask(self, job: Job, body: bytes, reply_bytes_max: int) -> Reply:
        """Send one document and wait for the answer.

        Raises:
            _Died: the process ended before it answered.
        """
        self.jobs += 1
        try:
            await self._send(msgspec.msgpack.encode(job))
            await self._send(body)
            return await self.receive(reply_bytes_max)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _Died(await self.process.wait()) from error

    async def receive(self, reply_bytes_max: int) -> Reply:
        assert self.process.stdout is not None
        try:
            size = int.from_bytes(await self.process.stdout.readexactly(_LENGTH_BYTES), "big")
            if size > reply_bytes_max:
                raise ParseFailure(
                    Code.TEXT, f"gives {size // MIB} MiB of text, the limit is {reply_bytes_max // MIB} MiB: split it"
                )
            return _decoder.decode(await self.process.stdout.readexactly(size))
        except asyncio.IncompleteReadError as error:
            raise _Died(await self.process.wait()) from error
        except msgspec.DecodeError as error:
            raise ParseFailure(Code.CRASHED, "confused its parser: export it again") from error

    async def _send(self, frame: bytes) -> None:
        stdin = self.process.stdin
        assert stdin is not None
        stdin.write(len(frame).to_bytes(_LENGTH_BYTES, "big"))
        for start in range(0, len(frame), _SLICE_BYTES):
            stdin.write(frame[start : start + _SLICE_BYTES])
            await stdin.drain()

    async def kill(self) -> None:
        """End the process for certain, and take its exit status."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await self.process.wait()


_decoder: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


@dataclass
class Pool:
    """At most `bounds.workers` processes, started when they are needed and kept."""

    bounds: Bounds
    command: Sequence[str] = field(default_factory=command)

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.bounds.workers)
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self.replaced = 0

    @property
    def pids(self) -> list[int]:
        """The processes that are alive now."""
        return [worker.process.pid for worker in self._all if worker.process.returncode is None]

    async def __aenter__(self) -> "Pool":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Kill every worker. What they were parsing stays unacknowledged, and is parsed again."""
        for worker in list(self._all):
            await self._discard(worker)

    async def extract(self, job: Job, body: bytes) -> Extraction:
        """The chunks of one document.

        Raises:
            ParseFailure: the document can not be read within its bounds.
            WorkerStartError: no worker can be started; the document is not at fault.
        """
        async with self._free:
            for attempt in range(1, _TRIES + 1):
                worker = await self._take()
                try:
                    return await self._ask(worker, job, body)
                except _Died as died:
                    self.replaced += 1
                    _judge(died.status, attempt, job)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _ask(self, worker: _Worker, job: Job, body: bytes) -> Extraction:
        fit = False
        try:
            async with asyncio.timeout(self.bounds.timeout_s):
                reply = await worker.ask(job, body, self.bounds.reply_bytes_max)
            fit = worker.jobs < self.bounds.jobs_per_worker_max and not _spent(reply)
        except TimeoutError as error:
            raise _too_slow(self.bounds.timeout_s) from error
        finally:
            await self._give_back(worker, fit=fit)
        if isinstance(reply, Failure):
            raise ParseFailure(reply.code, reply.reason)
        if not isinstance(reply, Extraction):
            raise ParseFailure(Code.CRASHED, "confused its parser: export it again")
        return reply

    async def _take(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.process.returncode is None:
                return worker
            await self._discard(worker)
            self.replaced += 1
        return await self._start()

    async def _give_back(self, worker: _Worker, *, fit: bool) -> None:
        if fit:
            self._idle.append(worker)
        else:
            await self._discard(worker)

    async def _discard(self, worker: _Worker) -> None:
        self._all.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        await worker.kill()

    async def _start(self) -> _Worker:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | _ENVIRONMENT
        process = await asyncio.create_subprocess_exec(
            *self.command, str(self.bounds.memory_bytes_max), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment
        )
        worker = _Worker(process)
        self._all.add(worker)
        ready: Reply | None = None
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                ready = await worker.receive(self.bounds.reply_bytes_max)
        except (_Died, TimeoutError, ParseFailure) as error:
            raise WorkerStartError(f"{WorkerStartError.__doc__} ({error})") from error
        finally:
            if not isinstance(ready, Ready):
                await self._discard(worker)
        return worker


def _spent(reply: Reply) -> bool:
    return isinstance(reply, Failure) and reply.code == Code.MEMORY


def _judge(status: int, attempt: int, job: Job) -> None:
    """Raise if the death of a worker is the document's doing; return if it deserves another try."""
    if status == -signal.SIGXCPU:
        raise _too_slow(job.cpu_s_max)
    if attempt >= _TRIES:
        name = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        raise ParseFailure(
            Code.CRASHED, f"crashed its parser twice ({name}): export it again, or publish it in another format"
        )


def _too_slow(seconds: float) -> ParseFailure:
    return ParseFailure(
        Code.TIMEOUT, f"took longer than {seconds:.0f} s to parse: split it or raise INGESTOR_PARSE_TIMEOUT_S"
    )
