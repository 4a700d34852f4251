"""When a process that ended is started again, and when it is given up. Pure: the clock is passed in."""

from collections import deque
from dataclasses import dataclass, field

EXIT_REFUSED = 78
BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 15.0


@dataclass(frozen=True)
class Restart:
    """Start again after this time."""

    after_s: float


@dataclass(frozen=True)
class GiveUp:
    """Do not start again: the reason is for the person."""

    reason: str


@dataclass
class RestartPolicy:
    """Exponential backoff over the crashes within the window; `crashes_max` of them are too many."""

    crashes_max: int
    window_s: float
    _crashes: deque[float] = field(default_factory=deque)

    def ended(self, exit_code: int, now_s: float) -> Restart | GiveUp:
        """What to do about a process that ended by itself at `now_s`."""
        if exit_code == EXIT_REFUSED:
            return GiveUp("it refuses to start as it is configured")
        while self._crashes and now_s - self._crashes[0] > self.window_s:
            self._crashes.popleft()
        self._crashes.append(now_s)
        count = len(self._crashes)
        if count >= self.crashes_max:
            return GiveUp(f"it ended {count} times within {self.window_s:g} s")
        return Restart(min(BACKOFF_FIRST_S * 2 ** (count - 1), BACKOFF_MAX_S))


def describe_exit(exit_code: int) -> str:
    """An exit code of asyncio or subprocess in words: a negative one is a signal's number."""
    return f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with code {exit_code}"
