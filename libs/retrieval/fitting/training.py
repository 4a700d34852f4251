"""The two fits: which candidate of a list is right (softmax), and how likely something is (logistic)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """One question: a row of features per candidate, the group that weighs each row, and which rows are right."""

    rows: Matrix
    groups: Sequence[str]
    right: NDArray[np.bool_]
    weight: float


def fit_choices(
    choices: Sequence[Choice],
    names: Sequence[str],
    *,
    shared_decay: float = 1e-4,
    group_decay: float = 1e-3,
    steps: int = 400,
) -> dict[str, list[float]]:
    """Maximise the likelihood that a right candidate is chosen; weights are shared plus a deviation per group."""
    kept = [choice for choice in choices if choice.right.any() and not choice.right.all()]
    rows = np.concatenate([choice.rows for choice in kept])
    owner = np.repeat(np.arange(len(kept)), [len(choice.rows) for choice in kept])
    starts = np.searchsorted(owner, np.arange(len(kept)))
    right = np.concatenate([choice.right for choice in kept])
    group = np.array([names.index(name) for choice in kept for name in choice.groups])
    total = sum(choice.weight for choice in choices)
    weight = np.array([choice.weight for choice in kept])[owner] / total
    weights = np.zeros((len(names) + 1, rows.shape[1]))
    adam = _Adam(weights.shape)
    for _ in range(steps):
        logits = (rows * (weights[0] + weights[1:][group])).sum(axis=1)
        logits -= np.maximum.reduceat(logits, starts)[owner]
        grown = np.exp(logits)
        belief = grown / np.add.reduceat(grown, starts)[owner]
        target = grown * right
        target /= np.maximum(np.add.reduceat(target, starts)[owner], 1e-12)
        errors = ((belief - target) * weight)[:, None] * rows
        slope = np.zeros_like(weights)
        for place in range(len(names)):
            slope[place + 1] = errors[group == place].sum(axis=0)
        slope[0] = slope[1:].sum(axis=0) + shared_decay * weights[0]
        slope[1:] += group_decay * weights[1:]
        weights -= adam.step(slope)
    return {name: np.round(weights[0] + weights[place + 1], 4).tolist() for place, name in enumerate(names)}


def fit_logistic(
    rows: Matrix, labels: NDArray[np.bool_], weights: Matrix, *, decay: float = 3e-3, steps: int = 1500
) -> tuple[list[float], float]:
    """Fit a logistic model on standardised features; returns weights and bias for the features as they are."""
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    scaled = np.hstack([(rows - mean) / spread, np.ones((len(rows), 1))])
    share = weights / weights.sum()
    found = np.zeros(scaled.shape[1])
    adam = _Adam(found.shape)
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-scaled @ found))
        slope = scaled.T @ ((chance - labels) * share)
        slope[:-1] += decay * found[:-1]
        found -= adam.step(slope)
    raw = found[:-1] / spread
    return np.round(raw, 5).tolist(), round(float(found[-1] - raw @ mean), 5)


class _Adam:
    """Adam with the usual constants."""

    def __init__(self, shape: tuple[int, ...], rate: float = 0.05) -> None:
        self._first, self._second, self._count, self._rate = np.zeros(shape), np.zeros(shape), 0, rate

    def step(self, slope: Matrix) -> Matrix:
        self._count += 1
        self._first = 0.9 * self._first + 0.1 * slope
        self._second = 0.99 * self._second + 0.01 * slope**2
        first, second = self._first / (1 - 0.9**self._count), self._second / (1 - 0.99**self._count)
        moved: Matrix = self._rate * first / (np.sqrt(second) + 1e-8)
        return moved
