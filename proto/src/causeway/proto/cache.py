"""Answers that may be given again, shared by the replicas of a site."""

from typing import ClassVar

from causeway.proto.answers import Answer
from causeway.proto.codec import Message
from causeway.proto.documents import Kb, Residency
from causeway.proto.feedback import CitedChunk


class AnswerCached(Message, frozen=True, kw_only=True):
    """An answer with the question that it answers. `vector_f16`: of the question, in the space of `model`."""

    type_name: ClassVar[str] = "io.causeway.answer_cached.v1"

    kb: Kb
    key: bytes
    question: str
    language: str
    tenant: str = ""
    residency: Residency
    model: str
    vector_f16: bytes
    answer: Answer
    cited: list[CitedChunk]
    epoch: dict[str, int]
    at_unix_ms: int
    expires_unix_ms: int


class AnswerUncached(Message, frozen=True, kw_only=True):
    """It is not to be given again."""

    type_name: ClassVar[str] = "io.causeway.answer_uncached.v1"

    kb: Kb
    key: bytes
    reason: str
