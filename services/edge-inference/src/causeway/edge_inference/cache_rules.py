"""What may be kept in the cache of answers, under which key, and who may be given it. Pure."""

import hashlib
from collections.abc import Sequence

from causeway.edge_inference.routing import strictest
from causeway.proto.answers import Answer, Ask, Route
from causeway.proto.cache import AnswerCached
from causeway.proto.feedback import CitedChunk
from causeway.semantic_cache import read, relative

EXPIRED, OTHER_MODEL, RELATIVE_TIME = "expired", "other_model", "relative_time"


def cache_key(tenant: str, question: str, kb: str) -> bytes:
    """BLAKE2b-128 over tenant, normalised question and kb: the key of an entry in CACHE. Of a question that is answered
    in two languages, the last answer is kept."""
    hasher = hashlib.blake2b(digest_size=16, person=b"answer-cache")
    for field in (tenant, read(question).normal, kb):
        raw = field.encode()
        hasher.update(len(raw).to_bytes(4, "big") + raw)
    return hasher.digest()


def relative_time(question: str) -> bool:
    """Whether a question has another answer tomorrow, as who is on shift today: then none is kept, nor looked for."""
    return relative(read(question))


def unfit(question: str, answer: Answer, cited: Sequence[CitedChunk]) -> str:
    """Why an answer is not kept, or empty. What cites nothing could not be invalidated."""
    if answer.route is not Route.CLOUD:
        return "other_route"
    if answer.abstained:
        return "abstained"
    if relative_time(question):
        return RELATIVE_TIME
    return "" if cited else "cites_nothing"


def outdated(held: AnswerCached, model_id: str, dims: int, now_ms: int) -> str:
    """Why an entry of CACHE is of no use here and now, or empty."""
    if held.model != model_id or len(held.vector_f16) != 2 * dims:
        return OTHER_MODEL
    return EXPIRED if held.expires_unix_ms <= now_ms else ""


def may_be_given(held: AnswerCached, ask: Ask, language: str, now_ms: int) -> bool:
    """In its language, to the same tenant, until it expires, and to asks whose label is at least as strict as that of
    the question that it answered: what was said to a question that may not leave the site is not said to one that may.
    """
    return (
        held.language == language
        and held.tenant == ask.tenant
        and held.expires_unix_ms > now_ms
        and strictest(held.residency, ask.residency) is ask.residency
    )
