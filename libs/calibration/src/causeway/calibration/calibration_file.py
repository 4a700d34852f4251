"""The file of a calibration: what is in it, its bytes, and the door at which a file that does not fit is refused."""

import math
from collections.abc import Mapping

import msgspec

from causeway.calibration.errors import BadFileError, OtherSpaceError

FORMAT = "causeway.calibration/1"


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """What a promise costs. `threshold` is null where nothing keeps the promise; then no answer stays local by it.

    `bound`, `precision`, `above` (labels) and `effective` (independent labels) are of the answers above the threshold;
    `local_share` is their share of all questions, abstentions included.
    """

    promise: float
    threshold: float | None
    bound: float
    precision: float
    above: int
    effective: float
    local_share: float


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The model of one language: probability = 1 / (1 + exp(-(bias + weights . features))), and what it was made from.

    `ece`, `brier` and `auroc` are of probabilities of models that did not see the labels, over all questions.
    """

    weights: list[float]
    bias: float
    questions: int
    answered: int
    right: int
    passages: int
    ece: float
    brier: float
    auroc: float
    thresholds: list[Threshold]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the labels came from: `questions` or `feedback`, and a digest of them."""

    kind: str
    sha256: str
    questions: int
    answered: int
    passages: int


class CalibrationFile(msgspec.Struct, frozen=True, kw_only=True):
    """`calibration.json`. `promise` is the one in force, and `delta` the chance that a threshold breaks it."""

    format: str
    kb: str
    version: str
    model_id: str
    features: list[str]
    promise: float
    delta: float
    source: Source
    groups: dict[str, Group]


def encode_file(file: CalibrationFile) -> bytes:
    """Return the bytes: JSON that a person can read, the same for the same calibration."""
    return msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n"


def decode_file(body: bytes) -> CalibrationFile:
    """Return the calibration in `body`.

    Raises:
        BadFileError: it is none, or its numbers can not be.
    """
    try:
        file = msgspec.json.decode(body, type=CalibrationFile)
    except msgspec.DecodeError as error:
        raise BadFileError(str(error)) from error
    problem = _problem(file)
    if problem:
        raise BadFileError(problem)
    return file


def refuse_other_space(file: CalibrationFile, model_id: str, features: Mapping[str, float] | None = None) -> None:
    """Let a calibration pass that fits the embedding model, and the features where there are any to look at.

    Raises:
        OtherSpaceError: what differs.
    """
    if file.model_id != model_id:
        raise OtherSpaceError("the embedding model", file.model_id, model_id)
    lacking = [name for name in file.features if features is not None and name not in features]
    if lacking:
        raise OtherSpaceError("the features", ", ".join(file.features), f"without {', '.join(lacking)}")


def _problem(file: CalibrationFile) -> str:
    if file.format != FORMAT:
        return f"its format is {file.format!r}, known is {FORMAT!r}"
    if not file.features or len(set(file.features)) != len(file.features):
        return "features must be named, each once"
    if not 0.0 < file.promise < 1.0 or not 0.0 < file.delta < 1.0:
        return "promise and delta must be between 0 and 1"
    if not file.groups:
        return "there is no group in it"
    return next(filter(None, (_group_problem(name, one, file) for name, one in file.groups.items())), "")


def _group_problem(name: str, group: Group, file: CalibrationFile) -> str:
    if len(group.weights) != len(file.features):
        return f"group {name!r} has {len(group.weights)} weights for {len(file.features)} features"
    if not all(map(math.isfinite, (*group.weights, group.bias))):
        return f"group {name!r} has a weight that is no number"
    if not any(abs(one.promise - file.promise) < 1e-9 for one in group.thresholds):
        return f"group {name!r} has no threshold for the promise {file.promise:g} in force"
    if any(not 0.0 <= one.threshold <= 1.0 for one in group.thresholds if one.threshold is not None):
        return f"group {name!r} has a threshold outside of 0 to 1"
    return ""
