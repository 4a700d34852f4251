"""The lowest threshold above which answers keep a promised precision, with confidence.

Candidates are shares of the answers, fixed before any label is seen, and tested from strict to lax until the first
that fails: fixed sequence testing with several starts, each with a part of delta (Angelopoulos et al., 2021, Learn then
Test; Bauer, 1991). So the chance that a threshold breaks its promise is at most delta however many were tried.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causeway.calibration.bounds import effective_size, exceeds, lower_bound

Vector = NDArray[np.float64]
PROMISES = (0.80, 0.85, 0.90, 0.95)
SHARES = tuple(number / 200 for number in range(20, 201))
# Where the sequences start and their parts of delta: half of the answers is where most models have room to go down,
# and a tenth saves something where they have none.
STARTS = ((0.5, 0.9), (0.1, 0.1))


@dataclass(frozen=True, slots=True)
class Kept:
    """A threshold that keeps `promise`: `bound` is the lower bound of the precision above it, the rest what was seen.

    `threshold` is None where no threshold keeps it; then nothing else is known. `effective` is in independent labels.
    """

    promise: float
    threshold: float | None = None
    bound: float = 0.0
    precision: float = 0.0
    above: int = 0
    effective: float = 0.0


def threshold_for(promise: float, said: Vector, right: Vector, clusters: Sequence[Hashable], delta: float) -> Kept:
    """Return the lowest threshold found for `promise`; `delta` is the chance that it is too low.

    `said` must come from models that did not see these labels.
    """
    best = Kept(promise)
    for start, part in STARTS:
        found = _sequence(promise, said, right, clusters, start, delta * part)
        if found.threshold is not None and (best.threshold is None or found.threshold < best.threshold):
            best = found
    return best


def _sequence(
    promise: float, said: Vector, right: Vector, clusters: Sequence[Hashable], start: float, delta: float
) -> Kept:
    last: _Above | None = None
    if not len(said):
        return Kept(promise)
    ordered = np.sort(said)[::-1]
    for share in SHARES:
        if share < start:
            continue
        at = float(ordered[max(0, int(np.ceil(share * len(said))) - 1)])
        tried = _above(at, said, right, clusters)
        if not exceeds(promise, tried.precision * tried.effective, tried.effective, delta):
            break
        last = tried
    return last.kept(promise, delta) if last else Kept(promise)


@dataclass(frozen=True, slots=True)
class _Above:
    """What was seen of the answers above a threshold."""

    threshold: float
    precision: float
    above: int
    effective: float

    def kept(self, promise: float, delta: float) -> Kept:
        return Kept(
            promise=promise,
            threshold=self.threshold,
            bound=lower_bound(self.precision * self.effective, self.effective, delta),
            precision=self.precision,
            above=self.above,
            effective=self.effective,
        )


def _above(at: float, said: Vector, right: Vector, clusters: Sequence[Hashable]) -> _Above:
    places = np.flatnonzero(said >= at).tolist()
    labels = right[places]
    effective = effective_size(labels, [clusters[place] for place in places])
    return _Above(at, float(labels.mean()), len(places), effective)
