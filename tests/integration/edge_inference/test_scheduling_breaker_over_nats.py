"""Three replicas of a site with one breaker over a real nats-server: one probe, told to all, also after a kill -9."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry

from causeway.breaker import Phase, Result, Rule
from causeway.bus import Bus
from causeway.edge_inference import breaking
from causeway.edge_inference.breaking import SharedBreaker, Ticket
from causeway.edge_inference.scheduling_metrics import SchedulingMetrics
from causeway.proto import subjects
from causeway.proto.breaker import BreakerTurned
from tests.support.nats_server import NatsServer, nats_server
from tests.support.replica_site import SITE, bus, bus_to
from tests.support.waiting import until, until_async

__all__ = ["bus", "nats_server"]
RULE = Rule(window_calls=4, calls_min=2, open_wait_s=0.5, open_wait_s_max=1.0, probe_s_max=60.0)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One probe at a time is promised where the bus answers within the time of a claim, which it does here."""
    monkeypatch.setattr(breaking, "CLAIM_S_MAX", 20.0)


@dataclass
class Replica:
    bus: Bus
    breaker: SharedBreaker

    async def fail(self) -> None:
        for _ in range(2):
            ticket = await self.breaker.acquire(1.0)
            assert ticket is not None
            self.breaker.record(ticket, Result.FAILURE, 0.1)

    @property
    def phase(self) -> Phase:
        return self.breaker.state.phase


async def _replica(server: NatsServer, name: str, stack: AsyncExitStack) -> Replica:
    connection = bus_to(server, f"edge-{name}")
    breaker = SharedBreaker(
        connection,
        SITE,
        "hub",
        name,
        RULE,
        SchedulingMetrics(CollectorRegistry()),
        clock_s=time.monotonic,
        wall_ms=lambda: int(time.time() * 1000),
    )
    follower = connection.follow(
        subjects.BREAKER.stream,
        [breaker.subject],
        breaker.position,
        breaker.hear,
        message_types=subjects.BREAKER.carries,
        on_reset=breaker.reset,
    )
    await stack.enter_async_context(connection)
    stack.push_async_callback(breaker.close)
    await asyncio.wait_for(follower.caught_up.wait(), 20.0)
    return Replica(connection, breaker)


@asynccontextmanager
async def replicas(server: NatsServer, names: str) -> AsyncIterator[list[Replica]]:
    async with AsyncExitStack() as stack:
        yield [await _replica(server, name, stack) for name in names]


async def one_probe(some: list[Replica], each: int = 10) -> tuple[Replica, Ticket]:
    """Everybody tries at once, as soon as anybody may."""
    await until(lambda: all(one.breaker.look().allowed for one in some))
    tickets = await asyncio.gather(*(one.breaker.acquire(60.0) for one in some for _ in range(each)))
    got = [(some[number // each], ticket) for number, ticket in enumerate(tickets) if ticket is not None]
    assert len(got) == 1, "at most one probe at a time"
    return got[0]


async def test_three_replicas_open_together_probe_once_and_heal_together(bus: Bus, nats_server: NatsServer) -> None:
    async with replicas(nats_server, "abc") as some:
        await some[0].fail()
        await until(lambda: {one.phase for one in some} == {Phase.OPEN})
        prober, ticket = await one_probe(some)
        await until(lambda: {one.phase for one in some} == {Phase.HALF_OPEN})
        assert [await one.breaker.acquire(1.0) for one in some for _ in range(5)] == [None] * 15
        prober.breaker.record(ticket, Result.SUCCESS, 0.1)
        await until(lambda: {one.phase for one in some} == {Phase.CLOSED})
        stored = [delivery.message async for delivery in bus.scan("BREAKER", [some[0].breaker.subject])]
        turns = [message for message in stored if isinstance(message, BreakerTurned)]
        assert [turn.state.value for turn in turns] == ["open", "half_open", "closed"]
        assert turns[1].replica == prober.breaker._replica


async def test_ten_rounds_of_bad_probes_never_have_two_at_once(bus: Bus, nats_server: NatsServer) -> None:
    async with replicas(nats_server, "abc") as some:
        await some[0].fail()
        await until(lambda: {one.phase for one in some} == {Phase.OPEN})
        for _ in range(10):
            prober, ticket = await one_probe(some, each=3)
            prober.breaker.record(ticket, Result.FAILURE, 0.1)
            await until(lambda: {one.phase for one in some} == {Phase.OPEN})


async def test_a_replica_that_starts_later_honours_what_the_others_know(bus: Bus, nats_server: NatsServer) -> None:
    async with replicas(nats_server, "a") as first:
        await first[0].fail()
        await first[0].breaker.close()
        prober, _ = await one_probe(first)
        assert prober is first[0]
        async with replicas(nats_server, "b") as late:
            await until(lambda: late[0].phase is Phase.HALF_OPEN)
            assert await late[0].breaker.acquire(1.0) is None


async def test_after_a_kill_of_the_server_the_replicas_share_again(bus: Bus, nats_server: NatsServer) -> None:
    async with replicas(nats_server, "ab") as some:
        await asyncio.to_thread(nats_server.kill)
        await some[0].fail()
        assert [one.phase for one in some] == [Phase.OPEN, Phase.CLOSED]
        await asyncio.to_thread(nats_server.start)
        await until_async(lambda: _connected(some))
        await until(lambda: some[0].breaker.look().probe)
        prober, ticket = await one_probe(some[:1])
        prober.breaker.record(ticket, Result.FAILURE, 0.1)
        await until(lambda: some[1].phase is Phase.OPEN)


async def _connected(some: list[Replica]) -> bool:
    return all(one.bus.connected for one in some)
