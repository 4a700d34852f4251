"""From labelled answers to a calibration: a model per language, and thresholds from labels that it did not see."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causeway.calibration import measures
from causeway.calibration.calibration_file import FORMAT, CalibrationFile, Group, Source, Threshold
from causeway.calibration.errors import TooFewLabelsError
from causeway.calibration.judging import FEATURES, GROUPS, PriorFile, PriorGroup, abstained, group_of, shipped_prior
from causeway.calibration.logistic import Matrix, chances, fit, rows_of
from causeway.calibration.thresholds import PROMISES, Kept, threshold_for

# Below this the bound could keep no promise anyway: 60 labels, all right, are 96% at delta .1.
LABELS_MIN = 60
PASSAGES_MIN = 20
FOLDS = 10
# How many labels the prior weighs, per standard feature and for the bias: a knowledge base differs most in how often
# its answers are right, least in what tells them apart. Chosen on sets that the prior had not seen.
STRENGTH = 8.0
BIAS_STRENGTH = 0.5


@dataclass(frozen=True, slots=True)
class Labelled:
    """One question that was asked: the features of its answer, whether that was right, and what it is about.

    `cluster` names the passage: questions about one passage are right or wrong together.
    """

    key: str
    language: str
    features: Mapping[str, float]
    right: bool
    cluster: str

    @property
    def answered(self) -> bool:
        """Whether it is no abstention."""
        return not abstained(self.features)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A group of the file, and the probabilities (of models that did not see the labels) that its curves show."""

    group: Group
    said: NDArray[np.float64]
    right: NDArray[np.float64]


def calibrate(
    labels: Sequence[Labelled],
    *,
    kb: str,
    model_id: str,
    kind: str,
    promise: float = 0.85,
    delta: float = 0.1,
    prior: PriorFile | None = None,
) -> tuple[CalibrationFile, dict[str, Fitted]]:
    """Return the calibration of a knowledge base, and what its diagrams show.

    Raises:
        TooFewLabelsError: no language has enough labels.
    """
    used = prior or shipped_prior()
    promises = sorted({*PROMISES, promise})
    fitted = {}
    for name in GROUPS:
        own = sorted((one for one in labels if group_of(one.language) == name), key=lambda one: one.key)
        if enough(own):
            fitted[name] = fit_group(own, used.groups[name], promises, delta)
    if not fitted:
        given = [one for one in labels if one.answered]
        raise TooFewLabelsError(len(given), len({one.cluster for one in given}), LABELS_MIN, PASSAGES_MIN)
    source = _source(labels, kind)
    file = CalibrationFile(
        format=FORMAT,
        kb=kb,
        version="",
        model_id=model_id,
        features=list(FEATURES),
        promise=promise,
        delta=delta,
        source=source,
        groups={name: one.group for name, one in fitted.items()},
    )
    return file, fitted


def enough(labels: Sequence[Labelled]) -> bool:
    """Say whether a model can be fitted: answers that were given, to several passages, some right and some wrong."""
    given = [one for one in labels if one.answered]
    return (
        len(given) >= LABELS_MIN
        and len({one.cluster for one in given}) >= PASSAGES_MIN
        and len({one.right for one in given}) == 2
    )


def fit_group(labels: Sequence[Labelled], prior: PriorGroup, promises: Sequence[float], delta: float) -> Fitted:
    """Return the model of one language, fitted on all labels, with thresholds from models that saw other passages."""
    said = cross_fitted(labels, prior)
    right = np.array([one.right for one in labels], np.float64)
    given = np.array([one.answered for one in labels])
    clusters = [one.cluster for one in labels if one.answered]
    kept = [threshold_for(promise, said[given], right[given], clusters, delta) for promise in promises]
    weights = _weights([one for one in labels if one.answered], prior)
    group = Group(
        weights=[round(float(one), 6) for one in weights[:-1]],
        bias=round(float(weights[-1]), 6),
        questions=len(labels),
        answered=int(given.sum()),
        right=int(right.sum()),
        passages=len({one.cluster for one in labels}),
        ece=round(measures.ece(said, right), 4),
        brier=round(measures.brier(said, right), 4),
        auroc=round(measures.auroc(said, right), 4),
        thresholds=[_threshold(one, len(labels)) for one in kept],
    )
    return Fitted(group, said, right)


def cross_fitted(labels: Sequence[Labelled], prior: PriorGroup, folds: int = FOLDS) -> NDArray[np.float64]:
    """Return for each label the probability by a model that saw no label of its passage."""
    fold = np.array([fold_of(one.cluster, folds) for one in labels])
    said = np.zeros(len(labels))
    for number in np.unique(fold).tolist():
        weights = _weights([one for one, at in zip(labels, fold, strict=True) if at != number and one.answered], prior)
        places = [place for place in np.flatnonzero(fold == number).tolist() if labels[place].answered]
        said[places] = predict([labels[place].features for place in places], weights)
    return said


def fold_of(cluster: str, folds: int) -> int:
    """Return which part a passage belongs to, by a hash of its name, so that it is the same in every run."""
    return int.from_bytes(hashlib.blake2b(cluster.encode(), digest_size=4).digest(), "big") % folds


def predict(features: Sequence[Mapping[str, float]], weights: Matrix) -> Matrix:
    """Return the probabilities of answers that are no abstentions, by raw weights with the bias last."""
    rows = rows_of(features, FEATURES)
    return chances(np.hstack([rows, np.ones((len(rows), 1))]), weights)


def _weights(given: Sequence[Labelled], prior: PriorGroup) -> Matrix:
    """Return raw weights, the bias last, drawn towards the prior in the prior's own scale."""
    spread, raw = np.array(prior.spread), np.array(prior.weights)
    rows = rows_of([one.features for one in given], FEATURES)
    middle = rows.mean(axis=0) if len(rows) else np.zeros(len(raw))
    scaled = np.hstack([(rows - middle) / spread, np.ones((len(rows), 1))])
    towards = np.append(raw * spread, prior.bias + raw @ middle)
    labels = np.array([one.right for one in given], np.float64)
    found = fit(scaled, labels, towards=towards, strength=STRENGTH, bias_strength=BIAS_STRENGTH)
    weights = found[:-1] / spread
    return np.append(weights, found[-1] - weights @ middle)


def _threshold(kept: Kept, questions: int) -> Threshold:
    return Threshold(
        promise=kept.promise,
        # Rounded up: a threshold that is a little lower than the one tested was not tested.
        threshold=None if kept.threshold is None else min(1.0, float(np.ceil(kept.threshold * 1e4) / 1e4)),
        bound=round(kept.bound, 4),
        precision=round(kept.precision, 4),
        above=kept.above,
        effective=round(kept.effective, 1),
        local_share=round(kept.above / max(1, questions), 4),
    )


def _source(labels: Sequence[Labelled], kind: str) -> Source:
    digest = hashlib.sha256()
    for one in sorted(labels, key=lambda one: one.key):
        values = ",".join(f"{one.features.get(name, 0.0):.4f}" for name in FEATURES)
        digest.update(f"{one.key}\t{one.language}\t{one.cluster}\t{one.right:d}\t{values}\n".encode())
    given = [one for one in labels if one.answered]
    return Source(
        kind=kind,
        sha256=digest.hexdigest(),
        questions=len(labels),
        answered=len(given),
        passages=len({one.cluster for one in labels}),
    )
