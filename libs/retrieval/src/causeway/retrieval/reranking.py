"""The second look at the candidates that contend: their best lines decide, for a few short texts more to encode."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from causeway.retrieval.fusion import Matrix, Ranked, groups
from causeway.retrieval.lines import Line
from causeway.retrieval.models import FusionModel, shipped_fusion
from causeway.retrieval.question import Question

# How many points of cosine a line that holds the whole question is worth, in `line_both`.
COVERAGE_WORTH = 0.1
FEATURES = ("first_look", "line_dense", "line_both")

Scores = NDArray[np.float32]


def rerank(
    question: Question,
    ranked: Sequence[Ranked],
    lines: Sequence[Line],
    cosines: Scores,
    model: FusionModel | None = None,
) -> list[Ranked]:
    """Return `ranked` with those that have lines in a new order; the others follow in their old one.

    `cosines` holds, for each line, its vector's cosine with the question's.
    """
    read = {line.chunk_id for line in lines}
    looked_at = [one for one in ranked if one.chunk_id in read]
    if len(looked_at) == 0:
        return list(ranked)
    used = model or shipped_fusion()
    rows = features(looked_at, lines, cosines)
    weights = np.stack([used.second[name] for name in groups(question, [one.candidate for one in looked_at])])
    scores = (rows * weights).sum(axis=1)
    names = [dict(zip(FEATURES, row, strict=True)) for row in rows.tolist()]
    moved = [
        replace(looked_at[at], score=float(scores[at]), features=looked_at[at].features | names[at])
        for at in np.argsort(-scores, kind="stable")
    ]
    return moved + _followers([one for one in ranked if one.chunk_id not in read], moved[-1].score)


def _followers(rest: Sequence[Ranked], ceiling: float) -> list[Ranked]:
    """Shift the scores of the rest below `ceiling`, their distances kept."""
    shift = ceiling - rest[0].score - 1.0 if rest else 0.0
    return [replace(one, score=one.score + shift) for one in rest]


def features(looked_at: Sequence[Ranked], lines: Sequence[Line], cosines: Scores) -> Matrix:
    """Return one row of FEATURES for each candidate, every column a gap to the best of them."""
    dense: dict[bytes, list[float]] = defaultdict(list)
    both: dict[bytes, list[float]] = defaultdict(list)
    for line, cosine in zip(lines, cosines, strict=True):
        dense[line.chunk_id].append(float(cosine))
        both[line.chunk_id].append(float(cosine) + COVERAGE_WORTH * line.coverage)
    columns = np.array(
        [(one.score, 20 * max(dense[one.chunk_id]), 20 * max(both[one.chunk_id])) for one in looked_at], np.float64
    )
    gaps: Matrix = columns - columns.max(axis=0)
    return gaps
