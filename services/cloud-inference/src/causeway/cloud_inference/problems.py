"""Why an ask is not answered, as the typed reply that the site gets: what is so, and what to do about it."""

from causeway.bus import ProblemReply
from causeway.proto.answers import Problem
from causeway.proto.cloud import Refusal

_MENDS = {
    Refusal.DEADLINE: "allow more time, or answer locally",
    Refusal.BUSY: "ask again shortly, or answer locally",
    Refusal.ENGINE: "answer locally; the hub's operator sees why in cloud-inference's log and status",
    Refusal.ENGINE_REFUSED: "answer locally until the hub's operator corrects CLOUD_INFERENCE_ENGINE_MODEL",
    Refusal.SHELF_AWAY: "answer locally; the hub's operator sees why in cloud-inference's log and settings",
    Refusal.SHELF_REBUILDING: "answer locally, and ask again when sync-delta has filled the shelf",
    Refusal.PAUSED: "answer locally until the hub's operator takes the pause back",
    Refusal.UNKNOWN_KB: "share documents of this knowledge base with the hub first",
}
_MENDED_BY_AN_OPERATOR = frozenset({Refusal.UNKNOWN_KB, Refusal.ENGINE_REFUSED})
CANCELLED = "cancelled"


class Refused(ProblemReply):
    """The hub does not answer this ask; `refusal` is the code."""

    def __init__(self, refusal: Refusal, reason: str, mend: str = "") -> None:
        """`mend` where more is known of it than the refusal says."""
        retryable = refusal not in _MENDED_BY_AN_OPERATOR
        super().__init__(Problem(code=refusal, message=reason, mend=mend or _MENDS[refusal], retryable=retryable))
        self.refusal = refusal


class Cancelled(ProblemReply):
    """The asker took the ask back."""

    def __init__(self) -> None:
        super().__init__(Problem(code=CANCELLED, message="the asker took the question back"))


def engine_refused(kb: str, model: str, *, adapter: bool, reason: str) -> Refused:
    """The engine is well and does not take this request, most often for its `model`: of other kbs it says nothing."""
    name = f"{kb}={model} in CLOUD_INFERENCE_ADAPTERS" if adapter else f"CLOUD_INFERENCE_ENGINE_MODEL ({model})"
    mend = f"answer locally until the hub's operator corrects {name}, or has the engine serve it"
    return Refused(Refusal.ENGINE_REFUSED, f"the engine refused what was asked of {model!r}: {reason}", mend)


def shelf_away(reason: str, *, retryable: bool = True) -> Problem:
    """Whether citations stand can not be told here."""
    mend = "ask again later; the hub's operator sees why in cloud-inference's log and settings"
    return Problem(
        code=Refusal.SHELF_AWAY, message=f"the shelf can not be read: {reason}", mend=mend, retryable=retryable
    )


def shelf_rebuilding(reason: str) -> Problem:
    """Whether citations stand can not be told yet."""
    mend = "ask again when sync-delta has filled it"
    return Problem(code=Refusal.SHELF_REBUILDING, message=reason, mend=mend, retryable=True)
