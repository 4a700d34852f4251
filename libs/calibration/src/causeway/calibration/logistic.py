"""Logistic regression drawn towards a prior: the maximum a posteriori fit, by Newton's method. Exact and repeatable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
_STEPS_MAX = 50
_CLOSE = 1e-8
# Keeps a fit finite where one class is missing; next to any real prior it is nothing.
_BIAS_STRENGTH_MIN = 1e-3


@dataclass(frozen=True, slots=True)
class Scale:
    """What makes features comparable: (value - mean) / spread, one of each per feature."""

    mean: Matrix
    spread: Matrix

    def of(self, rows: Matrix) -> Matrix:
        """Return the rows scaled, with a column of ones for the bias."""
        return np.hstack([(rows - self.mean) / self.spread, np.ones((len(rows), 1))])


def scale_of(rows: Matrix) -> Scale:
    """Return mean and spread of each column; a column that never changes has a spread of 1."""
    spread = rows.std(axis=0)
    return Scale(rows.mean(axis=0), np.where(spread > _CLOSE, spread, 1.0))


def fit(
    scaled: Matrix,
    labels: Matrix,
    *,
    towards: Matrix,
    strength: float,
    bias_strength: float,
    shares: Matrix | None = None,
) -> Matrix:
    """Return the weights (the bias last) that maximise the likelihood less the squared distance to `towards`.

    `scaled` is what `Scale.of` returns, `labels` 0 or 1, `strength` the precision of the prior of each weight: so many
    labelled rows of a standard feature weigh as much. `shares` weighs the rows.
    """
    pull = np.full(scaled.shape[1], strength)
    pull[-1] = max(bias_strength, _BIAS_STRENGTH_MIN)
    weigh = np.ones(len(labels)) if shares is None else shares
    found = towards.astype(np.float64).copy()
    for _ in range(_STEPS_MAX):
        chance = chances(scaled, found)
        slope = scaled.T @ (weigh * (chance - labels)) + pull * (found - towards)
        bend = (scaled * (weigh * chance * (1 - chance))[:, None]).T @ scaled + np.diag(pull)
        step = np.linalg.solve(bend, slope)
        # A full Newton step may overshoot far from the optimum; no logit needs to move by more than a few at once.
        step *= min(1.0, 4.0 / max(1e-12, float(np.abs(scaled @ step).max(initial=0.0))))
        found = found - step
        if float(np.abs(step).max()) < _CLOSE:
            break
    return found


def chances(scaled: Matrix, weights: Matrix) -> Matrix:
    """Return the probability of each scaled row."""
    return 1.0 / (1.0 + np.exp(-np.clip(scaled @ weights, -30.0, 30.0)))


def rows_of(features: Sequence[Mapping[str, float]], names: Sequence[str]) -> Matrix:
    """Return one row per answer.

    Raises:
        KeyError: an answer lacks a feature.
    """
    return np.array([[one[name] for name in names] for one in features], np.float64).reshape(len(features), len(names))
