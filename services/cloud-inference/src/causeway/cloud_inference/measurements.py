"""How often the engine may be made to generate only to learn how it is. Pure: seconds of any one clock."""

import enum
import math
from dataclasses import dataclass, replace

BACKOFF_S_MAX = 60.0
"""An engine that is down is tried at least so often, whatever was spent: it must be found when it is back."""
_HOUR_S = 3_600.0


class Withheld(enum.StrEnum):
    """Why a measurement that is due is not made now."""

    HOUR = "hour"
    BACKOFF = "backoff"


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """Half of an hour's number may be made at once, and the other half comes back evenly over the hour, so that no hour
    has more. Those of an engine that is down are spent as well, but never wait longer than `BACKOFF_S_MAX`."""

    per_hour_max: int
    every_s: float
    spent: float = 0.0
    at_s: float = 0.0
    made_s: float = -math.inf
    failures: int = 0

    def withheld(self, now_s: float, *, down: bool) -> Withheld | None:
        """Why none is made now, or None."""
        age_s = now_s - self.made_s
        if down and age_s < self.backoff_s:
            return Withheld.BACKOFF
        has_one = self._spent(now_s) <= max(0.0, self._at_once - 1.0)
        return None if has_one or (down and age_s >= BACKOFF_S_MAX) else Withheld.HOUR

    def made(self, now_s: float, *, failed: bool) -> "Measurements":
        """With one more, that ended now."""
        failures = self.failures + 1 if failed else 0
        return replace(self, spent=self._spent(now_s) + 1.0, at_s=now_s, made_s=now_s, failures=failures)

    def ill(self) -> "Measurements":
        """The engine itself says that it is not well: once it is, it is tried at once."""
        return replace(self, failures=0)

    @property
    def backoff_s(self) -> float:
        """After so many failures in a row: none at first, then doubled from look to look."""
        return min(BACKOFF_S_MAX, self.every_s * 2.0 ** min(self.failures, 32)) if self.failures else 0.0

    @property
    def _at_once(self) -> float:
        return max(1.0, self.per_hour_max / 2)

    def _spent(self, now_s: float) -> float:
        back = (now_s - self.at_s) * (self.per_hour_max / 2) / _HOUR_S
        return max(0.0, self.spent - max(0.0, back))
