"""How far two encoders of the same texts agree: cosines, rankings, and the right passages that each finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from causeway.models.encoder import Vectors

DEPTH = 10


def rank(questions: Vectors, passages: Vectors, depth: int = DEPTH) -> NDArray[np.intp]:
    """The indices of the `depth` nearest passages of each question, nearest first."""
    order: NDArray[np.intp] = np.argsort(-(questions @ passages.T), axis=1, kind="stable")[:, :depth]
    return order


def compare_vectors(reference: Vectors, candidate: Vectors) -> tuple[float, float]:
    """The least and the mean cosine between the rows of two arrays of unit vectors."""
    cosines = np.einsum("ij,ij->i", reference, candidate)
    return float(cosines.min()), float(cosines.mean())


def compare_rankings(reference: NDArray[np.intp], candidate: NDArray[np.intp]) -> tuple[float, float]:
    """The share of the reference's best that the candidate keeps, and the share of equal first places."""
    kept = [
        len(set(left) & set(right)) / len(left)
        for left, right in zip(reference.tolist(), candidate.tolist(), strict=True)
    ]
    return float(np.mean(kept)), float(np.mean(reference[:, 0] == candidate[:, 0]))


def hits(ranking: NDArray[np.intp], answers: Sequence[frozenset[int]], depth: int = DEPTH) -> float:
    """The share of questions with an answering passage among their `depth` best."""
    found = [bool(set(row[:depth]) & right) for row, right in zip(ranking.tolist(), answers, strict=True)]
    return float(np.mean(found))
