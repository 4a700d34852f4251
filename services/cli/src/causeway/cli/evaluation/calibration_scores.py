"""From labelled answers to the numbers of `causeway eval calibration`. Pure: draws of passages are passed in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causeway.calibration import measures
from causeway.calibration.calibration_file import Group
from causeway.calibration.fitting import Labelled, calibrate, fold_of, predict
from causeway.calibration.judging import (
    PriorFile,
    group_for,
    group_of,
    prior_probability,
    shipped_prior,
    threshold_of,
)
from causeway.calibration.thresholds import PROMISES

FOLDS = 10
PARTITIONS = 5
"""Ways in which the passages are parted; one alone moves the calibration error of 800 questions by .02 (measured)."""
Numbers = dict[str, Any]
Draws = Sequence[NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One question as a calibration of other passages judges it: its probability, whether it stays local at each
    promise, and whether its answer was right."""

    label: Labelled
    said: float
    local: dict[float, bool]

    @property
    def right(self) -> bool:
        """Whether the answer held the gold answer."""
        return self.label.right


def judge_partitions(labels: Sequence[Labelled], *, promise: float, delta: float, seed: int) -> list[Judged]:
    """Judge each question PARTITIONS times, by calibrations of other passages that were parted anew each time.

    Raises:
        TooFewLabelsError: the other passages of one part are too few to fit from.
    """
    seeds = [f"{seed}/{number}" for number in range(PARTITIONS)]
    return [one for each in seeds for one in judge_folds(labels, promise=promise, delta=delta, seed=each)]


def judge_folds(
    labels: Sequence[Labelled], *, promise: float, delta: float, seed: str, prior: PriorFile | None = None
) -> list[Judged]:
    """Judge each question by a calibration that was fitted, thresholds and all, without any question of its passage.

    Raises:
        TooFewLabelsError: the other passages of one part are too few to fit from.
    """
    part = [fold_of(f"{seed}/{one.cluster}", FOLDS) for one in labels]
    judged: list[Judged] = []
    for number in sorted(set(part)):
        rest = [one for one, at in zip(labels, part, strict=True) if at != number]
        own = [one for one, at in zip(labels, part, strict=True) if at == number]
        file, _ = calibrate(
            rest, kb="eval", model_id="eval", kind="questions", promise=promise, delta=delta, prior=prior
        )
        judged += [_judged(one, group_for(file, one.language), promise, prior or shipped_prior()) for one in own]
    return judged


def _judged(one: Labelled, group: Group | None, promise: float, prior: PriorFile) -> Judged:
    promises = sorted({*PROMISES, promise})
    if group is None:
        # A language with too few labels is judged as an uncalibrated knowledge base is, whatever was promised.
        said = prior_probability(one.language, one.features)
        return Judged(label=one, said=said, local=dict.fromkeys(promises, said >= prior.threshold))
    said = 0.0
    if one.answered:
        said = float(predict([one.features], np.array([*group.weights, group.bias]))[0])
    thresholds = {at: threshold_of(group, at) for at in promises}
    local = {
        at: one.answered and found is not None and found.threshold is not None and said >= found.threshold
        for at, found in thresholds.items()
    }
    return Judged(label=one, said=said, local=local)


def calibration_scores(judged: Sequence[Judged], promise: float, draws: Draws) -> Numbers:
    """Return the numbers over all questions, those `_answered` over the answers that were no abstentions.

    `intervals` hold nine in ten values when passages are drawn anew.
    """
    said, right, local, answered = _arrays(judged, promise)
    clusters = [one.label.cluster for one in judged]
    of: dict[str, Callable[[NDArray[np.int64]], float]] = {
        "ece": lambda at: measures.ece(said[at], right[at]),
        "brier": lambda at: measures.brier(said[at], right[at]),
        "auroc": lambda at: measures.auroc(said[at], right[at]),
        "ece_answered": lambda at: measures.ece(said[at][answered[at]], right[at][answered[at]]),
        "auroc_answered": lambda at: measures.auroc(said[at][answered[at]], right[at][answered[at]]),
        "local_precision": lambda at: _precision(right[at], local[at]),
        "local_share": lambda at: float(local[at].mean()) if len(at) else 0.0,
    }
    every = np.arange(len(judged))
    intervals = {name: list(measures.bootstrap(measure, clusters, draws)) for name, measure in of.items()}
    return {name: measure(every) for name, measure in of.items()} | {"intervals": intervals}


def by_promise(judged: Sequence[Judged]) -> dict[str, dict[str, float]]:
    """Return local precision and local share at each promise."""
    found = {}
    for promise in judged[0].local if judged else ():
        _, right, local, _ = _arrays(judged, promise)
        found[f"{promise:.2f}"] = {
            "local_precision": _precision(right, local),
            "local_share": float(local.mean()) if len(local) else 0.0,
        }
    return found


def by_language(judged: Sequence[Judged], promise: float) -> dict[str, dict[str, float]]:
    """Return the main numbers of each language."""
    found = {}
    for name in sorted({group_of(one.label.language) for one in judged}):
        own = [one for one in judged if group_of(one.label.language) == name]
        said, right, local, _ = _arrays(own, promise)
        found[name] = {
            "questions": len({one.label.key for one in own}),
            "ece": measures.ece(said, right),
            "auroc": measures.auroc(said, right),
            "local_precision": _precision(right, local),
            "local_share": float(local.mean()),
        }
    return found


def uncalibrated(labels: Sequence[Labelled], prior: PriorFile | None = None) -> dict[str, float]:
    """Return what the same questions get before anybody has calibrated: the prior and its careful threshold."""
    used = prior or shipped_prior()
    said = np.array([prior_probability(one.language, one.features) for one in labels])
    right = np.array([one.right for one in labels], np.float64)
    local = said >= used.threshold
    return {
        "ece": measures.ece(said, right),
        "auroc": measures.auroc(said, right),
        "local_precision": _precision(right, local),
        "local_share": float(local.mean()) if len(local) else 0.0,
    }


def draws_of(labels: Sequence[Judged], integers: Callable[[int, int], NDArray[np.int64]], count: int) -> Draws:
    """Return `count` draws of as many passages as there are; `integers(below, size)` draws them."""
    clusters = len({one.label.cluster for one in labels})
    return [integers(clusters, clusters) for _ in range(count)]


def _arrays(
    judged: Sequence[Judged], promise: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    return (
        np.array([one.said for one in judged], np.float64),
        np.array([one.right for one in judged], np.float64),
        np.array([one.local[promise] for one in judged], np.bool_),
        np.array([one.label.answered for one in judged], np.bool_),
    )


def _precision(right: NDArray[np.float64], local: NDArray[np.bool_]) -> float:
    """1 where nothing is local: then nothing local is wrong."""
    return float(right[local].mean()) if local.any() else 1.0
