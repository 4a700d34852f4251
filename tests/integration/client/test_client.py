"""The client against a real server and stand-ins of the services."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from causeway.bus import Ack, Bus, Caller, Delivery, Endpoint, Outcome
from causeway.cli.ports import free_port
from causeway.client import Client, NotConnected, NotSearchableInTime, ObjectTooLarge, Residency, State
from causeway.proto import subjects
from causeway.proto.answers import (
    Answer,
    AnswerPart,
    Ask,
    Author,
    PartKind,
    Route,
    Search,
    SearchResult,
)
from causeway.proto.documents import Document, DocumentDeleted, DocumentStatus
from causeway.proto.subjects import BadNameError
from tests.support.buses import KB, SITE, declared_bus, settings, until
from tests.support.nats_server import NatsServer


def _client(server: NatsServer) -> Client:
    return Client(settings(server, "client"))


def _answer(text: str) -> Answer:
    return Answer(
        kb=KB,
        text=text,
        sentences=[text],
        written_by=Author.EXTRACT,
        route=Route.EDGE,
        abstained=False,
        language="en",
        confidence=0.9,
        citations=[],
        epoch={SITE: 1},
        latency_ms={},
    )


async def _say(bus: Bus, document_id: str, revision: int, state: State, kb: str = KB) -> None:
    message = DocumentStatus(
        kb=kb, document_id=document_id, revision=revision, state=state, service="test", at_unix_ms=0
    )
    key = document_id.encode().hex()
    await bus.publish(subjects.STATUS.at(SITE, kb, key), message, msg_id=f"{kb}.{key}.{revision}.{state}")


async def _received(bus: Bus, count: int) -> list[Delivery]:
    got: list[Delivery] = []

    async def take(deliveries: list[Delivery]) -> list[Outcome]:
        got.extend(deliveries)
        return [Ack() for _ in deliveries]

    work = bus.consume("DOCUMENTS", subjects.DOCUMENT.at(SITE), take, message_types=subjects.DOCUMENT.carries)
    await until(lambda: len(got) >= count)
    await bus.release(work)
    return got


async def test_a_small_document_travels_inline_with_all_that_is_said_of_it(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    path = tmp_path / "报告.md"
    path.write_text("# Title", encoding="utf-8")
    async with declared_bus(nats_server) as bus, _client(nats_server) as client:
        revision = await client.publish(
            KB, "a/b.md", path, media_type="text/markdown", residency=Residency.PUBLIC, metadata={"team": "x"}
        )
        (delivery,) = await _received(bus, 1)
        assert delivery.stream_seq == revision
        assert delivery.message == Document(
            kb=KB,
            document_id="a/b.md",
            filename="报告.md",
            media_type="text/markdown",
            residency=Residency.PUBLIC,
            metadata={"team": "x"},
            body=b"# Title",
        )


async def test_a_large_document_travels_through_the_object_store(nats_server: NatsServer, tmp_path: Path) -> None:
    body = b"0123456789abcdef" * 150_000
    seen: list[int] = []
    async with declared_bus(nats_server) as bus, _client(nats_server) as client:
        await client.publish(KB, "big", body, progress=seen.append)
        (delivery,) = await _received(bus, 1)
        assert isinstance(delivery.message, Document)
        assert delivery.message.body is None
        assert delivery.message.object is not None
        await bus.get_object(delivery.message.object, tmp_path / "body")
        assert (tmp_path / "body").read_bytes() == body
        assert seen[-1] == len(body)


async def test_a_document_of_the_largest_inline_size_still_fits_into_a_dead_letter(nats_server: NatsServer) -> None:
    from causeway.bus import Dead

    async with declared_bus(nats_server) as bus, _client(nats_server) as client:
        await client.publish(KB, "edge", b"x" * (1024 * 1024 - 64 * 1024 - 100), metadata={"k": "v" * 10})

        async def refuse(deliveries: list[Delivery]) -> list[Outcome]:
            assert isinstance(deliveries[0].message, Document)
            assert deliveries[0].message.body is not None
            return [Dead("no") for _ in deliveries]

        bus.consume("DOCUMENTS", subjects.DOCUMENT.at(SITE), refuse, message_types=subjects.DOCUMENT.carries)
        entry = None
        while entry is None:
            entry = await anext(bus.dead_letters.entries(), None)
        assert len(entry.letter.body) > 900_000


async def test_publishing_the_same_again_after_a_deletion_is_not_swallowed(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus, _client(nats_server) as client:
        revisions = [
            await client.publish(KB, "d", b"text"),
            await client.delete(KB, "d"),
            await client.publish(KB, "d", b"text"),
            await client.delete(KB, "d"),
            await client.publish(KB, "d", b"text"),
        ]
        assert revisions == sorted(set(revisions))
        kinds = [type(delivery.message) for delivery in await _received(bus, 5)]
        assert kinds == [Document, DocumentDeleted, Document, DocumentDeleted, Document]


async def test_what_can_not_be_published_is_refused_before_anything_is_sent(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async with declared_bus(nats_server), _client(nats_server) as client:
        huge = tmp_path / "huge"
        with huge.open("wb") as file:
            file.truncate(256 * 1024 * 1024 + 1)
        with pytest.raises(ObjectTooLarge, match="split"):
            await client.publish(KB, "huge", huge)
        with pytest.raises(BadNameError):
            await client.publish("Bad Name", "d", b"")
        with pytest.raises(FileNotFoundError):
            await client.publish(KB, "d", tmp_path / "missing")


async def test_a_server_that_is_not_there_is_said_within_the_connect_time_out() -> None:
    client = Client.at(f"nats://127.0.0.1:{free_port()}", site=SITE)
    client._connect_timeout_s = 0.5
    with pytest.raises(NotConnected, match="check the url"):
        await client.start()


async def test_statuses_are_folded_to_the_furthest_of_the_newest_revision(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus, _client(nats_server) as client:
        await _say(bus, "a", 2, State.SEARCHABLE)
        await _say(bus, "a", 1, State.SEARCHABLE)
        await _say(bus, "a", 2, State.PARSED)
        await _say(bus, "b", 1, State.FAILED)
        await _say(bus, "c", 1, State.RECEIVED, kb="other")
        found = [(s.document_id, s.revision, s.state) for s in await client.statuses(KB)]
        assert found == [("a", 2, State.SEARCHABLE), ("b", 1, State.FAILED)]
        assert [s.document_id for s in await client.statuses()] == ["a", "b", "c"]


async def test_following_statuses_begins_now_and_survives_a_kill_of_the_server(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus, _client(nats_server) as client:
        await _say(bus, "old", 1, State.PARSED)
        following = client.follow_statuses(KB)
        first = asyncio.ensure_future(anext(following))
        await until(lambda: bool(client.bus._followings) and client.bus._followings[0].ready.is_set())
        await _say(bus, "new", 1, State.PARSED)
        assert (await asyncio.wait_for(first, 10)).document_id == "new"
        await nats_server.restart()
        publishing = asyncio.create_task(_say(bus, "newer", 1, State.PARSED))
        assert (await asyncio.wait_for(anext(following), 20)).document_id == "newer"
        await publishing
        await following.aclose()
        assert client.bus._followings == []


async def test_waiting_ends_when_each_document_is_searchable_or_failed(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus, _client(nats_server) as client:
        await _say(bus, "a", 7, State.SEARCHABLE)
        waiting = asyncio.create_task(client.wait_searchable(KB, {"a": 7, "b": 8, "c": 9}, timeout_s=20))
        await _say(bus, "b", 7, State.SEARCHABLE)
        await _say(bus, "b", 8, State.FAILED)
        await _say(bus, "c", 10, State.SEARCHABLE)
        ended = await asyncio.wait_for(waiting, 20)
        assert {name: status.state for name, status in ended.items()} == {
            "a": State.SEARCHABLE,
            "b": State.FAILED,
            "c": State.SEARCHABLE,
        }
        assert await client.wait_searchable(KB, [], timeout_s=1) == {}
        with pytest.raises(NotSearchableInTime, match="2 of 3 after 3 s: x, y"):
            await client.wait_searchable(KB, ["a", "x", "y"], timeout_s=3.0)


async def test_asking_streaming_and_searching_reach_the_service_of_the_kb(nats_server: NatsServer) -> None:
    async def parts(ask: Ask) -> AsyncIterator[AnswerPart]:
        yield AnswerPart(kind=PartKind.INSTANT, index=0, text=ask.question)
        yield AnswerPart(kind=PartKind.FINAL, index=1, answer=_answer("final"))

    async def ask(caller: Caller, question: Ask) -> Answer | AsyncIterator[AnswerPart]:
        return parts(question) if question.stream else _answer(question.question)

    async def search(caller: Caller, question: Search) -> SearchResult:
        return SearchResult(kb=question.kb, passages=[], epoch={question.mode: 1}, latency_ms={})

    async with declared_bus(nats_server, "edge-inference") as bus, _client(nats_server) as client:
        endpoints = [
            Endpoint(name="ask", subject=subjects.ASK.at(SITE), handler=ask, request_type=Ask),
            Endpoint(name="search", subject=subjects.SEARCH.at(SITE), handler=search, request_type=Search),
        ]
        serving = bus.serve("edge-inference", "1.0.0", "answers", endpoints)
        await asyncio.wait_for(serving.ready.wait(), 10)
        assert (await client.ask(KB, "为什么?", timeout_s=10)).text == "为什么?"
        streamed = [part async for part in client.ask_stream(KB, "why?", timeout_s=10)]
        assert [part.kind for part in streamed] == [PartKind.INSTANT, PartKind.FINAL]
        assert (await client.search(KB, "why?", timeout_s=10)).epoch == {"hybrid": 1}
