"""Every way in which an engine fails: the site gets a typed reply in time, and answers come back by themselves."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from causeway.milvus.shelf import MilvusShelf
from causeway.milvus.values import ShelfPosition
from causeway.proto.cloud import CloudPartKind, Refusal
from tests.support.cloud_hub import KB, Asked, Hub, encoder, fill, hub, kinds
from tests.support.milvus_servers import embedded_milvus
from tests.support.nats_server import NatsServer
from tests.support.openai_engine import Knobs, stand_in
from tests.support.waiting import until, until_async

pytestmark = pytest.mark.model
LEAVE = "How many days of paid annual leave do employees have?"
NIANJIA = "员工每年有几天带薪年休假？"
# Far below what anything that was waited for would take, and far above what a busy machine needs.
AT_ONCE_S = 1.0
SENTENCE = "Employees are entitled to ten days of paid annual leave [1]. "


async def timed(running: Hub, **changes: Any) -> tuple[Asked, float]:
    began = asyncio.get_running_loop().time()
    got = await running.ask(LEAVE, **changes)
    return got, asyncio.get_running_loop().time() - began


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
    # The engine may be silent for less than that within a stream, which is something else.
    limits = {"engine_idle_timeout_s": 0.5}
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url, **limits) as running:
        engine.knobs = Knobs(first_token_s=10.0)
        got, took_s = await timed(running, first_token_ms=1_500)
        assert code(got) == Refusal.DEADLINE
        assert 1.4 < took_s < 4.0
        await until(lambda: engine.aborted == 1 and engine.running == 0, 2.0)
        (used,) = await running.until_used(1)
        assert (used.prompt_tokens, used.completion_tokens) == (0, 0)
        # Whoever has no more time than that is not begun any more.
        again, took_s = await timed(running, first_token_ms=1_500)
        assert (code(again), again.parts) == (Refusal.DEADLINE, [])
        assert took_s < AT_ONCE_S


async def test_a_pace_that_was_bad_once_is_measured_again_and_answers_come_back(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        engine.knobs = Knobs(first_token_s=2.0)
        for _ in range(3):
            assert not (await running.ask(LEAVE)).answer.abstained
        engine.knobs = Knobs()
        refused = await running.ask(LEAVE, first_token_ms=800)
        assert (code(refused), refused.parts) == (Refusal.DEADLINE, [])

        async def answered() -> bool:
            return (await running.ask(LEAVE, first_token_ms=800)).problem is None

        # One measurement is enough, whatever the mean was.
        await until_async(answered, 5.0)


async def test_a_measurement_is_as_long_as_the_prompt_that_was_refused(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    async with stand_in(Knobs(first_token_s=2.0)) as engine, hub(nats_server, shared_shelf, engine.url) as running:
        (first,) = engine.requests
        assert code(await running.ask(LEAVE * 20, first_token_ms=800)) == Refusal.DEADLINE
        await until(lambda: len(engine.requests) > 1)
        measurement = engine.requests[1]
        assert measurement["max_tokens"] == first["max_tokens"]
        longer = len(measurement["messages"][0]["content"]) / len(first["messages"][0]["content"])
        assert longer > 1.5


async def test_an_answer_that_the_deadline_ends_is_given_as_far_as_it_came(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        engine.knobs = Knobs(token_s=0.02, text=SENTENCE * 100)
        got, took_s = await timed(running, deadline_ms=2_500, tokens_max=2_000)
        answer = got.answer
        assert took_s < 5.0
        assert (answer.finish_reason, answer.abstained) == ("abort", False)
        assert "the deadline ended it" in answer.reason
        assert answer.text.endswith("leave [1].")
        assert len(answer.text) <= len(got.text) < len(engine.knobs.text)
        await until(lambda: engine.aborted == 1, 2.0)


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
        assert took_s < 5.0
        await until(lambda: engine.running == 0, 2.0)


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
        engine.knobs.token_s = 0.05
        engine.knobs.text = SENTENCE * 20
        tasks = [asyncio.create_task(running.ask(LEAVE, tokens_max=60)) for _ in range(3)]
        await until(lambda: engine.running + engine.waiting == 3)

        async def told() -> bool:
            status = await running.status()
            return (status.running, status.waiting) == (3, 2) or status.waiting == 2

        await until_async(told)
        assert (await running.status()).first_token_ms > 2 * alone
        got, took_s = await timed(running, first_token_ms=int(1.2 * alone))
        assert (code(got), got.parts) == (Refusal.DEADLINE, [])
        assert took_s < AT_ONCE_S
        for task in tasks:
            assert (await task).problem is None


async def test_a_shelf_that_is_being_emptied_is_a_refusal_that_passes(nats_server: NatsServer, tmp_path: Path) -> None:
    with embedded_milvus(tmp_path / "milvus") as milvus:
        await asyncio.to_thread(asyncio.run, fill(milvus.uri, encoder()))
        shelf = MilvusShelf(milvus.uri, timeout_s=20.0)
        async with stand_in() as engine, hub(nats_server, milvus.uri, engine.url) as running:
            await shelf.put_position(ShelfPosition(clearing=True))
            got = await running.ask(LEAVE)
            assert (code(got), got.parts) == (Refusal.SHELF_REBUILDING, [])
            assert got.problem is not None
            assert got.problem.retryable
            await shelf.put_position(ShelfPosition(seq=900, stream_created=1))
            assert not (await running.ask(LEAVE)).answer.abstained
        await shelf.close()


async def test_a_shelf_that_is_gone_is_a_typed_reply(nats_server: NatsServer, tmp_path: Path) -> None:
    with embedded_milvus(tmp_path / "milvus") as milvus:
        await asyncio.to_thread(asyncio.run, fill(milvus.uri, encoder()))
        async with stand_in() as engine, hub(nats_server, milvus.uri, engine.url, milvus_timeout_s=2.0) as running:
            assert not (await running.ask(LEAVE)).answer.abstained
            seen = len(engine.requests)
            await asyncio.to_thread(milvus.kill)
            got, took_s = await timed(running, first_token_ms=6_000)
            assert code(got) in (Refusal.SHELF_AWAY, Refusal.DEADLINE)
            assert got.problem is not None
            assert got.problem.retryable
            assert (await running.status()).healthy
            assert took_s < 6.5
            assert len(engine.requests) == seen
            await asyncio.to_thread(milvus.start)

            async def answered() -> bool:
                return (await running.ask(LEAVE)).problem is None

            await until_async(answered, 30.0)
