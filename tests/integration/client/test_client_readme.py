"""The examples of the client's README run as they stand."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from causeway.bus import Ack, Bus, BusSettings, Caller, Delivery, Endpoint, Outcome, Position
from causeway.bus.streams import declare
from causeway.proto import subjects
from causeway.proto.answers import (
    Answer,
    AnswerPart,
    Ask,
    Author,
    Citation,
    PartKind,
    Route,
    Search,
    SearchResult,
)
from causeway.proto.documents import DocumentStatus, State
from causeway.proto.feedback import AnswerInvalidated, Change
from tests.support.nats_server import NatsServer

README = Path(__file__).parents[3] / "libs/client/README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
SITE = "branch-7"


def _citation() -> Citation:
    return Citation(
        document_id="leave.md",
        revision=1,
        title="Leave",
        page=0,
        heading="Leave",
        chunk_id=b"0",
        quote="Everyone has 25 days of leave.",
        score=0.9,
    )


def _answer(kb: str) -> Answer:
    return Answer(
        kb=kb,
        text="25 days",
        sentences=["25 days"],
        written_by=Author.EXTRACT,
        route=Route.EDGE,
        abstained=False,
        language="en",
        confidence=0.9,
        citations=[_citation()],
        epoch={SITE: 1},
        latency_ms={},
        answer_id="answer-1",
    )


async def _parts(ask: Ask) -> AsyncIterator[AnswerPart]:
    yield AnswerPart(kind=PartKind.INSTANT, index=0, answer=_answer(ask.kb))
    yield AnswerPart(kind=PartKind.TOKEN, index=1, text="25")
    yield AnswerPart(kind=PartKind.FINAL, index=2, answer=_answer(ask.kb))


async def _ask(caller: Caller, ask: Ask) -> Answer | AsyncIterator[AnswerPart]:
    return _parts(ask) if ask.stream else _answer(ask.kb)


async def _search(caller: Caller, search: Search) -> SearchResult:
    return SearchResult(kb=search.kb, passages=[_citation()], epoch={}, latency_ms={})


def _stand_in(bus: Bus) -> None:
    """All services of a site in one: every document is searchable at once."""

    async def take(deliveries: list[Delivery]) -> list[Outcome]:
        for delivery in deliveries:
            message: Any = delivery.message
            status = DocumentStatus(
                kb=message.kb,
                document_id=message.document_id,
                revision=delivery.stream_seq,
                state=State.SEARCHABLE,
                service="test",
                at_unix_ms=0,
            )
            subject = subjects.STATUS.at(SITE, message.kb, message.document_id.encode().hex())
            await bus.publish(subject, status, msg_id=str(delivery.stream_seq))
        return [Ack() for _ in deliveries]

    async def doubt(deliveries: list[Delivery]) -> None:
        word = AnswerInvalidated(
            answer_id="answer-1", kb="handbook", change=Change.REVISED, document_id="leave.md", revision=2, at_unix_ms=0
        )
        await bus.publish(subjects.INVALIDATED.at(SITE, word.kb), word, msg_id="answer-1:leave.md:2")

    async def beginning() -> Position:
        return Position()

    # Whatever an asker thinks of an answer, its document changes then.
    bus.follow("FEEDBACK", [subjects.FEEDBACK.at(SITE)], beginning, doubt, message_types=subjects.FEEDBACK.carries)
    bus.consume("DOCUMENTS", subjects.DOCUMENT.at(SITE), take, message_types=subjects.DOCUMENT.carries)


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"example{n}" for n in range(1, len(EXAMPLES) + 1)])
async def test_an_example_of_the_readme_runs(
    example: str, nats_server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Bus(BusSettings(url=nats_server.url, site=SITE, service="test", drain_timeout_s=2)) as bus:
        await declare(bus, fresh=True)
        _stand_in(bus)
        endpoints = [
            Endpoint(name="ask", subject=subjects.ASK.at(SITE), handler=_ask, request_type=Ask),
            Endpoint(name="search", subject=subjects.SEARCH.at(SITE), handler=_search, request_type=Search),
        ]
        await asyncio.wait_for(bus.serve("edge-inference", "1.0.0", "test", endpoints).ready.wait(), 10)
        names: dict[str, Any] = {"__name__": "example"}
        exec(compile(example, str(README), "exec"), names)
        await asyncio.wait_for(names["main"](nats_server.url), 30)
    printed = capsys.readouterr().out
    assert ("revised leave.md 2" if "follow_invalidations" in example else "25 days") in printed


def test_the_readme_has_its_examples() -> None:
    assert len(EXAMPLES) == 5
