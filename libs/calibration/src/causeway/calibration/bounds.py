"""How sure a share is: the Clopper-Pearson bound, and how many independent judgements clustered ones are worth.

Questions about one passage are right or wrong together, so that a bound that counts them as independent promises too
much. The effective size is that of Korn and Graubard (1998, Survey Methodology 24:193-201): the labels divided by the
design effect, which is the variance of the share between clusters over the binomial one.
"""

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

_HALVINGS = 60
_FRACTION_STEPS_MAX = 300
_TINY = 1e-300


def lower_bound(right: float, judged: float, delta: float) -> float:
    """Return the share that is exceeded with confidence 1 - delta (Clopper and Pearson, 1934); 0 of nothing.

    `right` and `judged` need not be whole: effective sizes are not.
    """
    if judged <= 0 or right <= 0:
        return 0.0
    right = min(right, judged)
    return _beta_quantile(delta, right, judged - right + 1)


def exceeds(share: float, right: float, judged: float, delta: float) -> bool:
    """Say whether `lower_bound` is at least `share`, at a sixtieth of its cost."""
    return right > 0 and beta_cdf(share, min(right, judged), judged - min(right, judged) + 1) <= delta


def upper_bound(right: float, judged: float, delta: float) -> float:
    """Return the share that is not reached with confidence 1 - delta; 1 of nothing."""
    return 1.0 - lower_bound(judged - right, judged, delta)


def effective_size(labels: NDArray[np.float64], clusters: Sequence[Hashable]) -> float:
    """Return how many independent labels these are worth: between the number of clusters, where all labels are equal or
    those of a cluster always agree, and the number of labels."""
    count = len(labels)
    places = cluster_places(clusters)
    groups = int(places.max(initial=-1)) + 1
    share = float(labels.mean()) if count else 0.0
    if groups < 2 or not 0.0 < share < 1.0:
        return float(groups)
    residuals = np.bincount(places, weights=labels - share, minlength=groups)
    between = groups / (groups - 1) * float(residuals @ residuals) / count**2
    binomial = share * (1 - share) / count
    return float(np.clip(count * binomial / between if between else count, min(groups, count), count))


def cluster_places(clusters: Sequence[Hashable]) -> NDArray[np.int64]:
    """Return the number of each label's cluster, from 0 in order of appearance."""
    places: dict[Hashable, int] = {}
    return np.array([places.setdefault(one, len(places)) for one in clusters], np.int64)


def _beta_quantile(share: float, a: float, b: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if beta_cdf(middle, a, b) < share else (low, middle)
    return (low + high) / 2


def beta_cdf(at: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function, by its continued fraction (Abramowitz and Stegun 26.5.8)."""
    if at <= 0.0 or at >= 1.0:
        return float(at >= 1.0)
    if at > (a + 1) / (a + b + 2):
        return 1.0 - beta_cdf(1.0 - at, b, a)
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(at) + b * math.log1p(-at) - math.log(a)
    )
    return math.exp(log_front) * _fraction(at, a, b)


def _fraction(at: float, a: float, b: float) -> float:
    """Evaluate from front to back (Lentz, 1976), which never divides by nothing."""
    value, upper, lower = 1.0, 1.0, 0.0
    for step in range(_FRACTION_STEPS_MAX):
        half = step // 2
        if step == 0:
            term = 1.0
        elif step % 2:
            term = -(a + half) * (a + b + half) * at / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            term = half * (b - half) * at / ((a + 2 * half - 1) * (a + 2 * half))
        lower = 1.0 / (1.0 + term * lower or _TINY)
        upper = 1.0 + term / upper or _TINY
        value *= upper * lower
        if step and abs(upper * lower - 1.0) < 1e-14:
            break
    return value - 1.0
