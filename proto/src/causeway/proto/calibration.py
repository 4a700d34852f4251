"""What makes a confidence a probability, per kb, and the alarm that it is one no more."""

from typing import ClassVar

from causeway.proto.codec import Message
from causeway.proto.documents import Kb


class CalibrationFitted(Message, frozen=True, kw_only=True):
    """The calibration of a kb from now on; `body` is the file that `causeway calibrate` wrote, JSON."""

    type_name: ClassVar[str] = "io.causeway.calibration_fitted.v1"

    kb: Kb
    version: str
    body: bytes
    at_unix_ms: int


class CalibrationDrifted(Message, frozen=True, kw_only=True):
    """Live agreement has left the promise (`resolved`: is back at it). `threshold` is the one that holds now.

    `judged` counts the verdicts of this version so far, up to entry `feedback_seq` of FEEDBACK, which was stored at
    `at_unix_ms`: whoever starts goes on from there."""

    type_name: ClassVar[str] = "io.causeway.calibration_drifted.v1"

    kb: Kb
    language: str
    version: str
    resolved: bool
    promised: float
    observed: float
    judged: int
    threshold: float
    at_unix_ms: int
    feedback_seq: int = 0
