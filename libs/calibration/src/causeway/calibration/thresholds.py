"""The lowest threshold above which answers keep a promised precision, with confidence.

Candidates are shares of the answers, fixed before any label is seen, and tested from strict to lax until the first
that fails: fixed sequence testing with several starts, each with a part of delta (Angelopoulos et al., 2021, Learn then
Test; Bauer, 1991). So the chance that a threshold breaks its promise is at most delta however many were tried.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causeway.calibration.bounds import clustered_lower_bound, effective_size

Vector = NDArray[np.float64]
PROMISES = (0.80, 0.85, 0.90, 0.95)
SHARES = tuple(number / 40 for number in range(4, 41))
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
    best = Kept(promise)
    if not len(said):
        return best
    ordered = np.sort(said)[::-1]
    for share in SHARES:
        if share < start:
            continue
        at = float(ordered[max(0, int(np.ceil(share * len(said))) - 1)])
        tried = _tried(promise, at, said, right, clusters, delta)
        if tried.bound < promise:
            break
        best = tried
    return best


def _tried(promise: float, at: float, said: Vector, right: Vector, clusters: Sequence[Hashable], delta: float) -> Kept:
    above = np.flatnonzero(said >= at).tolist()
    names = [clusters[place] for place in above]
    labels = right[above]
    return Kept(
        promise=promise,
        threshold=at,
        bound=clustered_lower_bound(labels, names, delta),
        precision=float(labels.mean()),
        above=len(above),
        effective=effective_size(labels, names),
    )
