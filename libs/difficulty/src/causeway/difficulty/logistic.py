"""Logistic regression with a ridge penalty, by Newton's method. Targets may be any number from 0 to 1."""

import numpy as np
from numpy.typing import NDArray

from causeway.difficulty.errors import FitError

Vectors = NDArray[np.float64]

STEPS_MAX = 50
_SETTLED = 1e-8
# Keeps Newton's matrix whole where every probability has gone to 0 or 1.
_CURVATURE_MIN = 1e-6
_LOGIT_MAX = 30.0


def fit_logistic(inputs: Vectors, targets: Vectors, penalty: float) -> tuple[float, Vectors]:
    """The intercept and the weights [features] that maximise likelihood less penalty / 2 times the squared weights.

    The intercept is free of the penalty. One question more is reckoned with, half right and half wrong: a model that
    was right every time is then said to be right nearly always.

    Raises:
        FitError: the shapes do not agree, nothing is given, the penalty is not above 0, or the steps did not settle.
    """
    if penalty <= 0:
        raise FitError(f"a penalty must be above 0, not {penalty}")
    if not len(inputs) or len(inputs) != len(targets):
        raise FitError(f"{len(inputs)} questions with {len(targets)} results can not be fitted")
    smoothed = (targets * len(targets) + 0.5) / (len(targets) + 1)
    design = np.hstack([np.ones((len(inputs), 1)), inputs])
    ridge = np.full(design.shape[1], penalty)
    ridge[0] = 0.0
    beta = np.zeros(design.shape[1])
    for _ in range(STEPS_MAX):
        expected = sigmoid(design @ beta)
        curvature = np.maximum(expected * (1 - expected), _CURVATURE_MIN)
        slope = design.T @ (smoothed - expected) - ridge * beta
        step = np.linalg.solve((design.T * curvature) @ design + np.diag(ridge), slope)
        beta = np.clip(beta + step, -_LOGIT_MAX, _LOGIT_MAX)
        if np.abs(step).max() < _SETTLED:
            return float(beta[0]), beta[1:]
    if np.abs(step).max() > np.sqrt(_SETTLED):
        raise FitError(f"no fit after {STEPS_MAX} steps; the last moved a weight by {np.abs(step).max():.2g}")
    return float(beta[0]), beta[1:]


def sigmoid(logits: Vectors) -> Vectors:
    """Logits to probabilities."""
    result: Vectors = 1.0 / (1.0 + np.exp(-np.clip(logits, -_LOGIT_MAX, _LOGIT_MAX)))
    return result
