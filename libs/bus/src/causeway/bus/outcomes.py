"""What to do with a delivery, given what its handler said: pure decisions."""

from collections.abc import Sequence
from dataclasses import dataclass

from causeway.bus.delivery import Ack, Dead, Outcome, Retry

DELIVERIES_MAX = 20
KEPT_DELAY_S = 30.0


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and how soon. `backoff_s` holds the delay after each attempt; its last one repeats."""

    attempts_max: int = 5
    backoff_s: tuple[float, ...] = (0.5, 2.0, 8.0, 30.0)

    def __post_init__(self) -> None:
        if self.attempts_max < 1 or not self.backoff_s:
            raise ValueError("attempts_max is at least 1 and backoff_s holds at least one delay")

    def delay_s(self, num_delivered: int) -> float:
        """The delay after the delivery of this number, counted from 1."""
        return self.backoff_s[min(num_delivered, len(self.backoff_s)) - 1]


def settle(outcome: Outcome, num_delivered: int, policy: RetryPolicy) -> Ack | Retry | Dead:
    """The final word: a retry has its delay, and the last attempt's retry is a dead letter."""
    if not isinstance(outcome, Retry):
        return outcome
    if num_delivered >= policy.attempts_max and not outcome.forever:
        return Dead(f"{outcome.reason} (attempt {num_delivered} of {policy.attempts_max})")
    delay_s = policy.delay_s(num_delivered) if outcome.delay_s is None else outcome.delay_s
    return Retry(outcome.reason, delay_s, outcome.forever)


def exhausted(num_delivered: int, *, deliveries_max: int = DELIVERIES_MAX) -> Dead | None:
    """A message that was handed over so often without any word may be what kills its service."""
    if num_delivered <= deliveries_max:
        return None
    return Dead(f"delivered {num_delivered} times and never settled: it may be what ends the service that handles it")


def groups(num_delivered: Sequence[int], attempts_max: int) -> list[range]:
    """Consecutive slices of a batch: fresh messages together, suspects one by one, so that one that kills its service
    takes no neighbour with it."""
    slices: list[range] = []
    begin = 0
    for index, count in enumerate(num_delivered):
        if count > attempts_max:
            if begin < index:
                slices.append(range(begin, index))
            slices.append(range(index, index + 1))
            begin = index + 1
    if begin < len(num_delivered):
        slices.append(range(begin, len(num_delivered)))
    return slices
