"""The answer that is given, by route: what of the local one, the cloud's or a cached one goes into it. Pure."""

import re
from collections.abc import Iterable, Mapping

import msgspec

from causeway.edge_inference.routing import Decision
from causeway.edge_inference.scheduling_ports import CacheLook, Judgement
from causeway.language import detect, sentences, terms
from causeway.proto.answers import Answer, Author, Citation, Route
from causeway.proto.cloud import CloudAnswer
from causeway.proto.documents import Residency
from causeway.proto.feedback import CitedChunk
from causeway.proto.reasons import reason_text
from causeway.proto.subjects import HUB

_MARK = re.compile(r"\[\d{1,2}\]")


def name_of(answer_id: str, look: CacheLook) -> str:
    """The id of an answer; of one that comes from the cache with that of the kept answer before it, and a dot."""
    return f"{look.answer.answer_id}.{answer_id}" if look.answer is not None else answer_id


def judged(local: Answer, judgement: Judgement, answer_id: str) -> Answer:
    """The local answer under its name, with the confidence that the kb's calibration gives it.

    A promise is made only of answers at or above the threshold that it was measured at.
    """
    return msgspec.structs.replace(
        local,
        answer_id=answer_id,
        confidence=round(judgement.probability, 4),
        calibrated=judgement.calibrated,
        promise=judgement.promise if judgement.confident and not local.abstained else 0.0,
    )


def given_locally(local: Answer, decision: Decision, latency_ms: Mapping[str, float]) -> Answer:
    """The local answer as the reply. As a fallback its reason says what became of the cloud."""
    reason = local.reason
    if decision.route is Route.FALLBACK:
        reason = "; ".join(part for part in (reason, reason_text(decision.reason, local.language)) if part)
    return msgspec.structs.replace(
        local, route=decision.route, decision=decision.reason.value, reason=reason, latency_ms=dict(latency_ms)
    )


def with_cost(answer: Answer, cloud: CloudAnswer | None) -> Answer:
    """The same, with what the cloud cost though its answer is not the one that is given."""
    if cloud is None:
        return answer
    return msgspec.structs.replace(
        answer,
        prompt_tokens=cloud.prompt_tokens,
        completion_tokens=cloud.completion_tokens,
        cost_usd=cloud.cost_usd,
        watt_hours=cloud.watt_hours,
    )


def given_from_cache(local: Answer, look: CacheLook, decision: Decision, latency_ms: Mapping[str, float]) -> Answer:
    """An earlier answer under this question's name. It holds at the epoch of now, or it would not be in the cache; what
    it cites of other sites holds as far as the hub has said, and at least at `hub_seq`."""
    cached = look.answer
    assert cached is not None
    return msgspec.structs.replace(
        cached,
        answer_id=name_of(local.answer_id.rpartition(".")[2], look),
        route=Route.CACHE,
        decision=decision.reason.value,
        features=cached.features | {"cache_similarity": round(look.similarity, 4)},
        epoch=local.epoch,
        latency_ms=dict(latency_ms),
        prompt_tokens=0,
        completion_tokens=0,
        cost_usd=0.0,
        watt_hours=None,
    )


def given_by_cloud(
    local: Answer, cloud: CloudAnswer, site: str, decision: Decision, latency_ms: Mapping[str, float]
) -> Answer:
    """The cloud's answer. Its confidence is its support (see `support`): a measure, and not a calibrated probability.

    The epoch is this site's: the hub's own counts other logs under the same names, so of it only its own log is kept.
    """
    citations = [_as_seen_from(site, citation) for citation in cloud.citations]
    return msgspec.structs.replace(
        local,
        text=cloud.text,
        sentences=[],
        written_by=Author.MODEL,
        model=cloud.adapter or cloud.model,
        route=Route.CLOUD,
        decision=decision.reason.value,
        abstained=False,
        reason=cloud.reason,
        language=cloud.language,
        confidence=round(support(cloud), 4),
        calibrated=False,
        promise=0.0,
        citations=citations,
        latency_ms=dict(latency_ms),
        cost_usd=cloud.cost_usd,
        # The hub holds nothing that is not public.
        residency=Residency.PUBLIC,
        prompt_tokens=cloud.prompt_tokens,
        completion_tokens=cloud.completion_tokens,
        watt_hours=cloud.watt_hours,
        hub_seq=cloud.epoch.get(HUB, 0),
    )


def support(cloud: CloudAnswer) -> float:
    """The share of the text's terms that stand in what it cites.

    Where text and passages are of different languages that can not be told: then, of its sentences, the share that
    carries a mark of a citation.
    """
    if not cloud.citations:
        return 0.0
    evidence = "\n".join(citation.quote for citation in cloud.citations)
    text = _MARK.sub(" ", cloud.text)
    if detect(text) != detect(evidence):
        return _marked(cloud.text)
    own = set(terms(text))
    return len(own & set(terms(evidence))) / len(own) if own else 0.0


def cited_chunks(citations: Iterable[Citation]) -> list[CitedChunk]:
    """What an answer rests on, each chunk once."""
    cited = {
        (one.origin, one.document_id, one.chunk_id): CitedChunk(
            origin=one.origin, document_id=one.document_id, revision=one.revision, chunk_id=one.chunk_id
        )
        for one in citations
    }
    return list(cited.values())


def _marked(text: str) -> float:
    all_of_it = [one for span in sentences(text) if terms(_MARK.sub(" ", one := span.of(text)))]
    return sum(bool(_MARK.search(one)) for one in all_of_it) / len(all_of_it) if all_of_it else 0.0


def _as_seen_from(site: str, citation: Citation) -> Citation:
    """The hub's own documents are of `hub` here, and this site's are its own."""
    origin = "" if citation.origin == site else citation.origin or HUB
    return msgspec.structs.replace(citation, origin=origin)
