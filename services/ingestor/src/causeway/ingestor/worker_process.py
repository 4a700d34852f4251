"""The process in which documents are parsed: one at a time, from its pipe, under limits of the operating system.

It trusts nothing that it reads, holds no key and no connection, and may be killed at any moment.
"""

import ctypes
import os
import resource
import signal
import sys
from typing import BinaryIO

import msgspec

from causeway.ingestor.extraction import Extraction, Failure, Job, Ready, Reply, extraction
from causeway.ingestor.parsing.block import Code, ParseFailure

LENGTH_BYTES = 8
_OPEN_FILES_MAX = 256
_FILE_BYTES_MAX = 256 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
_NICE = 10


def main() -> None:
    """Serve jobs until the pipe closes. The only argument is the address space in bytes."""
    replies = _take_stdout()
    _confine(int(sys.argv[1]))
    # Seconds of imports, paid before the first document instead of during it.
    from causeway.ingestor.parsing import document  # noqa: F401

    _send(replies, Ready())
    while _serve(sys.stdin.buffer, replies):
        pass


def _take_stdout() -> BinaryIO:
    """The pipe to the parent, out of reach of libraries that print to standard output."""
    descriptor = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(descriptor, "wb")


def _confine(address_space_bytes: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Ctrl-C reaches the whole group of the terminal; the parent decides when a worker ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES_MAX, _OPEN_FILES_MAX))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES_MAX, _FILE_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes, address_space_bytes))


def _serve(jobs: BinaryIO, replies: BinaryIO) -> bool:
    """Answer one job. False when there are no more, or when this process is not fit for another."""
    header = _read_frame(jobs)
    if header is None:
        return False
    job = msgspec.msgpack.decode(header, type=Job)
    try:
        body = _read_frame(jobs)
        if body is None:
            return False
        reply = _extract(job, body)
    except MemoryError:
        reply = Failure(
            code=Code.MEMORY,
            reason="needs more memory than a parser may take: split it or raise INGESTOR_MEMORY_BYTES_MAX",
        )
    _send(replies, reply)
    return not (isinstance(reply, Failure) and reply.code == Code.MEMORY)


def _extract(job: Job, body: bytes) -> Extraction | Failure:
    from causeway.ingestor.parsing import document

    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + job.cpu_s_max + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
    try:
        return extraction(document.parse(body, job.filename, job.media_type, job.limits), job)
    except ParseFailure as failure:
        return Failure(code=failure.code, reason=failure.reason)
    except RecursionError:
        return Failure(code=Code.CORRUPT, reason="is nested too deeply to read: export it again, flatter")


def _read_frame(stream: BinaryIO) -> bytes | None:
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    return stream.read(int.from_bytes(head, "big"))


def _send(stream: BinaryIO, reply: Reply) -> None:
    frame = msgspec.msgpack.encode(reply)
    stream.write(len(frame).to_bytes(LENGTH_BYTES, "big"))
    stream.write(frame)
    stream.flush()


if __name__ == "__main__":
    main()
