"""Serving over a real server: discoverable, shared among replicas, bounded, drained, never silent."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from causeway.bus import Bus, Caller, Endpoint, NoResponders, ProblemReply, RequestTimeout
from causeway.proto.answers import AnswerPart, Ask, PartKind, Search, SearchResult
from tests.support.buses import declared_bus, settings, until
from tests.support.nats_server import NatsServer

SUBJECT = "site.site1.search.kb"
SEARCH = Search(kb="kb", question="why?")


def result(name: str = "") -> SearchResult:
    """A reply that names who gave it."""
    return SearchResult(kb="kb", passages=[], epoch={name: 1} if name else {}, latency_ms={})


async def serve(bus: Bus, handler: Any, **more: Any) -> None:
    """Serve searches with one handler."""
    endpoint = Endpoint(name="search", subject="site.site1.search.*", handler=handler, request_type=Search, **more)
    serving = bus.serve("edge-inference", "1.2.3", "answers", [endpoint], {"site": "site1"})
    await asyncio.wait_for(serving.ready.wait(), 10)


async def test_a_service_is_found_by_srv_and_counts_its_requests(nats_server: NatsServer) -> None:
    async def handler(caller: Caller, search: Search) -> SearchResult:
        if search.documents_max == 1:
            raise ValueError("bad")
        return result()

    async with declared_bus(nats_server) as bus:
        await serve(bus, handler)
        await bus.request(SUBJECT, SEARCH, SearchResult, 10)
        with pytest.raises(ProblemReply):
            await bus.request(SUBJECT, Search(kb="kb", question="q", documents_max=1), SearchResult, 10)
        info = json.loads((await bus.client.request("$SRV.INFO.edge-inference", timeout=5)).data)
        assert (info["version"], info["metadata"]) == ("1.2.3", {"site": "site1"})
        stats = json.loads((await bus.client.request("$SRV.STATS.edge-inference", timeout=5)).data)["endpoints"][0]
        assert (stats["num_requests"], stats["num_errors"], stats["last_error"]) == (2, 1, "internal")
        assert stats["processing_time"] > 0


async def test_beyond_its_limit_a_service_says_busy_at_once_and_a_request_asks_again(nats_server: NatsServer) -> None:
    go_on = asyncio.Event()
    running = 0

    async def handler(caller: Caller, search: Search) -> SearchResult:
        nonlocal running
        running += 1
        await go_on.wait()
        return result()

    async with declared_bus(nats_server) as bus:
        await serve(bus, handler, concurrency_max=2)
        waiting = [asyncio.create_task(bus.request(SUBJECT, SEARCH, SearchResult, 10)) for _ in range(2)]
        await until(lambda: running == 2)
        with pytest.raises(ProblemReply) as raised:
            await bus.request(SUBJECT, SEARCH, SearchResult, 3.0)
        assert raised.value.problem.code == "busy"
        assert raised.value.problem.retryable
        patient = asyncio.create_task(bus.request(SUBJECT, SEARCH, SearchResult, 10))
        go_on.set()
        assert await asyncio.wait_for(patient, 10) == result()
        await asyncio.gather(*waiting)


async def test_a_notice_reaches_every_replica_and_nobody_replies(nats_server: NatsServer) -> None:
    heard: list[str] = []

    def noting(replica: str) -> Any:
        async def handler(caller: Caller, search: Search) -> None:
            heard.append(replica)

        return handler

    async with declared_bus(nats_server) as one, declared_bus(nats_server) as other:
        await serve(one, noting("one"), everyone=True)
        await serve(other, noting("other"), everyone=True)
        await one.notify(SUBJECT, SEARCH)
        await until(lambda: len(heard) == 2)
        assert sorted(heard) == ["one", "other"]


async def test_requests_run_side_by_side_and_replicas_share_them(nats_server: NatsServer) -> None:
    together = asyncio.Barrier(4)

    async with declared_bus(nats_server) as bus, Bus(settings(nats_server)) as one, Bus(settings(nats_server)) as two:
        for name, replica in (("one", one), ("two", two)):

            async def handler(caller: Caller, search: Search, name: str = name) -> SearchResult:
                await together.wait()
                return result(name)

            await serve(replica, handler)
        replies = await asyncio.gather(*(bus.request(SUBJECT, SEARCH, SearchResult, 10) for _ in range(40)))
        assert {next(iter(reply.epoch)) for reply in replies} == {"one", "two"}


async def test_nobody_there_is_said_at_once_and_a_hanging_handler_within_its_bound(nats_server: NatsServer) -> None:
    async def hang(caller: Caller, search: Search) -> SearchResult:
        await asyncio.Event().wait()
        return result()

    async with declared_bus(nats_server) as bus:
        with pytest.raises(NoResponders, match="start the service"):
            await bus.request(SUBJECT, SEARCH, SearchResult, 10)
        with pytest.raises(NoResponders):
            await anext(bus.request_stream("site.site1.ask.kb", Ask(kb="kb", question="q"), AnswerPart))
        await serve(bus, hang, timeout_s=0.3)
        with pytest.raises(ProblemReply, match="deadline"):
            await bus.request(SUBJECT, SEARCH, SearchResult, 10)
        with pytest.raises(RequestTimeout):
            await bus.request(SUBJECT, SEARCH, SearchResult, 0.1)


async def test_a_stopping_service_answers_what_it_has_begun(nats_server: NatsServer) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handler(caller: Caller, search: Search) -> SearchResult:
        begun.set()
        await go_on.wait()
        return result()

    async with declared_bus(nats_server, "cli") as bus:
        replica = Bus(settings(nats_server))
        await replica.start()
        await serve(replica, handler)
        asking = asyncio.create_task(bus.request(SUBJECT, SEARCH, SearchResult, 10))
        await asyncio.wait_for(begun.wait(), 10)
        stopping = asyncio.create_task(replica.stop())
        go_on.set()
        assert await asyncio.wait_for(asking, 10) == result()
        await asyncio.wait_for(stopping, 10)
        with pytest.raises(NoResponders):
            await bus.request(SUBJECT, SEARCH, SearchResult, 10)


async def test_a_stream_that_stalls_ends_within_the_wait_between_two_parts(nats_server: NatsServer) -> None:
    closed = asyncio.Event()

    async def parts(caller: Caller, ask: Ask) -> AsyncIterator[AnswerPart]:
        yield AnswerPart(kind=PartKind.INSTANT, index=0, text="at once")
        try:
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with declared_bus(nats_server) as bus:
        endpoints = [
            Endpoint(name=name, subject=f"site.site1.{name}.*", handler=parts, request_type=Ask, timeout_s=timeout_s)
            for name, timeout_s in (("ask", 60.0), ("search", 1.0))
        ]
        serving = bus.serve("edge-inference", "1.0.0", "answers", endpoints)
        await asyncio.wait_for(serving.ready.wait(), 10)
        ask = Ask(kb="kb", question="q", stream=True)
        stalled = bus.request_stream("site.site1.ask.kb", ask, AnswerPart, wait_s=2.0)
        assert (await anext(stalled)).text == "at once"
        with pytest.raises(RequestTimeout, match="no part"):
            await anext(stalled)
        bounded = bus.request_stream("site.site1.search.kb", ask, AnswerPart, wait_s=20)
        assert (await anext(bounded)).text == "at once"
        with pytest.raises(ProblemReply, match="deadline"):
            await anext(bounded)
        await asyncio.wait_for(closed.wait(), 5)


async def test_a_stream_that_ends_without_a_last_part_is_ended_by_an_empty_one(nats_server: NatsServer) -> None:
    async def parts(caller: Caller, ask: Ask) -> AsyncIterator[AnswerPart]:
        yield AnswerPart(kind=PartKind.INSTANT, index=0, text="all")

    async with declared_bus(nats_server) as bus:
        endpoint = Endpoint(name="ask", subject="site.site1.ask.*", handler=parts, request_type=Ask)
        serving = bus.serve("edge-inference", "1.0.0", "answers", [endpoint])
        await asyncio.wait_for(serving.ready.wait(), 10)
        ask = Ask(kb="kb", question="q", stream=True)
        got = [part.text async for part in bus.request_stream("site.site1.ask.kb", ask, AnswerPart, wait_s=5)]
        assert got == ["all"]
