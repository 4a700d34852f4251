"""Why an ask is not answered, as the typed reply that the site gets: what is so, and what to do about it."""

from causeway.bus import ProblemReply
from causeway.proto.answers import Problem
from causeway.proto.cloud import Refusal

_MENDS = {
    Refusal.DEADLINE: "allow more time, or answer locally",
    Refusal.BUSY: "ask again shortly, or answer locally",
    Refusal.ENGINE: "answer locally; the hub's operator sees why in cloud-inference's log and status",
    Refusal.PAUSED: "answer locally until the hub's operator takes the pause back",
    Refusal.UNKNOWN_KB: "share documents of this knowledge base with the hub first",
}
CANCELLED = "cancelled"
SHELF_AWAY = "shelf_away"
SHELF_REBUILDING = "shelf_rebuilding"


class Refused(ProblemReply):
    """The hub does not answer this ask; `refusal` is the code."""

    def __init__(self, refusal: Refusal, reason: str) -> None:
        retryable = refusal is not Refusal.UNKNOWN_KB
        super().__init__(Problem(code=refusal, message=reason, mend=_MENDS[refusal], retryable=retryable))
        self.refusal = refusal


class Cancelled(ProblemReply):
    """The asker took the ask back."""

    def __init__(self) -> None:
        super().__init__(Problem(code=CANCELLED, message="the asker took the question back"))


def shelf_away(reason: str, *, retryable: bool = True) -> Problem:
    """Whether citations stand can not be told here."""
    mend = "ask again later; the hub's operator sees why in cloud-inference's log and settings"
    return Problem(code=SHELF_AWAY, message=f"the shelf can not be read: {reason}", mend=mend, retryable=retryable)


def shelf_rebuilding() -> Problem:
    """Whether citations stand can not be told yet."""
    return Problem(
        code=SHELF_REBUILDING,
        message="the shelf is being emptied to be filled again",
        mend="ask again when sync-delta has filled it",
        retryable=True,
    )
