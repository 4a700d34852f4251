"""Every way in which an engine fails: the site gets a typed reply in time, and answers come back by themselves."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from causeway.milvus.shelf import MilvusShelf
from causeway.milvus.values import ShelfPosition
from causeway.proto.cloud import CloudPartKind, Refusal
from tests.support.cloud_hub import KB, Asked, Hub, hub, kinds
from tests.support.milvus_servers import EmbeddedMilvus
from tests.support.nats_server import NatsServer
from tests.support.openai_engine import Knobs, stand_in
from tests.support.waiting import until, until_async

pytestmark = pytest.mark.model
LEAVE = "How many days of paid annual leave do employees have?"
NIANJIA = "员工每年有几天带薪年休假？"
# What an ask has here, and half of it: whoever is told so soon has not waited for it.
ASK_MS = 60_000
AT_ONCE_S = 30.0
SENTENCE = "Employees are entitled to ten days of paid annual leave [1]. "


async def timed(running: Hub, **changes: Any) -> tuple[Asked, float]:
    began = asyncio.get_running_loop().time()
    got = await running.ask(LEAVE, **{"deadline_ms": ASK_MS, "first_token_ms": ASK_MS, **changes})
    return got, asyncio.get_running_loop().time() - began


async def answered(running: Hub, **changes: Any) -> bool:
    got = await running.ask(LEAVE, **changes)
    return got.problem is None and not got.answer.abstained


def code(got: Asked) -> str:
    assert got.problem is not None, got.parts
    return got.problem.code


@pytest.mark.parametrize(
    ("knobs", "refusal", "kind"),
    [
        (Knobs(status=503), Refusal.BUSY, "busy"),
        (Knobs(status=500), Refusal.ENGINE, "gone"),
        (Knobs(status=404), Refusal.ENGINE_REFUSED, "refused"),
        (Knobs(status=400), Refusal.ENGINE_REFUSED, "refused"),
        (Knobs(status=401), Refusal.ENGINE, "denied"),
        (Knobs(die_after=0), Refusal.ENGINE, "gone"),
        (Knobs(die_after=3), Refusal.ENGINE, "gone"),
        (Knobs(error_after=2), Refusal.ENGINE, "gone"),
        (Knobs(garbage_after=0), Refusal.ENGINE, "garbage"),
        (Knobs(garbage_after=3, garbage='data: {"choices": 7}'), Refusal.ENGINE, "garbage"),
        (Knobs(garbage_after=1, garbage="data: " + "x" * 300_000), Refusal.ENGINE, "garbage"),
    ],
)
@pytest.mark.parametrize("question", [LEAVE, NIANJIA])
async def test_a_failure_of_the_engine_is_a_typed_reply_and_the_next_answer_comes(
    nats_server: NatsServer, shared_shelf: str, question: str, knobs: Knobs, refusal: Refusal, kind: str
) -> None:
    prices = {"price_prompt_usd": 1.0, "price_completion_usd": 4.0}
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url, **prices) as running:
        engine.knobs = knobs
        got = await running.ask(question)
        assert code(got) == refusal
        assert got.problem is not None
        assert got.problem.retryable is (refusal is not Refusal.ENGINE_REFUSED)
        assert kinds(got.parts)[:1] == ["accepted"]
        assert all(part.answer is None for part in got.parts)
        used = await running.until_used(1)
        written = sum(part.kind is CloudPartKind.TOKEN for part in got.parts)
        assert used[0].completion_tokens == written
        assert bool(used[0].prompt_tokens) is bool(used[0].cost_usd) is bool(written), "it has read what it wrote of"
        engine.knobs = Knobs()
        await running.until_status(True)
        assert not (await running.ask(question)).answer.abstained


async def test_a_misnamed_adapter_refuses_its_own_knowledge_base_and_says_what_to_correct(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    knobs, adapters = Knobs(unserved_model="fiance"), {"adapters": f"{KB}=fiance"}
    async with stand_in(knobs) as engine, hub(nats_server, shared_shelf, engine.url, **adapters) as running:
        got = await running.ask(LEAVE)
        assert (code(got), kinds(got.parts)) == (Refusal.ENGINE_REFUSED, ["accepted"])
        assert got.problem is not None
        assert f"{KB}=fiance in CLOUD_INFERENCE_ADAPTERS" in got.problem.mend
        assert not (await running.ask(LEAVE, kb="other")).answer.abstained
        status = await running.status()
        assert (status.healthy, status.refused) == (True, {"engine_refused": 1})


async def test_an_engine_that_is_killed_in_the_middle_of_answers_refuses_at_once_until_it_is_back(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        engine.knobs = Knobs(token_s=0.05, text=SENTENCE * 50)
        tasks = [asyncio.create_task(running.ask(LEAVE, tokens_max=1_000)) for _ in range(3)]
        await until(lambda: engine.running == 3)
        await engine.kill()
        assert [code(await task) for task in tasks] == [Refusal.ENGINE] * 3
        await running.until_status(False)
        got, took_s = await timed(running)
        assert code(got) == Refusal.ENGINE
        assert got.parts == []
        assert took_s < AT_ONCE_S
        engine.knobs = Knobs()
        await engine.start()
        await running.until_status(True)
        assert not (await running.ask(LEAVE)).answer.abstained


async def test_a_first_token_that_is_late_ends_the_ask_then_and_the_engine_stops(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    # The engine may be silent for less than that within a stream, which is something else. Measured again because of
    # the refusal, it would go on.
    limits = {"engine_idle_timeout_s": 0.5, "engine_measure_every_s": 600.0}
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url, **limits) as running:
        engine.gate.clear()
        aborted = engine.aborted
        # Of these six seconds a busy machine may take five to search, and the engine must be asked in them.
        got, took_s = await timed(running, first_token_ms=6_000)
        assert code(got) == Refusal.DEADLINE
        assert kinds(got.parts) == ["accepted"]
        assert 5.9 < took_s < AT_ONCE_S
        await until(lambda: engine.aborted == aborted + 1 and engine.running == 0)
        (used,) = await running.until_used(1)
        assert (used.prompt_tokens, used.completion_tokens) == (0, 0)
        # Whoever has no more time than that is not begun any more, however long the search took of it.
        seen = len(engine.requests)
        again = await running.ask(LEAVE, first_token_ms=750)
        assert (code(again), again.parts) == (Refusal.DEADLINE, [])
        assert len(engine.requests) == seen


async def test_a_pace_that_was_bad_once_is_measured_again_and_answers_come_back(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        engine.knobs = Knobs(first_token_s=2.0)
        assert all(await asyncio.gather(*(answered(running) for _ in range(3))))
        engine.knobs = Knobs()
        refused = await running.ask(LEAVE, first_token_ms=800)
        assert (code(refused), refused.parts) == (Refusal.DEADLINE, [])
        # One measurement is enough, whatever the mean was.
        await until_async(lambda: answered(running, first_token_ms=800))


async def test_a_measurement_is_as_long_as_the_prompt_that_was_refused(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    async with stand_in(Knobs(first_token_s=1.0)) as engine, hub(nats_server, shared_shelf, engine.url) as running:
        (first,) = engine.requests
        assert code(await running.ask(LEAVE * 20, first_token_ms=300)) == Refusal.DEADLINE
        await until(lambda: len(engine.requests) > 1)
        measurement = engine.requests[1]
        assert measurement["max_tokens"] == first["max_tokens"]
        longer = len(measurement["messages"][0]["content"]) / len(first["messages"][0]["content"])
        assert longer > 1.5


async def test_an_answer_that_the_deadline_ends_is_given_as_far_as_it_came(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        # Written in a minute. Of the seven seconds a busy machine may take five before the first sentence.
        engine.knobs = Knobs(token_s=0.03, text=SENTENCE * 150)
        got, took_s = await timed(running, deadline_ms=7_000, tokens_max=2_000)
        answer = got.answer
        assert took_s < AT_ONCE_S
        assert (answer.finish_reason, answer.abstained) == ("abort", False)
        assert "the deadline ended it" in answer.reason
        assert answer.text.endswith("leave [1].")
        assert len(answer.text) <= len(got.text) < len(engine.knobs.text)
        await until(lambda: engine.aborted == 1)


async def test_an_answer_that_the_limit_of_its_tokens_ends_says_so(nats_server: NatsServer, shared_shelf: str) -> None:
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        engine.knobs = Knobs(text=SENTENCE * 100)
        answer = (await running.ask(LEAVE, tokens_max=60)).answer
        assert (answer.finish_reason, answer.abstained) == ("length", False)
        assert answer.reason == "cut short: it reached the limit of its tokens"
        assert answer.text.endswith("leave [1].")


async def test_an_answer_whose_engine_does_not_say_why_it_ended_is_whole(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    async with stand_in(Knobs(finish=False)) as engine, hub(nats_server, shared_shelf, engine.url) as running:
        answer = (await running.ask(LEAVE)).answer
        assert (answer.finish_reason, answer.reason, answer.abstained) == ("stop", "", False)


async def test_an_engine_that_hangs_is_left_after_the_idle_time(nats_server: NatsServer, shared_shelf: str) -> None:
    async with (
        stand_in() as engine,
        hub(nats_server, shared_shelf, engine.url, engine_idle_timeout_s=0.5) as running,
    ):
        engine.knobs = Knobs(hang_after=2)
        got, took_s = await timed(running)
        assert code(got) == Refusal.ENGINE
        assert took_s < AT_ONCE_S
        await until(lambda: engine.running == 0)


async def test_time_outs_in_a_row_make_it_down_and_a_measurement_makes_it_up(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    limits = {"engine_timeouts_max": 3, "engine_idle_timeout_s": 0.3, "engine_measure_timeout_s": 0.5}
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url, **limits) as running:
        engine.knobs = Knobs(hang_after=1)
        for number in range(1, 4):
            assert code(await running.ask(LEAVE)) == Refusal.ENGINE
            assert (await running.status()).timeouts_in_a_row >= number
        status = await running.status()
        assert (status.healthy, engine.knobs.health_status) == (False, 200)
        got, took_s = await timed(running)
        assert (code(got), got.parts) == (Refusal.ENGINE, [])
        assert took_s < AT_ONCE_S
        engine.knobs = Knobs()
        await running.until_status(True)
        assert (await running.status()).timeouts_in_a_row == 0
        assert not (await running.ask(LEAVE)).answer.abstained


async def test_an_engine_that_is_not_well_is_not_asked(nats_server: NatsServer, shared_shelf: str) -> None:
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        engine.knobs = replace(engine.knobs, health_status=503)
        await running.until_status(False)
        seen = len(engine.requests)
        assert code(await running.ask(LEAVE)) == Refusal.ENGINE
        assert len(engine.requests) == seen


async def test_a_wrong_key_is_told_in_the_status(nats_server: NatsServer, shared_shelf: str, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("right\n")
    async with (
        stand_in(Knobs(key="right")) as engine,
        hub(nats_server, shared_shelf, engine.url, engine_key_file=key_file) as running,
    ):
        assert not (await running.ask(LEAVE)).answer.abstained
        engine.knobs.key = "other"
        assert code(await running.ask(LEAVE)) == Refusal.ENGINE


async def test_a_queue_in_the_engine_is_reckoned_with(nats_server: NatsServer, shared_shelf: str) -> None:
    async with (
        stand_in(Knobs(sequences_max=1, first_token_s=0.2)) as engine,
        hub(nats_server, shared_shelf, engine.url, engine_sequences_max=1) as running,
    ):
        alone = (await running.status()).first_token_ms
        engine.gate.clear()
        tasks = [asyncio.create_task(running.ask(LEAVE, tokens_max=60)) for _ in range(3)]
        await until(lambda: (engine.running, engine.waiting) == (1, 2))

        async def told() -> bool:
            return (await running.status()).waiting == 2

        await until_async(told)
        assert (await running.status()).first_token_ms > 2 * alone
        got, took_s = await timed(running, first_token_ms=int(1.2 * alone))
        assert (code(got), got.parts) == (Refusal.DEADLINE, [])
        assert got.problem is not None
        assert "the first token would take" in got.problem.message
        assert took_s < AT_ONCE_S
        engine.gate.set()
        for task in tasks:
            assert (await task).problem is None


async def test_a_shelf_that_is_being_emptied_is_a_refusal_that_passes(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    shelf = MilvusShelf(shared_shelf, timeout_s=20.0)
    before = await shelf.position()
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        await shelf.put_position(ShelfPosition(clearing=True))
        try:
            got = await running.ask(LEAVE)
            assert (code(got), got.parts) == (Refusal.SHELF_REBUILDING, [])
            assert got.problem is not None
            assert got.problem.retryable
        finally:
            # Other tests read it too.
            await shelf.put_position(before)
        assert not (await running.ask(LEAVE)).answer.abstained
    await shelf.close()


async def test_a_shelf_that_is_gone_is_a_typed_reply(nats_server: NatsServer, shared_milvus: EmbeddedMilvus) -> None:
    uri = shared_milvus.uri
    async with stand_in() as engine, hub(nats_server, uri, engine.url, milvus_timeout_s=10.0) as running:
        assert not (await running.ask(LEAVE)).answer.abstained
        seen = len(engine.requests)
        await asyncio.to_thread(shared_milvus.kill)
        try:
            got, took_s = await timed(running)
            assert code(got) == Refusal.SHELF_AWAY
            assert got.problem is not None
            assert got.problem.retryable
            assert (await running.status()).healthy
            assert took_s < AT_ONCE_S
            assert len(engine.requests) == seen
        finally:
            # Other tests read it too.
            await asyncio.to_thread(shared_milvus.start)
        await until_async(lambda: answered(running), 60.0)
