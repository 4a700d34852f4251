"""A link between two network namespaces with delay, loss and a rate, that can be cut without a word: the tests' side.

with wide_link(Conditions(delay_s=0.05)) as link:
    async with linked(tmp_path, sites=("a",), where=link.where("a")) as fleet: ...
        link.cut(); link.heal()

Docs: tests/support/WIDE_LINK.md.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from causeway.proto.subjects import HUB
from tests.support.line import Conditions
from tests.support.linked_servers import Where
from tests.support.namespaces import LINE_DEVICE, Side, ip, sides
from tests.support.tunnel import Order, Ready

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "tests.support.tunnel")
STOP_S_MAX = 30.0


@dataclass(frozen=True, kw_only=True)
class Carried:
    """Bytes of IP packets: what a side sent, and what arrived at it."""

    sent: int
    arrived: int


@dataclass(frozen=True, kw_only=True)
class WideLink:
    """A running line. `capture_path` holds every packet that was sent, if that was asked for."""

    process: subprocess.Popen[bytes]
    site: Side
    hub: Side
    capture_path: Path

    def where(self, site: str) -> dict[str, Where]:
        """What `linked` needs to put the hub and a site of this name on the two sides."""
        return {place: _where(side) for place, side in ((HUB, self.hub), (site, self.site))}

    def cut(self) -> None:
        """From now on packets vanish, in both directions, and those on the way as well."""
        self._signal(signal.SIGUSR1, b"cut\n")

    def heal(self) -> None:
        """Packets arrive again."""
        self._signal(signal.SIGUSR2, b"healed\n")

    def _signal(self, number: signal.Signals, answer: bytes) -> None:
        self.process.send_signal(number)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == answer

    def carried(self, side: Side) -> Carried:
        """Of one side since the beginning, as its kernel counts."""
        told = json.loads(ip("-n", side.name, "-s", "-j", "link", "show", LINE_DEVICE))[0]["stats64"]
        return Carried(sent=told["tx"]["bytes"], arrived=told["rx"]["bytes"])


def _where(side: Side) -> Where:
    return Where(host=side.door_host, link_host=side.line_host, prefix=side.prefix)


def started(order: Order, program: tuple[str, ...] = PROGRAM) -> tuple[subprocess.Popen[bytes], Ready]:
    """The process that makes and carries, once it says that it does. It ends when its standard input does."""
    process = subprocess.Popen(
        [*program, msgspec.json.encode(order).decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        # An interrupted test run must not interrupt who sweeps after it.
        start_new_session=True,
        env=os.environ,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the tunnel ended with {process.wait()}"
    return process, msgspec.json.decode(line, type=Ready)


@contextmanager
def wide_link(conditions: Conditions, *, seed: int = 0, keep_path: Path | None = None) -> Iterator[WideLink]:
    """Namespaces with a line between them, gone at the end with every process inside; skips where there can be none."""
    process, ready = started(Order(conditions=conditions, seed=seed, keep_path=str(keep_path) if keep_path else ""))
    try:
        if ready.missing:
            pytest.skip(f"no network namespaces here: {ready.missing}")
        site, hub = sides(ready.number)
        yield WideLink(process=process, site=site, hub=hub, capture_path=keep_path or Path())
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(STOP_S_MAX)
        process.stdout.close()
