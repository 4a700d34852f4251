"""How often something false can happen when it was seen so and so often: Clopper and Pearson's upper bound."""

from collections.abc import Callable, Sequence
from math import exp, lgamma, log, log1p

_HALVINGS = 60


def upper(false: int, trials: int, delta: float) -> float:
    """The share that is exceeded with probability `delta` at most, given `false` in `trials`; 1 without trials."""
    return _bisect(lambda share: _at_most(false, trials, share) > delta) if false < trials else 1.0


def lower(found: int, trials: int, delta: float) -> float:
    """The share that is undercut with probability `delta` at most; 0 without trials."""
    return 1 - upper(trials - found, trials, delta) if found else 0.0


def threshold(scores: Sequence[float], budget: float, delta: float) -> float:
    """The lowest score from which at most `budget` of such pairs lie, at `delta`; above every score if none will do.

    `scores` are of pairs that must not match. They are tried from the highest down, and the first that breaks the
    budget ends it, so that `delta` holds for the choice, too.
    """
    ranked = sorted(scores, reverse=True)
    best = 1.0
    for false, score in enumerate(ranked):
        if upper(false, len(ranked), delta) > budget:
            return best
        best = score + 1e-6
    return best if not ranked or upper(len(ranked), len(ranked), delta) > budget else 0.0


def _at_most(false: int, trials: int, share: float) -> float:
    """The probability of `false` or fewer."""
    whole = lgamma(trials + 1)
    return sum(
        exp(
            whole
            - lgamma(count + 1)
            - lgamma(trials - count + 1)
            + count * log(share)
            + (trials - count) * log1p(-share)
        )
        for count in range(false + 1)
    )


def _bisect(below: Callable[[float], bool]) -> float:
    low, high = 1e-12, 1 - 1e-12
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return high
