"""FastStream pitfalls of request-reply: silence instead of errors, and generators that nobody hears."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from faststream.nats import NatsBroker

from causeway.bus import Caller, Endpoint, ProblemReply
from causeway.proto.answers import Answer, AnswerPart, Ask, Author, PartKind, Problem, Route
from tests.support.buses import declared_bus, started
from tests.support.nats_server import NatsServer

PAIR = pytest.mark.parametrize("remedy", [True, False], ids=["remedy", "plain"])
SUBJECT = "site.site1.ask.kb"
ASK = Ask(kb="kb", question="why?", stream=True)


def answer(text: str = "because") -> Answer:
    """An answer with no citations."""
    return Answer(
        kb="kb",
        text=text,
        sentences=[text],
        written_by=Author.EXTRACT,
        route=Route.EDGE,
        abstained=False,
        language="en",
        confidence=0.5,
        citations=[],
        epoch={},
        latency_ms={},
    )


async def _fails(caller: Caller, ask: Ask) -> Answer:
    raise KeyError("secret detail")


async def _refuses(caller: Caller, ask: Ask) -> Answer:
    raise ProblemReply(Problem(code="unknown_kb", message="没有这个知识库 kb", mend="publish to it"))


async def _parts(caller: Caller, ask: Ask) -> AsyncIterator[AnswerPart]:
    for index in range(3):
        yield AnswerPart(kind=PartKind.TOKEN, index=index, text=str(index))
    yield AnswerPart(kind=PartKind.FINAL, index=3, answer=answer())


def _endpoint(handler: Any, **more: Any) -> list[Endpoint]:
    return [Endpoint(name="ask", subject="site.site1.ask.*", handler=handler, request_type=Ask, **more)]


@PAIR
async def test_a_failing_handler_is_an_error_reply_and_not_silence(nats_server: NatsServer, remedy: bool) -> None:
    async with declared_bus(nats_server) as bus:
        if remedy:
            serving = bus.serve("edge", "1.0.0", "test", _endpoint(_fails))
            await asyncio.wait_for(serving.ready.wait(), 10)
            with pytest.raises(ProblemReply, match="internal") as raised:
                await bus.request(SUBJECT, ASK, Answer, 10)
            assert "secret" not in str(raised.value)
        else:
            plain = NatsBroker(nats_server.url)

            async def fail(body: bytes) -> None:
                raise KeyError("secret detail")

            plain.subscriber(SUBJECT)(fail)
            async with started(plain):
                with pytest.raises(TimeoutError):
                    await plain.request(b"", SUBJECT, timeout=1.5)


@PAIR
async def test_a_request_that_can_not_be_decoded_is_an_error_reply_and_not_silence(
    nats_server: NatsServer, remedy: bool
) -> None:
    async with declared_bus(nats_server) as bus:
        if remedy:
            serving = bus.serve("edge", "1.0.0", "test", _endpoint(_fails))
            await asyncio.wait_for(serving.ready.wait(), 10)
            reply = await bus.client.request(SUBJECT, b"\xc1", timeout=10)
            assert reply.headers is not None
            assert reply.headers["Nats-Service-Error-Code"] == "400"
        else:
            plain = NatsBroker(nats_server.url, apply_types=True)

            async def number(body: int) -> int:
                return body

            plain.subscriber(SUBJECT)(number)
            async with started(plain):
                with pytest.raises(TimeoutError):
                    await plain.request("no number", SUBJECT, timeout=1.5)


@PAIR
async def test_a_handler_that_yields_reaches_its_caller_part_by_part(nats_server: NatsServer, remedy: bool) -> None:
    async with declared_bus(nats_server) as bus:
        if remedy:
            is_last = {"is_last": lambda part: part.kind is PartKind.FINAL}
            serving = bus.serve("edge", "1.0.0", "test", _endpoint(_parts, **is_last))
            await asyncio.wait_for(serving.ready.wait(), 10)
            parts = [part async for part in bus.request_stream(SUBJECT, ASK, AnswerPart, wait_s=10)]
            assert [part.index for part in parts] == [0, 1, 2, 3]
            assert parts[-1].answer is not None
        else:
            plain = NatsBroker(nats_server.url)

            async def generate(body: bytes) -> AsyncIterator[str]:
                yield "part"

            plain.subscriber(SUBJECT)(generate)
            async with started(plain):
                with pytest.raises(TimeoutError):
                    await plain.request(b"", SUBJECT, timeout=1.5)


async def test_a_refusal_reaches_the_caller_with_its_mend_in_any_language(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus:
        serving = bus.serve("edge", "1.0.0", "test", _endpoint(_refuses))
        await asyncio.wait_for(serving.ready.wait(), 10)
        with pytest.raises(ProblemReply) as raised:
            await bus.request(SUBJECT, ASK, Answer, 10)
        assert raised.value.problem.code == "unknown_kb"
        assert "没有这个知识库" in str(raised.value)
        assert "publish to it" in str(raised.value)
