"""The cost and quality of a router: how much of the gap between two models it recovers at each share of strong calls.

PGR, APGR and CPT as RouteLLM defines them (Ong et al., arXiv 2406.18665, section 3): PGR is the gained part of the gap
in quality between the two models; APGR its mean over the share of calls that go to the strong one; CPT(x) the
smallest share at which PGR reaches x. Theirs are read off ten thresholds, these off all of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

CURVE_POINTS = 21
BINS = 10
_TINY = 1e-12


@dataclass(frozen=True, kw_only=True)
class Curve:
    """`calls` [k] from 0 to 1, the share that goes to the strong model, and the mean `quality` [k] at each."""

    calls: Numbers
    quality: Numbers

    @property
    def gap(self) -> float:
        """What the strong model is better by, alone."""
        return float(self.quality[-1] - self.quality[0])

    def apgr(self) -> float | None:
        """The mean of PGR over all shares of calls; .5 is what chance gets. None where the strong one is no better."""
        if self.gap <= _TINY:
            return None
        return float(np.trapezoid(self.quality - self.quality[0], self.calls)) / self.gap

    def cpt(self, recovered: float) -> float | None:
        """The smallest share of strong calls that recovers this part of the gap. None where there is no gap."""
        if self.gap <= _TINY:
            return None
        wanted = self.quality[0] + recovered * self.gap
        at = int(np.argmax(self.quality >= wanted - _TINY))
        if at == 0:
            return 0.0
        rise = self.quality[at] - self.quality[at - 1]
        part = (wanted - self.quality[at - 1]) / rise
        return float(self.calls[at - 1] + part * (self.calls[at] - self.calls[at - 1]))

    def quality_at(self, calls: float) -> float:
        """The quality at a share of strong calls."""
        return float(np.interp(calls, self.calls, self.quality))


def curve_of(scores: Numbers, weak: Numbers, strong: Numbers) -> Curve:
    """The curve of asking the strong model first where the score [n] is highest; equal scores are taken at random."""
    order = np.argsort(-scores, kind="stable")
    gains, ranked = (strong - weak)[order], scores[order]
    quality = weak.mean() + np.concatenate([[0.0], np.cumsum(gains)]) / len(scores)
    # Between two ends of a tie the mean over all its orders is a straight line.
    ends = np.concatenate([[True], ranked[1:] != ranked[:-1], [True]])
    return Curve(calls=(np.arange(len(scores) + 1) / len(scores))[ends], quality=quality[ends])


def oracle(weak: Numbers, strong: Numbers) -> Curve:
    """The curve of a router that knows both results."""
    return curve_of(strong - weak, weak, strong)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """95 % of the resamples lie between. None where the number itself has no value."""

    low: float | None
    high: float | None


def intervals(
    scores: Numbers, weak: Numbers, strong: Numbers, recovered: tuple[float, ...], resamples: int, seed: int
) -> tuple[Interval, list[Interval]]:
    """Of APGR, and of CPT at each part recovered: questions drawn anew with replacement, the router as it is."""
    chance = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        places = chance.integers(0, len(scores), len(scores))
        curve = curve_of(scores[places], weak[places], strong[places])
        drawn.append([curve.apgr(), *(curve.cpt(part) for part in recovered)])
    columns = [[value for value in column if value is not None] for column in zip(*drawn, strict=True)]
    found = [_interval(column) for column in columns]
    return found[0], found[1:]


def _interval(values: list[float]) -> Interval:
    if not values:
        return Interval(low=None, high=None)
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(low=float(low), high=float(high))


def auroc(probabilities: Numbers, right: Numbers) -> float | None:
    """The chance that a question answered right is given more than one answered wrong. None where one kind lacks,
    and where results lie between right and wrong."""
    good, bad = probabilities[right == 1], probabilities[right == 0]
    if len(good) + len(bad) < len(right):
        return None
    if not len(good) or not len(bad):
        return None
    values, places = np.unique(np.concatenate([good, bad]), return_inverse=True)
    counts = np.bincount(places, minlength=len(values))
    ranks = np.cumsum(counts) - (counts - 1) / 2
    mine = ranks[places[: len(good)]].sum() - len(good) * (len(good) + 1) / 2
    return float(mine / (len(good) * len(bad)))


def calibration_error(probabilities: Numbers, right: Numbers) -> float:
    """Expected calibration error over ten bins of equal numbers of questions."""
    order = np.argsort(probabilities, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return float(sum(len(p) * abs(probabilities[p].mean() - right[p].mean()) for p in parts) / len(order))
