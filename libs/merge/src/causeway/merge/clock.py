"""The hybrid logical clock: close to wall time where that is right, and always rising. Knows no clock of its own."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True, slots=True)
class Timestamp:
    """When a write was stamped, in unix milliseconds, and its place among stamps of the same millisecond.

    Ordered by wall, counter, origin: no two stamps of two origins are equal.
    """

    wall_ms: int
    counter: int
    origin: str


ZERO = Timestamp(0, 0, "")
"""Before every write."""


def tick(last: Timestamp, now_ms: int, origin: str) -> Timestamp:
    """The stamp of a write at `origin` after `last`: greater than `last` and not before `now_ms`.

    A clock that stands still or was set back is counted on from `last` (Kulkarni et al. 2014, send rule).
    """
    if now_ms > last.wall_ms:
        return Timestamp(now_ms, 0, origin)
    return Timestamp(last.wall_ms, last.counter + 1, origin)


def witness(last: Timestamp, other: Timestamp) -> Timestamp:
    """The greater of the two: what the next `tick` must exceed once `other` was read.

    `tick(witness(last, other), now_ms, origin)` is the receive rule of the paper, cut in its two halves.
    """
    return max(last, other)
