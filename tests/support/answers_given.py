"""Answers as the ledger keeps them, small and deterministic."""

from causeway.bus import Bus
from causeway.proto import subjects
from causeway.proto.answers import Answer, Ask, Author, Citation, Route
from causeway.proto.documents import Residency
from causeway.proto.feedback import AnswerGiven, CitedChunk
from tests.support.knowledge_builders import KB, chunk_id
from tests.support.replica_site import QUESTION, SITE

AT_MS = 4_000_000_000_000


def cited(document_id: str, text: str, revision: int, origin: str = "") -> CitedChunk:
    """A citation of the chunk that holds a text."""
    return CitedChunk(origin=origin, document_id=document_id, revision=revision, chunk_id=chunk_id(text, place=origin))


def given(answer_id: str, *chunks: CitedChunk, since: int = 0, kb: str = KB, **more: object) -> AnswerGiven:
    """An answer that rests on these chunks, given at the sequence `since`."""
    values: dict[str, object] = {
        "answer_id": answer_id,
        "kb": kb,
        "question": QUESTION,
        "language": "en",
        "route": Route.EDGE,
        "text": "Twelve days.",
        "abstained": False,
        "confidence": 0.9,
        "calibrated": True,
        "cited": list(chunks),
        "epoch": {SITE: since},
        "residency": Residency.PUBLIC,
        "at_unix_ms": AT_MS,
    }
    return AnswerGiven(**(values | more))  # type: ignore[arg-type]


async def keep(bus: Bus, *answers: AnswerGiven) -> None:
    """Publish answers as the ledger does."""
    for answer in answers:
        await bus.publish(subjects.ANSWERED.at(SITE, answer.kb), answer, msg_id=answer.answer_id)


def answer_of(answer_id: str = "a1", **more: object) -> Answer:
    """A local answer of public evidence."""
    citation = Citation(
        document_id="leave.md",
        revision=1,
        title="Handbook",
        page=1,
        heading="Leave",
        chunk_id=chunk_id("Every employee has twelve days."),
        quote="Every employee has twelve days.",
        score=0.9,
    )
    values: dict[str, object] = {
        "kb": KB,
        "text": "Every employee has twelve days of annual leave.",
        "sentences": ["Every employee has twelve days of annual leave."],
        "written_by": Author.EXTRACT,
        "route": Route.EDGE,
        "abstained": False,
        "language": "en",
        "confidence": 0.9,
        "calibrated": True,
        "citations": [citation],
        "epoch": {SITE: 3},
        "latency_ms": {"wait": 5.0, "encode": 4.0, "read": 6.0, "total": 15.0},
        "answer_id": answer_id,
        "residency": Residency.PUBLIC,
    }
    return Answer(**(values | more))  # type: ignore[arg-type]


def ask_of(**more: object) -> Ask:
    """A public question."""
    return Ask(**({"kb": KB, "question": QUESTION} | more))  # type: ignore[arg-type]
