"""A stand-in for the parser process that misbehaves as the document's name tells it to."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import BinaryIO

import msgspec

from causeway.ingestor.chunking import Cut
from causeway.ingestor.extraction import Extraction, Job, Ready, Reply
from causeway.ingestor.worker_process import _confine, _read_frame, _send, _take_stdout


def behave(name: str, body: bytes, replies: BinaryIO) -> None:
    """Answer, or do what `name` says."""
    if name == "hang":
        time.sleep(600)
    elif name == "spin":
        while True:
            pass
    elif name == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif name == "die-once" and not Path(body.decode()).exists():
        Path(body.decode()).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    elif name == "flood":
        replies.write((1 << 40).to_bytes(8, "big"))
        replies.flush()
        time.sleep(600)
    elif name == "babble":
        replies.write((4).to_bytes(8, "big") + b"\xc1\xc1\xc1\xc1")
        replies.flush()
    cut = Cut(ordinal=0, context="", text=f"{name} by {os.getpid()}", language="en")
    answer: Reply = Extraction(media_type="text/plain", title="", language="en", pages=0, warnings=[], cuts=[cut])
    _send(replies, answer)


def main() -> None:
    """Like worker_process, without parsers."""
    replies = _take_stdout()
    _confine(int(sys.argv[1]))
    _send(replies, Ready())
    while (header := _read_frame(sys.stdin.buffer)) is not None:
        job = msgspec.msgpack.decode(header, type=Job)
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(
            resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + job.cpu_s_max, resource.RLIM_INFINITY)
        )
        behave(job.filename, _read_frame(sys.stdin.buffer) or b"", replies)


if __name__ == "__main__":
    main()
