"""A process that makes two namespaces and carries packets between them until its standard input ends.

All that a test run leaves behind in the kernel is its own, so however the tests end, it sweeps. It prints a line of
JSON when all is there, and one word after each signal: SIGUSR1 cuts (packets vanish both ways), SIGUSR2 heals.
"""

import asyncio
import os
import random
import signal
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from tests.support.line import Conditions, Line
from tests.support.namespaces import NamespaceError, NoNamespacesError, Side, line_end, two_namespaces

PACKET_BYTES_MAX = 65_535
PACKETS_AT_ONCE = 64
# pcap, microseconds, raw IP.
_FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, PACKET_BYTES_MAX, 101)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is asked for, as its one argument. With `keep_path` every packet is kept there, as pcap."""

    conditions: Conditions
    seed: int = 0
    keep_path: str = ""


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Its first line. `missing` is why there can be no namespaces here."""

    number: int = -1
    missing: str = ""


@dataclass(kw_only=True)
class Capture:
    """Everything that either side sent, whether it arrived or not."""

    descriptor: int

    @staticmethod
    def at(path: str) -> "Capture":
        """Begin a file."""
        capture = Capture(descriptor=os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        os.write(capture.descriptor, _FILE_HEADER)
        return capture

    def keep(self, packet: bytes) -> None:
        """One write, so that a reader sees whole packets."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        head = struct.pack("<IIII", seconds, nanoseconds // 1_000, len(packet), len(packet))
        os.write(self.descriptor, head + packet)


@dataclass(kw_only=True)
class Direction:
    """From one end to the other. What is on the line when it is cut is lost."""

    source: int
    target: int
    line: Line
    capture: Capture | None
    open: bool = True
    flying: deque[tuple[float, bytes]] = field(default_factory=deque)
    timer: asyncio.TimerHandle | None = None

    def take(self) -> None:
        """Read what was sent."""
        loop = asyncio.get_running_loop()
        for _ in range(PACKETS_AT_ONCE):
            try:
                packet = os.read(self.source, PACKET_BYTES_MAX)
            except BlockingIOError:
                break
            if self.capture is not None:
                self.capture.keep(packet)
            arrival_s = self.line.arrival_s(loop.time(), len(packet)) if self.open else None
            if arrival_s is not None:
                self.flying.append((arrival_s, packet))
        self.deliver()

    def deliver(self) -> None:
        """Hand over what has arrived by now, and come again for the next."""
        loop = asyncio.get_running_loop()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        while self.flying and self.flying[0][0] <= loop.time():
            try:
                os.write(self.target, self.flying.popleft()[1])
            except BlockingIOError:
                # A full device drops.
                continue
        if self.flying:
            self.timer = loop.call_at(self.flying[0][0], self.deliver)

    def set_open(self, is_open: bool) -> None:
        """Cut or heal."""
        self.open = is_open
        if not is_open:
            self.flying.clear()


def main() -> int:
    """Make, say so, carry, sweep."""
    order = msgspec.json.decode(sys.argv[1], type=Order)
    # Until there is a loop, an interruption is an exception, so that what was made is swept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with two_namespaces() as pair:
            ends = line_end(pair[0]), line_end(pair[1])
            asyncio.run(_carry(order, pair, ends))
    except NoNamespacesError as error:
        _say(Ready(missing=str(error)))
        return 2
    except NamespaceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def _carry(order: Order, pair: tuple[Side, Side], ends: tuple[int, int]) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    capture = Capture.at(order.keep_path) if order.keep_path else None
    directions = [
        Direction(
            source=source,
            target=ends[0] if source == ends[1] else ends[1],
            line=Line(conditions=order.conditions, rng=random.Random(f"{number} {order.seed}")),
            capture=capture,
        )
        for number, source in enumerate(ends)
    ]
    for direction in directions:
        loop.add_reader(direction.source, direction.take)
    loop.add_signal_handler(signal.SIGUSR1, _switch(directions, is_open=False))
    loop.add_signal_handler(signal.SIGUSR2, _switch(directions, is_open=True))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(sys.stdin.fileno(), stop.set)
    _say(Ready(number=int(pair[0].name.split("-")[1])))
    await stop.wait()


def _switch(directions: list[Direction], *, is_open: bool) -> Callable[[], None]:
    def switch() -> None:
        for direction in directions:
            direction.set_open(is_open)
        print("healed" if is_open else "cut", flush=True)

    return switch


def _say(ready: Ready) -> None:
    print(msgspec.json.encode(ready).decode(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
