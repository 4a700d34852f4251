"""Answers that were given, what became of them, and what their askers thought of them."""

import enum
from typing import Annotated, ClassVar

import msgspec

from causeway.proto.answers import Route
from causeway.proto.codec import Message
from causeway.proto.documents import Kb, Residency

CORRECTED_CHARS_MAX = 20_000
"""Characters of a correction: many times the longest answer."""


class CitedChunk(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk that an answer rests on; `origin` empty: of this place."""

    origin: str = ""
    document_id: str
    revision: int
    chunk_id: bytes


class AnswerGiven(Message, frozen=True, kw_only=True):
    """One answer as it was given, kept at the site for as long as it may be followed, judged or audited. `hub_seq` as
    in `Answer`."""

    type_name: ClassVar[str] = "io.causeway.answer_given.v1"

    answer_id: str
    kb: Kb
    question: str
    language: str
    asker: str = ""
    tenant: str = ""
    route: Route
    text: str
    abstained: bool
    confidence: float
    calibrated: bool
    features: dict[str, float] = {}
    cited: list[CitedChunk]
    epoch: dict[str, int]
    residency: Residency
    at_unix_ms: int
    hub_seq: int = 0


class Change(enum.StrEnum):
    """What happened to a cited document."""

    REVISED = "revised"
    DELETED = "deleted"
    REPLACED = "replaced"


class AnswerInvalidated(Message, frozen=True, kw_only=True):
    """A chunk that an answer cited is not in the newest revision any more: the answer may be wrong now."""

    type_name: ClassVar[str] = "io.causeway.answer_invalidated.v1"

    answer_id: str
    kb: Kb
    asker: str = ""
    change: Change
    document_id: str
    origin: str = ""
    revision: int
    at_unix_ms: int


class Verdict(enum.StrEnum):
    """What the asker says of an answer."""

    RIGHT = "right"
    WRONG = "wrong"
    CORRECTED = "corrected"


class Feedback(Message, frozen=True, kw_only=True):
    """The asker's word on an answer. `corrected_text` is what the answer should have been."""

    type_name: ClassVar[str] = "io.causeway.feedback.v1"

    answer_id: str
    kb: Kb
    verdict: Verdict
    corrected_text: Annotated[str, msgspec.Meta(max_length=CORRECTED_CHARS_MAX)] = ""
    asker: str = ""


class AnswerAudited(Message, frozen=True, kw_only=True):
    """A local answer that was asked of the cloud too. `agrees`: nothing shows that the two say different things;
    `undecided`: and nothing that they say the same, so it labels no answer. `calibrated` and `given_unix_ms` are of the
    local answer; 0: not known."""

    type_name: ClassVar[str] = "io.causeway.answer_audited.v1"

    answer_id: str
    kb: Kb
    language: str
    confidence: float
    features: dict[str, float] = {}
    agrees: bool
    cloud_text: str
    cost_usd: float
    at_unix_ms: int
    undecided: bool = False
    calibrated: bool = False
    given_unix_ms: int = 0
