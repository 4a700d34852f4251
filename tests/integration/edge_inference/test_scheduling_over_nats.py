"""A replica as it is shipped and a stand-in for the hub, over a real nats-server: every route, and what goes wrong."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from causeway.breaker import Phase
from causeway.bus import Bus
from causeway.edge_inference import breaking, given
from causeway.edge_inference.service import Service
from causeway.proto import subjects
from causeway.proto.answers import AnswerPart, Ask, PartKind, Route
from causeway.proto.breaker import BreakerState, BreakerTurned
from causeway.proto.documents import Residency
from causeway.proto.feedback import AnswerGiven
from tests.support.knowledge_builders import KB
from tests.support.knowledge_log import chunk_entry, manifest_entry, publish
from tests.support.nats_server import NatsServer, nats_server
from tests.support.replica_site import BOUND_S, SITE, TEXTS, ask, bus, replica, searchable
from tests.support.scripted_cloud import TEXT
from tests.support.stub_hub import StubHub, stub_hub
from tests.support.waiting import until, until_async

__all__ = ["bus", "nats_server"]
UNKNOWN = "Which moon of Saturn has methane lakes?"
OPEN_S = 60.0
PATIENT: dict[str, Any] = {
    "link_user": "link",
    "breaker_calls_min": 2,
    "breaker_window_calls": 4,
    "breaker_open_wait_s": OPEN_S,
    "breaker_open_wait_s_max": OPEN_S,
    # A test that is about one of these says so; for the others a busy machine must not come to them.
    "cloud_first_token_ms": 20_000,
    "cloud_token_gap_ms": 20_000,
    # Audits are drawn by chance, and the hub would hear of them.
    "audit_share": 0.0,
}


async def known(bus: Bus, residency: Residency = Residency.PUBLIC) -> None:
    chunks = [chunk_entry(SITE, text) for text in TEXTS]
    await publish(bus, *chunks, manifest_entry(SITE, "leave.pdf", TEXTS, 1, residency=residency))
    await searchable(bus, "leave.pdf", 1)


@asynccontextmanager
async def site(
    bus: Bus, server: NatsServer, folder: Path, *, residency: Residency = Residency.PUBLIC, **more: Any
) -> AsyncIterator[Service]:
    async with replica(server, folder, **(PATIENT | more)) as service:
        await known(bus, residency)
        assert service.around.cloud is not None
        cloud = service.around.cloud
        await until(lambda: cloud.connected)
        yield service


async def test_what_is_not_known_here_is_asked_of_the_hub_and_streamed(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    hub = StubHub()
    async with stub_hub(nats_server, SITE, hub), site(bus, nats_server, tmp_path / "vault"):
        request = Ask(kb=KB, question=UNKNOWN, stream=True)
        stream = bus.request_stream(subjects.ASK.at(SITE, KB), request, AnswerPart, wait_s=BOUND_S)
        parts = [part async for part in stream]
        answer = parts[-1].answer
        assert answer is not None
        assert [part.kind for part in parts] == [PartKind.INSTANT, PartKind.TOKEN, PartKind.TOKEN, PartKind.FINAL]
        assert (answer.route, answer.text, answer.cost_usd) == (Route.CLOUD, TEXT, 0.002)
        assert answer.answer_id == hub.asked[0].ask_id
        assert answer.epoch[SITE] == 3
        assert answer.citations[0].origin == "hub"
        assert hub.asked[0].question == UNKNOWN

        async def in_ledger() -> bool:
            kept = await bus.last(subjects.ANSWERED.stream, subjects.ANSWERED.at(SITE, KB))
            return kept is not None and isinstance(kept.message, AnswerGiven) and kept.message.route is Route.CLOUD

        await until_async(in_ledger)


async def test_the_same_question_again_comes_out_of_the_cache(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    hub = StubHub()
    async with stub_hub(nats_server, SITE, hub), site(bus, nats_server, tmp_path / "vault"):
        first = await ask(bus, UNKNOWN)
        assert first.route is Route.CLOUD

        async def cached() -> bool:
            return (await ask(bus, UNKNOWN)).route is Route.CACHE

        await until_async(cached)
        again = await ask(bus, UNKNOWN)
        assert (again.text, again.cost_usd, again.decision) == (TEXT, 0.0, "cached")
        assert again.answer_id.partition(".")[0] in [asked.ask_id for asked in hub.asked]


@pytest.mark.parametrize(
    ("then", "first_s", "decision", "limits"),
    [
        ("answers", 30.0, "cloud_slow", {"cloud_first_token_ms": 500}),
        ("dies", 0.05, "cloud_broken", {}),
        ("garbage", 0.05, "cloud_garbage", {}),
        ("hangs", 0.05, "cloud_stalled", {"cloud_token_gap_ms": 400}),
        ("refuses", 0.05, "refused_busy", {}),
    ],
)
async def test_whatever_the_hub_does_the_local_answer_comes_and_says_so(
    bus: Bus, nats_server: NatsServer, tmp_path: Path, then: str, first_s: float, decision: str, limits: dict[str, Any]
) -> None:
    hub = StubHub(first_s=first_s, then=then)
    async with stub_hub(nats_server, SITE, hub), site(bus, nats_server, tmp_path / "vault", **limits):
        await ask(bus, UNKNOWN, cloud=False)
        began_s = time.monotonic()
        answer = await ask(bus, UNKNOWN, deadline_ms=60_000)
        assert time.monotonic() - began_s < BOUND_S, "long before its deadline"
        assert (answer.route, answer.decision, answer.abstained) == (Route.FALLBACK, decision, True)
        assert answer.reason
        if then in ("answers", "hangs"):
            await until(lambda: hub.cancelled == [one.ask_id for one in hub.asked] != [])


async def test_a_hub_that_nobody_serves_opens_the_breaker_and_one_probe_heals_it(
    bus: Bus, nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaking, "CLAIM_S_MAX", BOUND_S)
    async with site(bus, nats_server, tmp_path / "vault") as service:
        breaker = service.around.breaker
        answers = [await ask(bus, UNKNOWN) for _ in range(3)]
        assert [answer.decision for answer in answers] == ["cloud_unreachable", "cloud_unreachable", "breaker_open"]
        assert [answer.route for answer in answers] == [Route.FALLBACK, Route.FALLBACK, Route.EDGE]
        assert not breaker.look().allowed
        go = asyncio.Event()
        hub = StubHub(go=go)
        async with stub_hub(nats_server, SITE, hub):
            monkeypatch.setattr(breaker, "_clock_s", lambda: time.monotonic() + OPEN_S)
            assert breaker.look().allowed
            async with asyncio.TaskGroup() as group:
                asking = [group.create_task(ask(bus, UNKNOWN, cache=False)) for _ in range(8)]
                # Until the others have their answers the probe has none, or it would heal the breaker for them.
                await until(lambda: sum(one.done() for one in asking) >= 7)
                go.set()
            assert [one.result().route for one in asking].count(Route.CLOUD) == len(hub.asked) == 1
            assert (await ask(bus, UNKNOWN, cache=False)).route is Route.CLOUD


async def test_two_replicas_of_a_site_share_their_breaker(bus: Bus, nats_server: NatsServer, tmp_path: Path) -> None:
    async with (
        site(bus, nats_server, tmp_path / "one") as one,
        replica(nats_server, tmp_path / "two", **PATIENT) as two,
    ):

        async def opened() -> bool:
            await ask(bus, UNKNOWN)
            return {one.around.breaker.state.phase, two.around.breaker.state.phase} == {Phase.OPEN}

        await until_async(opened)
    # Each has told what it had to tell by now.
    turned = [delivery.message async for delivery in bus.scan("BREAKER", [one.around.breaker.subject])]
    assert [turn.state for turn in turned if isinstance(turn, BreakerTurned)] == [BreakerState.OPEN]


async def test_a_question_about_restricted_evidence_never_leaves(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    hub = StubHub()
    async with (
        stub_hub(nats_server, SITE, hub),
        site(bus, nats_server, tmp_path / "vault", residency=Residency.RESTRICTED),
    ):
        answer = await ask(bus, UNKNOWN)
        assert (answer.route, answer.decision, answer.residency) == (Route.EDGE, "restricted", Residency.RESTRICTED)
        assert hub.asked == []


async def test_a_question_that_is_not_public_never_leaves(bus: Bus, nats_server: NatsServer, tmp_path: Path) -> None:
    hub = StubHub()
    async with stub_hub(nats_server, SITE, hub), site(bus, nats_server, tmp_path / "vault"):
        for residency in (Residency.RESTRICTED, Residency.INTERNAL):
            answer = await ask(bus, UNKNOWN, residency=residency)
            assert (answer.route, answer.decision) == (Route.EDGE, residency.value)
        assert hub.asked == []


async def test_a_site_that_has_not_joined_answers_as_before(bus: Bus, nats_server: NatsServer, tmp_path: Path) -> None:
    async with replica(nats_server, tmp_path / "vault") as service:
        await known(bus)
        answer = await ask(bus, UNKNOWN)
        assert (answer.route, answer.decision) == (Route.EDGE, "no_link")
        assert answer.answer_id
        assert service.around.cloud is None


async def test_a_replica_that_stops_answers_what_it_has_begun_and_keeps_it(
    bus: Bus, nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "STOP_S", BOUND_S)
    go = asyncio.Event()
    hub = StubHub(go=go)

    async def write_once_it_stops(service: Service) -> None:
        await until(lambda: not service.serving.ready.is_set())
        go.set()

    async with stub_hub(nats_server, SITE, hub), asyncio.TaskGroup() as group:
        async with site(bus, nats_server, tmp_path / "vault") as service:
            asking = group.create_task(ask(bus, UNKNOWN))
            await until(lambda: len(hub.asked) == 1)
            group.create_task(write_once_it_stops(service))
        answer = await asking
        assert (answer.route, answer.text) == (Route.CLOUD, TEXT)
        kept = await bus.last(subjects.ANSWERED.stream, subjects.ANSWERED.at(SITE, KB))
        assert kept is not None
        assert isinstance(kept.message, AnswerGiven)
        assert kept.message.answer_id == answer.answer_id
