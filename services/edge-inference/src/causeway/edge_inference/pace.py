"""How long something took lately: a quantile over the last few times, for as long as they are news."""

import math
from collections import deque

NEWS_S = 120.0


class Pace:
    """At most `size` times, none older than NEWS_S, so that what was slow once is tried again."""

    def __init__(self, size: int = 128) -> None:
        self._times: deque[tuple[float, float]] = deque(maxlen=size)

    def add(self, now_s: float, took_s: float) -> None:
        """One more."""
        self._times.append((now_s, took_s))

    def quantile_ms(self, share: float, now_s: float) -> float:
        """The smallest time that at least `share` of them kept within, in ms; 0 where nothing is known."""
        recent = sorted(took_s for at_s, took_s in self._times if now_s - at_s <= NEWS_S)
        if not recent:
            return 0.0
        return 1000 * recent[max(0, math.ceil(share * len(recent)) - 1)]
