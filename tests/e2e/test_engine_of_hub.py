"""A hub as shipped, with and without an engine: what a site is told of it over the link, and what a crash does."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from causeway.bus import Bus, BusSettings, ProblemReply, RequestFailed
from causeway.cli.ports import free_port
from causeway.client import Client
from causeway.proto import subjects
from causeway.proto.answers import Question, Route
from causeway.proto.cloud import CloudAsk, CloudPart, CloudStatus, CloudStatusAsked, Refusal
from tests.support.cloud_fleet import asked, hubs_questions, running_places
from tests.support.engine_process import HAS_VLLM, NO_VLLM
from tests.support.openai_engine import MODEL, Knobs, stand_in
from tests.support.site import SiteUnderTest, run_causeway, running_site
from tests.support.tiny_llama import CONTEXT_TOKENS, write_chanting_llama
from tests.support.waiting import until_async

HEALTHY_BOUND_S = 60.0
VLLM_BOUND_S = 600.0
HEALED_BOUND_S = 300.0
DEADLINE_MS = 60_000
TOKENS_MAX = 768
# vLLM on a shared CPU takes seconds to its first token, where a GPU takes the usual half of one.
PATIENT = {
    "cloud_first_token_ms": "30000",
    "cloud_token_gap_ms": "10000",
    "cloud_tokens_max": str(TOKENS_MAX),
}
KILLED = {"fallback/cloud_broken", "fallback/cloud_stalled", "fallback/refused_engine"}
NOT_ASKED = {"edge/breaker_open"}


def make_hub(root: Path) -> Path:
    """A hub that is not started yet."""
    folder = root / "hub"
    ports = ("--leaf-port", str(free_port()))
    run_causeway("hub", "init", "--data", str(folder), "--host", "127.0.0.1", *ports)
    return folder


@asynccontextmanager
async def bus_of(place: SiteUnderTest, user: str) -> AsyncIterator[Bus]:
    """A connection to a place; `link` is the account that reaches the hub."""
    password = place.folder / "keys" / ("link.password" if user == "link" else "nats.password")
    record = place.record
    settings = BusSettings(
        url=record["url"], site=record["site"], service="test", user=user, password=password.read_text().strip()
    )
    async with Bus(settings) as bus:
        yield bus


async def status(bus: Bus) -> CloudStatus:
    """What the hub says of its engine."""
    return await bus.request(subjects.CLOUD_STATUS.at(bus.settings.site), CloudStatusAsked(), CloudStatus, 10.0)


async def until_healthy(bus: Bus, healthy: bool = True, bound_s: float = HEALTHY_BOUND_S) -> CloudStatus:
    """The status once it is so."""

    async def is_so() -> bool:
        try:
            return (await status(bus)).healthy is healthy
        except RequestFailed:
            # The hub is not there, or its service is not yet.
            return False

    await until_async(is_so, bound_s)
    return await status(bus)


def question() -> CloudAsk:
    return CloudAsk(ask_id="a1", kb="k", question=Question("What?"), deadline_ms=5_000)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_site_is_told_that_there_is_no_engine_and_of_one_that_comes_and_goes(tmp_path: Path) -> None:
    folder, join = make_hub(tmp_path), tmp_path / "a.join"
    run_causeway("site", "add", "a", "--data", str(folder), "--out", str(join))
    with ExitStack() as places:
        hub = places.enter_context(running_site(folder, role="hub"))
        site = places.enter_context(running_site(tmp_path / "a", "--join", str(join)))
        async with stand_in(Knobs(key="k-elsewhere")) as engine, bus_of(site, "link") as link:
            found = await until_healthy(link, healthy=False)
            assert found.engine == "none"
            assert "No engine: what sites ask the hub's model is refused" in hub.output
            with pytest.raises(ProblemReply) as refused:
                await link.request(subjects.CLOUD_ASK.at("a"), question(), CloudPart, 10.0)
            assert refused.value.problem.code == Refusal.ENGINE
            await asyncio.to_thread(hub.stop)
            options = engine_options(tmp_path, f"{engine.url}/v1", "k-elsewhere")
            await asyncio.to_thread(places.enter_context, running_site(folder, *options, role="hub"))
            found = await until_healthy(link)
            assert (found.engine, found.model) == ("openai-url", MODEL)
            await engine.kill()
            assert (await until_healthy(link, healthy=False)).reason


def engine_options(root: Path, url: str, key: str) -> tuple[str, ...]:
    """What `up hub` is told of an engine elsewhere."""
    file = root / "elsewhere.key"
    file.write_text(f"{key}\n")
    file.chmod(0o600)
    return ("--engine", "openai-url", "--engine-url", url, "--engine-model", MODEL, "--engine-key", str(file))


@pytest.mark.vllm
@pytest.mark.timeout(1_800)
@pytest.mark.skipif(not HAS_VLLM, reason=NO_VLLM)
async def test_vllm_killed_while_it_writes_costs_no_reply_and_is_started_again(tmp_path: Path) -> None:
    """The hub is ready without waiting for it."""
    config = tmp_path / "hub.yaml"
    model = write_chanting_llama(tmp_path / "tiny")
    config.write_text(f"engine: {{kind: vllm, model: {model}, max_model_len: {CONTEXT_TOKENS}}}\n")
    with running_places(tmp_path, up=("--config", str(config)), settings=PATIENT) as places:
        hub = places.fleet.hub
        async with bus_of(hub, "causeway") as bus, places.client() as client:
            assert (await status(bus)).engine == "vllm"
            first = hub.pids()["engine"]
            found = await until_healthy(bus, bound_s=VLLM_BOUND_S)
            assert (found.model, found.running) == ("tiny", 0)
            await until_the_cloud_answers(client)
            await the_engine_dies_while_it_writes(client, first)
            await until_healthy(bus, healthy=False)
            await until_healthy(bus, bound_s=VLLM_BOUND_S)
            assert hub.pids()["engine"] != first
            await until_the_cloud_answers(client)
        assert await asyncio.to_thread(hub.stop) == 0
        assert hub.left() == []


async def the_engine_dies_while_it_writes(client: Client, group: int) -> None:
    """All of its processes are killed at the first token of an ask: that one and the next ones get their replies."""
    tokens = 0

    def kill_at_the_first() -> None:
        nonlocal tokens
        tokens += 1
        if tokens == 1:
            os.killpg(group, signal.SIGKILL)

    question, *others = hubs_questions()
    streaming = await asked(client, question, deadline_ms=DEADLINE_MS, stream=True, on_token=kill_at_the_first)
    after = [await asked(client, other, deadline_ms=DEADLINE_MS) for other in others]
    print(tokens, "tokens", streaming.why, streaming.seconds, Counter(reply.why for reply in after))
    assert 1 <= tokens < TOKENS_MAX, "it was killed before it wrote, or after"
    assert streaming.why in KILLED
    assert len(after) == len(others)
    assert {reply.why for reply in after} <= KILLED | NOT_ASKED
    assert max(reply.seconds for reply in (streaming, *after)) <= DEADLINE_MS / 1_000


async def until_the_cloud_answers(client: Client) -> None:
    """Ask until the answer is the hub's; every ask before gets its reply too."""

    async def answered() -> bool:
        reply = await asked(client, hubs_questions()[0], deadline_ms=DEADLINE_MS)
        assert reply.answer is not None, reply
        print(reply.why, reply.seconds)
        return reply.answer.route is Route.CLOUD

    await until_async(answered, HEALED_BOUND_S)
