"""From the features of an answer to the probability that it is right, by a calibration or by the shipped prior."""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

import msgspec

from causeway.calibration.calibration_file import CalibrationFile, Group, Threshold

# Read by name from `Answer.features`. `answerable` below 0 marks an abstention, which is never right.
FEATURES = (
    "answerable",
    "shown_belief",
    "context_coverage_top",
    "rarest_missing",
    "numbers_missing",
    "length",
    "abroad",
)
ABSTENTION = "answerable"
GROUPS = ("zh", "en")


class PriorGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A model of many knowledge bases, in the scale in which others are drawn towards it."""

    weights: list[float]
    bias: float
    spread: list[float]


class PriorFile(msgspec.Struct, frozen=True, kw_only=True):
    """`prior.json`. `threshold` is what an uncalibrated knowledge base must clear."""

    provenance: dict[str, str]
    features: list[str]
    threshold: float
    groups: dict[str, PriorGroup]


@cache
def shipped_prior() -> PriorFile:
    """Return the prior of this package."""
    body = files("causeway.calibration").joinpath("prior.json").read_bytes()
    return msgspec.json.decode(body, type=PriorFile)


def group_of(language: str) -> str:
    """Return which model judges questions of a language; what is not Chinese is judged as English."""
    return "zh" if language.startswith("zh") else "en"


def abstained(features: Mapping[str, float]) -> bool:
    """Say whether these are the features of an abstention: below the threshold of the answerability model, or none."""
    return features.get(ABSTENTION, -1.0) < 0


def probability(names: Sequence[str], weights: Sequence[float], bias: float, features: Mapping[str, float]) -> float:
    """Return the probability that the answer is right; 0 for an abstention, and nothing is ever certain.

    Raises:
        KeyError: a feature is not there.
    """
    if abstained(features):
        return 0.0
    logit = bias + sum(weight * features[name] for name, weight in zip(names, weights, strict=True))
    return 1.0 / (1.0 + math.exp(-max(-12.0, min(12.0, logit))))


def prior_probability(language: str, features: Mapping[str, float]) -> float:
    """Return what the shipped prior makes of an answer of a knowledge base that nobody has calibrated."""
    prior = shipped_prior()
    group = prior.groups[group_of(language)]
    return probability(prior.features, group.weights, group.bias, features)


def threshold_of(group: Group, promise: float) -> Threshold | None:
    """Return what the group knows of a promise."""
    return next((one for one in group.thresholds if abs(one.promise - promise) < 1e-9), None)


def group_for(file: CalibrationFile, language: str) -> Group | None:
    """Return the group that judges a language, if the file has it."""
    return file.groups.get(group_of(language))
