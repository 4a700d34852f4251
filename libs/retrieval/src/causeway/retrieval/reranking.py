"""The second look at the candidates that contend: their best lines decide, for a few short texts more to encode."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from causeway.retrieval.fusion import Matrix, Ranked, groups
from causeway.retrieval.lines import Line
from causeway.retrieval.models import FusionModel, shipped_fusion
from causeway.retrieval.question import Question

# How many points of cosine a line that holds the whole question is worth, in `line_both`.
COVERAGE_WORTH = 0.1
FEATURES = ("first_look", "line_dense", "line_both", "line_centred", "bias")

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LineScores:
    """For each line its cosine with the question, and its product with what sets the question apart (`centred`).

    The second compares lines of two languages; the first is of use within one.
    """

    cosines: Scores
    centred: Scores


def measure(
    question: Question, question_vector: Scores, line_vectors: Scores, model: FusionModel | None = None
) -> LineScores:
    """Return the scores of lines by their vectors, one row per line; where there are no lines, none are."""
    if not len(line_vectors):
        return LineScores(np.zeros(0, np.float32), np.zeros(0, np.float32))
    cosines = line_vectors @ question_vector
    centres = (model or shipped_fusion()).centres
    if centres.dims != len(question_vector):
        return LineScores(cosines, cosines)
    return LineScores(cosines, cosines - line_vectors @ centres.question(question.language))


def rerank(
    question: Question,
    ranked: Sequence[Ranked],
    lines: Sequence[Line],
    scores: LineScores,
    model: FusionModel | None = None,
) -> list[Ranked]:
    """Return `ranked` with those that have lines in a new order; the others follow in their old one."""
    read = {line.chunk_id for line in lines}
    looked_at = [one for one in ranked if one.chunk_id in read]
    if len(looked_at) == 0:
        return list(ranked)
    used = model or shipped_fusion()
    rows = features(looked_at, lines, scores)
    weights = np.stack([used.second[name] for name in groups(question, [one.candidate for one in looked_at])])
    fused = (rows * weights).sum(axis=1)
    names = [
        dict(zip(FEATURES, row, strict=True)) | {"line_centred_best": best}
        for row, best in zip(rows.tolist(), _best_centred(looked_at, lines, scores), strict=True)
    ]
    moved = [
        replace(looked_at[at], score=float(fused[at]), features=looked_at[at].features | names[at])
        for at in np.argsort(-fused, kind="stable")
    ]
    return moved + _followers([one for one in ranked if one.chunk_id not in read], moved[-1].score)


def _followers(rest: Sequence[Ranked], ceiling: float) -> list[Ranked]:
    """Shift the scores of the rest below `ceiling`, their distances kept."""
    shift = ceiling - rest[0].score - 1.0 if rest else 0.0
    return [replace(one, score=one.score + shift) for one in rest]


def _best_centred(looked_at: Sequence[Ranked], lines: Sequence[Line], scores: LineScores) -> list[float]:
    best: dict[bytes, float] = {}
    for line, centred in zip(lines, scores.centred.tolist(), strict=True):
        best[line.chunk_id] = max(best.get(line.chunk_id, -1.0), centred)
    return [best[one.chunk_id] for one in looked_at]


def features(looked_at: Sequence[Ranked], lines: Sequence[Line], scores: LineScores) -> Matrix:
    """Return one row of FEATURES for each candidate, from its best lines.

    `line_dense` and `line_both` are gaps to the best candidate of the same language, the others to the best of all.
    """
    of_chunk: dict[bytes, list[tuple[float, float, float]]] = defaultdict(list)
    for line, cosine, centred in zip(lines, scores.cosines.tolist(), scores.centred.tolist(), strict=True):
        of_chunk[line.chunk_id].append((cosine, cosine + COVERAGE_WORTH * line.coverage, centred))
    best = 20.0 * np.array([np.max(of_chunk[one.chunk_id], axis=0) for one in looked_at], np.float64)
    first = np.array([one.score for one in looked_at], np.float64)
    chinese = np.array([one.candidate.passage.language == "zh" for one in looked_at])
    for own in (chinese, ~chinese):
        if own.any():
            best[own, :2] -= best[own, :2].max(axis=0)
    columns = (first - first.max(), best[:, 0], best[:, 1], best[:, 2] - best[:, 2].max(), np.ones(len(looked_at)))
    return np.stack(columns, axis=1)
