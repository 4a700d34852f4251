"""What opens a breaker, and for how long."""

from dataclasses import dataclass


class BadRuleError(ValueError):
    """A breaker's rule contradicts itself: shares lie above 0 and up to 1, numbers and times are above 0."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Limits of one breaker. `window_calls` above 0: the last so many calls count; 0: those of `window_s`.

    `failure_rate` and `slow_rate` are the shares of calls from which on it opens; `calls_min` is how many there must be
    first. `probe_s_max` bounds how long one who died with the probe keeps everybody waiting.
    """

    window_calls: int = 20
    window_s: int = 60
    calls_min: int = 5
    failure_rate: float = 0.5
    slow_call_s: float = 0.5
    slow_rate: float = 0.8
    open_wait_s: float = 5.0
    open_wait_factor: float = 2.0
    open_wait_s_max: float = 60.0
    probe_s_max: float = 60.0

    def __post_init__(self) -> None:
        """Raises BadRuleError."""
        shares = (self.failure_rate, self.slow_rate)
        positive = (self.window_s, self.calls_min, self.slow_call_s, self.open_wait_s, self.probe_s_max)
        if not all(0.0 < share <= 1.0 for share in shares):
            raise BadRuleError(f"shares {shares}: {BadRuleError.__doc__}")
        if not all(value > 0 for value in positive) or self.window_calls < 0 or self.open_wait_factor < 1.0:
            raise BadRuleError(f"{self}: {BadRuleError.__doc__}")
        if self.open_wait_s_max < self.open_wait_s:
            raise BadRuleError(f"open_wait_s_max {self.open_wait_s_max} is below open_wait_s {self.open_wait_s}")

    @property
    def calls_needed(self) -> int:
        """`calls_min`, or the whole window where that is smaller."""
        return min(self.calls_min, self.window_calls) if self.window_calls else self.calls_min

    def wait_s(self, opened: int) -> float:
        """How long it stays open for the `opened`th time in a row, from 1 on."""
        # Bounded before it is raised: a long outage must not overflow.
        exponent = min(opened - 1, 64)
        return min(self.open_wait_s * self.open_wait_factor**exponent, self.open_wait_s_max)
