"""How many tokens to encode at once.

Few when the queue is short, so that a document is searchable soon; many when it is long, so that throughput rises;
never more than the latency bound allows at the speed that was last measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SMOOTHING = 0.2


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The bounds of a batch: tokens, and the milliseconds that one encode may take."""

    tokens_min: int
    tokens_max: int
    latency_ms_max: int


def token_budget(pending: int, tokens_per_s: float, limits: Limits) -> int:
    """Tokens for the next batch, with `pending` chunks waiting behind it.

    Doubles for each doubling of the queue beyond four chunks, from `tokens_min` to `tokens_max`. The speed (0 = not
    yet known) caps it, but never below `tokens_min`: one chunk of the model's maximum has to fit.
    """
    wanted = limits.tokens_min * max(1, pending // 4)
    if tokens_per_s > 0:
        wanted = min(wanted, int(tokens_per_s * limits.latency_ms_max / 1_000))
    return max(limits.tokens_min, min(limits.tokens_max, wanted))


def smoothed(rate: float, tokens: int, seconds: float) -> float:
    """The speed in tokens per second after one more batch, as an exponential moving average."""
    latest = tokens / max(seconds, 1e-6)
    return latest if rate <= 0 else rate + SMOOTHING * (latest - rate)


def batches(tokens: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices into `tokens`, shortest first (padding is what a mixed batch wastes), in groups whose padded size
    (longest times count) stays within `budget`; a single longer one goes alone."""
    group: list[int] = []
    for index in sorted(range(len(tokens)), key=tokens.__getitem__):
        if group and tokens[index] * (len(group) + 1) > budget:
            yield group
            group = []
        group.append(index)
    if group:
        yield group
