"""The fitted numbers that ship with the package, and the form they are stored in."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec
import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float64]
Vector = NDArray[np.float32]


class FusionFile(msgspec.Struct, frozen=True, kw_only=True):
    """`fusion.json`: weights by group for both stages, centre vectors by language, and where they were fitted."""

    provenance: dict[str, str]
    features: list[str]
    rank: dict[str, list[float]]
    rerank: dict[str, list[float]]
    question_centres: dict[str, list[float]]
    passage_centres: dict[str, list[float]]


class LogisticFile(msgspec.Struct, frozen=True, kw_only=True):
    """A logistic model: probability = 1 / (1 + exp(-(bias + weights . features)))."""

    features: list[str]
    weights: list[float]
    bias: float


class ReadingFile(msgspec.Struct, frozen=True, kw_only=True):
    """`reading.json`: how much each feature of a line tells that the line answers."""

    provenance: dict[str, str]
    features: list[str]
    weights: dict[str, list[float]]


class AnswerabilityFile(msgspec.Struct, frozen=True, kw_only=True):
    """`answerability.json`: by group of languages a logistic model and the probability below which to abstain."""

    provenance: dict[str, str]
    thresholds: dict[str, float]
    models: dict[str, LogisticFile]


@dataclass(frozen=True)
class Centres:
    """The mean question and the mean passage of each language in one embedding space; none where `dims` is 0."""

    questions: dict[str, Vector]
    passages: dict[str, Vector]

    @property
    def dims(self) -> int:
        """Length of the vectors that these centres belong to."""
        return len(next(iter(self.questions.values()), ()))

    def question(self, language: str) -> Vector:
        """Return the centre of questions in `language`; that of English stands in for unknown languages."""
        return self.questions.get(language, self.questions["en"])

    def passage(self, language: str) -> Vector:
        """Return the centre of passages in `language`; that of English stands in for unknown languages."""
        return self.passages.get(language, self.passages["en"])


@dataclass(frozen=True)
class FusionModel:
    """Weights by group: for the order of all candidates, and for the second look at the few that contend."""

    weights: dict[str, Row]
    second: dict[str, Row]
    centres: Centres


def fusion_model(file: FusionFile) -> FusionModel:
    """Turn the stored form into arrays."""
    return FusionModel(
        weights={name: np.array(row, np.float64) for name, row in file.rank.items()},
        second={name: np.array(row, np.float64) for name, row in file.rerank.items()},
        centres=Centres(
            questions={name: np.array(row, np.float32) for name, row in file.question_centres.items()},
            passages={name: np.array(row, np.float32) for name, row in file.passage_centres.items()},
        ),
    )


def _read(name: str) -> bytes:
    return files("causeway.retrieval").joinpath(name).read_bytes()


@cache
def shipped_fusion() -> FusionModel:
    """Return the fusion model of this package."""
    return fusion_model(msgspec.json.decode(_read("fusion.json"), type=FusionFile))


@cache
def shipped_reading() -> ReadingFile:
    """Return the reading model of this package."""
    return msgspec.json.decode(_read("reading.json"), type=ReadingFile)


@cache
def shipped_answerability() -> AnswerabilityFile:
    """Return the answerability model of this package."""
    return msgspec.json.decode(_read("answerability.json"), type=AnswerabilityFile)
