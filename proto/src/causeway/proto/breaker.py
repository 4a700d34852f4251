"""The state of a breaker, shared by the replicas of a site."""

import enum
from typing import ClassVar

from causeway.proto.codec import Message


class BreakerState(enum.StrEnum):
    """`half_open`: one call is let through to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerTurned(Message, frozen=True, kw_only=True):
    """A transition. Of `half_open`, `replica` is the one that makes the call; its claim ends at `until_unix_ms`.

    Of `open`, `until_unix_ms` is when somebody may try. Rates are shares from 0 to 1 over the window that decided.
    """

    type_name: ClassVar[str] = "io.causeway.breaker_turned.v1"

    target: str
    state: BreakerState
    reason: str
    failure_rate: float
    slow_rate: float
    calls: int
    turns: int
    replica: str
    until_unix_ms: int
    at_unix_ms: int
