"""The calls that count: the last so many, or those of the last so many seconds in parts of one second."""

import math
from dataclasses import dataclass, field, replace
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers of calls. A call may be failed and slow."""

    calls: int = 0
    failed: int = 0
    slow: int = 0

    def plus(self, other: "Totals") -> "Totals":
        """Both."""
        return Totals(self.calls + other.calls, self.failed + other.failed, self.slow + other.slow)

    @property
    def failure_rate(self) -> float:
        """The share of failed calls; 0 where there was none."""
        return self.failed / self.calls if self.calls else 0.0

    @property
    def slow_rate(self) -> float:
        """The share of slow calls; 0 where there was none."""
        return self.slow / self.calls if self.calls else 0.0


class Window(Protocol):
    """Values: adding a call makes another window."""

    def add(self, now_s: float, *, failed: bool, slow: bool) -> Self:
        """With one more call, that ended now."""
        ...

    def totals(self, now_s: float) -> Totals:
        """Of the calls that count now."""
        ...


@dataclass(frozen=True)
class LastCalls:
    """The last `size` calls."""

    size: int
    calls: tuple[Totals, ...] = ()
    sums: Totals = field(default=Totals())

    def add(self, now_s: float, *, failed: bool, slow: bool) -> Self:
        """See Window."""
        call = Totals(1, int(failed), int(slow))
        sums, calls = self.sums.plus(call), (*self.calls, call)
        if len(calls) > self.size:
            oldest, *_ = calls
            sums = Totals(sums.calls - 1, sums.failed - oldest.failed, sums.slow - oldest.slow)
        return replace(self, calls=calls[-self.size :], sums=sums)

    def totals(self, now_s: float) -> Totals:
        """See Window."""
        return self.sums


@dataclass(frozen=True)
class LastSeconds:
    """Calls of the current second and of the `seconds - 1` before it."""

    seconds: int
    parts: tuple[tuple[int, Totals], ...] = ()

    def add(self, now_s: float, *, failed: bool, slow: bool) -> Self:
        """See Window. A clock that went back counts to the newest second that there is."""
        call = Totals(1, int(failed), int(slow))
        second = math.floor(now_s)
        kept = self._kept(second)
        if kept and kept[-1][0] >= second:
            newest, so_far = kept[-1]
            return replace(self, parts=(*kept[:-1], (newest, so_far.plus(call))))
        return replace(self, parts=(*kept, (second, call)))

    def totals(self, now_s: float) -> Totals:
        """See Window."""
        sums = Totals()
        for _, part in self._kept(math.floor(now_s)):
            sums = sums.plus(part)
        return sums

    def _kept(self, second: int) -> tuple[tuple[int, Totals], ...]:
        return tuple(part for part in self.parts if part[0] > second - self.seconds)
