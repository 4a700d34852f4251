"""What tells good probabilities from bad ones: calibration error, Brier score, AUROC, reliability and risk curves."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causeway.calibration.bounds import cluster_places

Vector = NDArray[np.float64]
BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of the reliability diagram: how many answers, how sure they were, how many of them were right."""

    low: float
    high: float
    count: int
    said: float
    right: float


def reliability(said: Vector, right: Vector, bins: int = BINS) -> list[Bin]:
    """Return bins of equal width that hold anything."""
    places = np.minimum((said * bins).astype(np.int64), bins - 1)
    return [
        Bin(
            low=place / bins,
            high=(place + 1) / bins,
            count=int((places == place).sum()),
            said=float(said[places == place].mean()),
            right=float(right[places == place].mean()),
        )
        for place in np.unique(places).tolist()
    ]


def ece(said: Vector, right: Vector, bins: int = BINS) -> float:
    """Return the expected calibration error over bins of equal width (Naeini et al., 2015); 0 of nothing."""
    found = reliability(said, right, bins)
    return sum(one.count * abs(one.said - one.right) for one in found) / max(1, len(said))


def brier(said: Vector, right: Vector) -> float:
    """Return the mean squared distance between what was said and what was so (Brier, 1950); 0 of nothing."""
    return float(((said - right) ** 2).mean()) if len(said) else 0.0


def auroc(said: Vector, right: Vector) -> float:
    """Return the chance that a right answer is surer than a wrong one, ties half; .5 where there is no pair."""
    wrong = np.sort(said[right == 0])
    good = said[right == 1]
    if not len(wrong) or not len(good):
        return 0.5
    below = np.searchsorted(wrong, good, "left") + np.searchsorted(wrong, good, "right")
    return float(below.mean() / 2 / len(wrong))


def risk_coverage(said: Vector, right: Vector) -> list[tuple[float, float]]:
    """Return (share answered, share of these that is wrong) as the threshold falls; one point per distinct value."""
    order = np.argsort(-said, kind="stable")
    sure, wrong = said[order], np.cumsum(1 - right[order])
    ends = np.flatnonzero(np.append(sure[1:] != sure[:-1], True)) if len(said) else np.zeros(0, np.int64)
    return [(float((end + 1) / len(said)), float(wrong[end] / (end + 1))) for end in ends]


def bootstrap(
    measure: Callable[[NDArray[np.int64]], float],
    clusters: Sequence[Hashable],
    draws: Sequence[NDArray[np.int64]],
    share: float = 0.9,
) -> tuple[float, float]:
    """Return the interval that holds the middle `share` of a measure when whole clusters are drawn anew.

    `measure` gets the places of the labels of one draw; each draw holds numbers of clusters, in order of appearance
    (Cameron, Gelbach and Miller, 2008: resample clusters, not labels).
    """
    places = cluster_places(clusters)
    members = [np.flatnonzero(places == number) for number in range(int(places.max(initial=-1)) + 1)]
    if not members:
        return 0.0, 0.0
    values = [measure(np.concatenate([members[number] for number in draw])) for draw in draws]
    edge = (1 - share) / 2
    low, high = np.quantile(values, [edge, 1 - edge])
    return float(low), float(high)
