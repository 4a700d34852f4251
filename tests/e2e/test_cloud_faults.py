"""The hub slow, gone, broken and lying, in processes as shipped: every ask gets a reply in time, which says why."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress

import psutil
import pytest
from nats.aio.msg import Msg

from causeway.client import Client
from causeway.proto import subjects
from causeway.proto.breaker import BreakerState, BreakerTurned
from tests.support.cloud_fleet import (
    OWN_QUESTION,
    SITE,
    CloudFleet,
    Reply,
    asked,
    asked_many,
    running_cloud_fleet,
    tail_s,
)
from tests.support.openai_engine import MODEL
from tests.support.site import STOP_BOUND_S, SiteUnderTest, wait_until
from tests.support.waiting import pause, until_async

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

DEADLINE_MS = 1_500
HEDGE_MS = 500
"""How long a first token is waited for: the site's EDGE_INFERENCE_CLOUD_FIRST_TOKEN_MS as shipped."""
PATIENT_MS = 6_000
"""A deadline so far behind the hedge that whoever waits for it is not taken for one who waits for the hedge."""
SLACK_S = 1.0
"""What a busy machine may add to the hedge: hedge and slack are over before a first token of 2,000 ms."""
HEALED_S_MAX = 120.0
LOCAL_ASKS = 100
NO_TIME = {"fallback/cloud_slow", "fallback/cloud_late", "fallback/cloud_stalled", "fallback/refused_deadline"}
NOT_ASKED = {"edge/breaker_open", "edge/no_link"}
# An engine that is late five times in a row counts as down at the hub.
REFUSED = {"fallback/refused_deadline", "fallback/refused_busy", "fallback/refused_engine"}
NO_FIRST_TOKEN = {"fallback/cloud_slow", "fallback/cloud_unreachable"} | REFUSED | NOT_ASKED
BROKEN = {"fallback/cloud_broken", "fallback/cloud_stalled", "fallback/refused_engine", "fallback/cloud_garbage"}
FAULTS_IN_A_ROW: tuple[dict[str, float | int], ...] = (
    {"die_after": 2, "token_s": 0.02},
    {"first_token_s": 0.2},
    {"garbage_after": 1},
    {"first_token_s": 2.0},
    {"hang_after": 2},
    {"error_after": 1},
)
WELL = {
    "first_token_s": 0.0,
    "token_s": 0.0,
    "die_after": None,
    "garbage_after": None,
    "error_after": None,
    "hang_after": None,
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudFleet]:
    with running_cloud_fleet(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudFleet]:
    """The same without a breaker: every ask meets the fault."""
    with running_cloud_fleet(tmp_path_factory.mktemp("unguarded"), settings={"breaker_mode": "disabled"}) as running:
        yield running


@asynccontextmanager
async def healed(places: CloudFleet) -> AsyncIterator[Client]:
    """A client of the site, once its questions go to the cloud and come back.

    Several in a row: what failed before may still be in the breaker's window, and opens it with the next call."""
    places.engine.set(**WELL)
    async with places.client() as client:

        async def answered() -> bool:
            replies = await asked_many(client, 5, deadline_ms=DEADLINE_MS)
            all_answered(replies, 5)
            return {reply.route for reply in replies} == {"cloud"}

        await until_async(answered, HEALED_S_MAX)
        yield client


async def local_p99_s(client: Client) -> float:
    """The 99th percentile of local answers, in the same minute: the cloud is not wanted."""
    replies = await asked_many(client, LOCAL_ASKS, deadline_ms=DEADLINE_MS, cloud=False)
    all_answered(replies, LOCAL_ASKS)
    assert {reply.why for reply in replies} == {"edge/not_wanted"}
    return tail_s(replies)


def all_answered(replies: Sequence[Reply], asks: int) -> None:
    """Every ask has its reply, and every reply is an answer."""
    assert len(replies) == asks
    assert [reply.problem for reply in replies if reply.answer is None] == []


def in_time(replies: Sequence[Reply], local_s: float, asks: int) -> None:
    """Every ask is answered, in no more than the deadline and what a local answer takes."""
    all_answered(replies, asks)
    assert tail_s(replies) <= DEADLINE_MS / 1000 + local_s, sorted(reply.seconds for reply in replies)[-5:]


def by_the_hedge(replies: Sequence[Reply], local_s: float) -> None:
    """No asker to whom no first token came waits for one longer than the hedge, whatever the deadline is."""
    assert set(whys(replies)) <= NO_FIRST_TOKEN
    seconds = sorted(reply.seconds for reply in replies)
    assert tail_s(replies) <= HEDGE_MS / 1000 + local_s + SLACK_S, seconds[-5:]


def whys(replies: Sequence[Reply]) -> Counter[str]:
    return Counter(reply.why for reply in replies)


async def turns(client: Client) -> list[BreakerTurned]:
    """All turns of the site's breaker so far."""
    subject = subjects.BREAKER.at(SITE, key="*")
    found = [delivery.message async for delivery in client.bus.scan(subjects.BREAKER.stream, [subject])]
    return [message for message in found if isinstance(message, BreakerTurned)]


async def open_the_breaker(client: Client) -> None:
    """Ask until nothing is asked any more."""

    async def refused() -> bool:
        replies = await asked_many(client, 2, deadline_ms=DEADLINE_MS)
        all_answered(replies, 2)
        return "edge/breaker_open" in whys(replies)

    await until_async(refused, HEALED_S_MAX)


@asynccontextmanager
async def heard_at_hub(places: CloudFleet, garbage: bytes | None = None) -> AsyncIterator[list[str]]:
    """The asks that come over the link, by subject. With `garbage`, that is what each is answered."""
    heard: list[str] = []
    async with places.client(places.fleet.hub) as hub:

        async def hear(message: Msg) -> None:
            heard.append(message.subject)
            if garbage is not None:
                await message.respond(garbage)

        await hub.bus.client.subscribe(subjects.CLOUD_ASK.at("*"), cb=hear)
        await hub.bus.client.flush()
        yield heard


async def test_what_only_the_hub_knows_is_answered_over_the_link_and_says_so(places: CloudFleet) -> None:
    async with healed(places) as client:
        reply = await asked(client, "Who built the kiln of hall 4?", deadline_ms=DEADLINE_MS)
        own = await asked(client, OWN_QUESTION, deadline_ms=DEADLINE_MS)
    assert reply.answer is not None
    assert reply.route == "cloud"
    assert "Brunner 4" in reply.answer.text
    assert reply.answer.model == MODEL
    assert [citation.origin for citation in reply.answer.citations] == ["hub"]
    assert own.answer is not None
    assert "seven years" in own.answer.text


@pytest.mark.parametrize("first_token_ms", [200, 500, 2_000])
async def test_a_first_token_that_is_late_is_not_waited_for_beyond_the_hedge(
    places: CloudFleet, first_token_ms: int
) -> None:
    await slow_hub(places, first_token_ms, count=12, at_once=1)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("first_token_ms", [200, 500, 2_000])
async def test_a_first_token_that_is_late_delays_no_reply_of_many_that_no_breaker_spares(
    unguarded: CloudFleet, first_token_ms: int
) -> None:
    await slow_hub(unguarded, first_token_ms, count=300, at_once=2)


async def slow_hub(places: CloudFleet, first_token_ms: int, *, count: int, at_once: int) -> None:
    async with healed(places) as client:
        local_s = await local_p99_s(client)
        places.engine.set(first_token_s=first_token_ms / 1000)
        replies = await asked_many(client, count, deadline_ms=PATIENT_MS, at_once=at_once)
        print(first_token_ms, "local p99", local_s, "tail of", count, tail_s(replies), whys(replies))
    all_answered(replies, count)
    begun = {"cloud/abstained", "cloud/unsure"} if first_token_ms <= HEDGE_MS else set()
    by_the_hedge([reply for reply in replies if reply.why not in begun], local_s)
    assert tail_s(replies) <= PATIENT_MS / 1000 + local_s
    if first_token_ms < HEDGE_MS:
        assert whys(replies)["cloud/abstained"] + whys(replies)["cloud/unsure"] > count / 2


async def test_the_breaker_opens_lets_one_probe_through_and_heals(places: CloudFleet) -> None:
    async with healed(places) as client, heard_at_hub(places) as heard:
        places.engine.set(first_token_s=2.0)
        await open_the_breaker(client)
        before = await turns(client)
        assert before[-1].state is BreakerState.OPEN

        async def probed() -> bool:
            heard.clear()
            burst = await asked_many(client, 8, deadline_ms=DEADLINE_MS, at_once=8)
            all_answered(burst, 8)
            assert not any(reply.route == "cloud" for reply in burst)
            assert len(heard) <= 1, "more than one went through"
            return len(heard) == 1

        await until_async(probed, HEALED_S_MAX)
    async with healed(places) as client:
        after = (await turns(client))[len(before) :]
    states = [turn.state for turn in after]
    assert states[-2:] == [BreakerState.HALF_OPEN, BreakerState.CLOSED]
    # Each probe claims the half-open state once: it either opens again or closes.
    assert states.count(BreakerState.HALF_OPEN) == states.count(BreakerState.OPEN) + 1


async def test_an_engine_that_breaks_off_in_the_middle_loses_no_reply(places: CloudFleet) -> None:
    async with healed(places) as client:
        local_s = await local_p99_s(client)
        places.engine.set(die_after=3, token_s=0.02)
        streamed = await asked_many(client, 6, deadline_ms=DEADLINE_MS, stream=True)
        whole = await asked_many(client, 6, deadline_ms=DEADLINE_MS)
    in_time(streamed + whole, local_s, asks=12)
    assert set(whys(streamed + whole)) <= BROKEN | NOT_ASKED
    assert set(whys(streamed + whole)) & BROKEN


async def test_an_engine_that_is_killed_while_it_writes_loses_no_reply(places: CloudFleet) -> None:
    async with healed(places) as client:
        local_s = await local_p99_s(client)
        places.engine.set(token_s=0.15)
        running = asyncio.create_task(asked_many(client, 4, deadline_ms=DEADLINE_MS, at_once=4, stream=True))
        await pause(0.4)
        places.engine.kill()
        try:
            replies = await running
            after = await asked_many(client, 4, deadline_ms=DEADLINE_MS)
        finally:
            places.engine.start()
    in_time(replies + after, local_s, asks=8)
    assert set(whys(replies + after)) <= BROKEN | NO_TIME | NOT_ASKED
    assert set(whys(replies)) & BROKEN


async def test_garbage_of_the_engine_never_reaches_an_asker(places: CloudFleet) -> None:
    async with healed(places) as client:
        local_s = await local_p99_s(client)
        places.engine.set(garbage_after=2)
        replies = await asked_many(client, 8, deadline_ms=DEADLINE_MS)
    in_time(replies, local_s, asks=8)
    assert set(whys(replies)) <= BROKEN | NOT_ASKED
    assert not any("<html>" in reply.answer.text for reply in replies if reply.answer)


@pytest.mark.parametrize("garbage", [b"\x00\xff not msgpack", b"\x80"], ids=["noise", "an empty map"])
async def test_garbage_of_the_hub_is_told_from_an_answer(places: CloudFleet, garbage: bytes) -> None:
    async with healed(places) as client:
        local_s = await local_p99_s(client)
        frozen = [places.fleet.hub.pids()["cloud-inference"]]
        signalled(frozen, signal.SIGSTOP)
        try:
            async with heard_at_hub(places, garbage) as heard:
                replies = await asked_many(client, 4, deadline_ms=DEADLINE_MS)
        finally:
            signalled(frozen, signal.SIGCONT)
    in_time(replies, local_s, asks=4)
    assert heard
    assert set(whys(replies)) <= {"fallback/cloud_garbage", "fallback/cloud_broken"} | NOT_ASKED
    assert set(whys(replies)) - NOT_ASKED


async def test_a_hub_that_says_nothing_any_more_is_not_waited_for_beyond_the_hedge_and_is_found_again(
    places: CloudFleet,
) -> None:
    async with healed(places) as client:
        local_s = await local_p99_s(client)
        frozen = sorted(places.fleet.hub.family())
        signalled(frozen, signal.SIGSTOP)
        try:
            streamed = await asked_many(client, 3, deadline_ms=PATIENT_MS, stream=True)
            whole = await asked_many(client, 9, deadline_ms=PATIENT_MS)
            own = await asked(client, OWN_QUESTION, deadline_ms=PATIENT_MS)
        finally:
            signalled(frozen, signal.SIGCONT)
    print("local p99", local_s, "slowest of 12", tail_s(streamed + whole), whys(streamed + whole))
    all_answered([*streamed, *whole, own], asks=13)
    by_the_hedge(streamed + whole, local_s)
    assert whys(streamed)["fallback/cloud_slow"]
    assert own.seconds <= local_s + SLACK_S
    assert own.answer is not None
    assert "seven years" in own.answer.text
    async with healed(places):
        pass


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_a_hub_that_is_gone_and_started_again_is_used_again(places: CloudFleet, number: signal.Signals) -> None:
    hub = places.fleet.hub
    async with healed(places) as client:
        local_s = await local_p99_s(client)
        if number is signal.SIGKILL:
            await asyncio.to_thread(killed, hub)
        else:
            await asyncio.to_thread(hub.stop, number)
        try:
            replies = await asked_many(client, 60, deadline_ms=PATIENT_MS)
        finally:
            await asyncio.to_thread(hub.start)
    print("local p99", local_s, "slowest of 60", tail_s(replies), whys(replies))
    all_answered(replies, 60)
    by_the_hedge(replies, local_s)
    async with healed(places):
        pass


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("guarded", [True, False], ids=["with a breaker", "without"])
async def test_faults_in_a_row_while_many_ask_lose_no_reply(guarded: bool, request: pytest.FixtureRequest) -> None:
    places: CloudFleet = request.getfixturevalue("places" if guarded else "unguarded")
    async with healed(places) as client:
        local_s = await local_p99_s(client)
        over, asks = asyncio.Event(), Counter[str]()
        asking = [asyncio.create_task(asks_until(over, client, asks)) for _ in range(3)]
        for kind in FAULTS_IN_A_ROW:
            places.engine.set(**(WELL | kind))
            await pause(6.0)
            places.engine.set(**WELL)
            await pause(6.0)
        over.set()
        replies = [reply for each in await asyncio.gather(*asking) for reply in each]
        print(whys(replies), "local p99", local_s, "p99", tail_s(replies))
    in_time(replies, local_s, asks=asks.total())
    assert len(replies) > 200
    assert {"cloud/abstained", "fallback/cloud_broken"} <= set(whys(replies))


async def asks_until(over: asyncio.Event, client: Client, asks: Counter[str]) -> list[Reply]:
    """One asker who asks again a moment after each reply. `asks` counts what is asked, before it is."""
    replies = list[Reply]()
    while not over.is_set():
        asks["sent"] += 1
        replies += await asked_many(client, 1, deadline_ms=DEADLINE_MS, stream=len(replies) % 2 == 0)
        await pause(0.05)
    return replies


def signalled(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            os.kill(pid, number)


def killed(place: SiteUnderTest) -> None:
    """SIGKILL to all of its processes: nothing of it says that it ends."""
    assert place.process is not None
    supervisor, family = place.process.pid, place.family()
    place.seen |= family
    # The supervisor first: it starts again what it sees end.
    signalled(sorted(family, key=lambda pid: pid != supervisor), signal.SIGKILL)
    place.process.wait(STOP_BOUND_S)
    wait_until(lambda: not place.left(), STOP_BOUND_S, "every process of the hub to end")
