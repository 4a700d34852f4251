"""What an operator asks of a place about its embedding space, and how a change of it stands."""

import enum
from typing import ClassVar

from causeway.proto.codec import Message


class SpaceAction(enum.StrEnum):
    """What to do about the embedding space."""

    STATUS = "status"
    START = "start"
    SWITCH = "switch"
    ABORT = "abort"


class SpacePhase(enum.StrEnum):
    """Where a change of the embedding model stands. Until `moving`, answers come from the old space alone."""

    STEADY = "steady"
    EMBEDDING = "embedding"
    SWITCHING = "switching"
    MOVING = "moving"


class SpaceAsked(Message, frozen=True, kw_only=True):
    """`model` and `precision` are those to change to, and only for `start`."""

    type_name: ClassVar[str] = "io.causeway.space_asked.v1"

    action: SpaceAction
    model: str = ""
    precision: str = ""


class SpaceStatus(Message, frozen=True, kw_only=True):
    """The model in force, the one to come if any, and how far its vectors are. `eta_s` is -1 while it is not known."""

    type_name: ClassVar[str] = "io.causeway.space_status.v1"

    phase: SpacePhase
    model: str
    precision: str
    next_model: str = ""
    next_precision: str = ""
    chunks_total: int = 0
    chunks_done: int = 0
    documents_total: int = 0
    documents_done: int = 0
    lag: int = 0
    eta_s: float = -1.0
    reason: str = ""
