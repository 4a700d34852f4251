"""A site asks over real NATS, Milvus is searched, an engine that speaks the protocol answers: what comes back."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from causeway.bus import NoResponders, ProblemReply, RequestTimeout
from causeway.proto import encode, subjects
from causeway.proto.cloud import (
    CitationsAsked,
    CitationsStanding,
    CitedDocument,
    CloudCancel,
    CloudPartKind,
    Refusal,
)
from tests.support.cloud_hub import KB, KEPT, SITE, Asked, Hub, hub, kinds
from tests.support.nats_server import NatsServer
from tests.support.openai_engine import MODEL, Knobs, stand_in
from tests.support.waiting import until, until_async

pytestmark = pytest.mark.model
LEAVE = "How many days of paid annual leave do employees have?"
SENTENCE = "Employees are entitled to ten days of paid annual leave [1]."
NIANJIA = "员工每年有几天带薪年休假？"


@pytest.mark.parametrize(
    ("question", "language", "document", "origin"),
    [
        (LEAVE, "en", "leave", "branch-1"),
        (NIANJIA, "zh", "nianjia", "branch-2"),
        ("Where is the valve?", "en", "valve", "hub"),
    ],
)
async def test_an_answer_cites_the_passage_that_it_rests_on_in_the_language_of_the_question(
    nats_server: NatsServer, shared_shelf: str, question: str, language: str, document: str, origin: str
) -> None:
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        got = await running.ask(question)
        answer = got.answer
        assert kinds(got.parts) == ["accepted", "token", "final"]
        assert [part.index for part in got.parts] == list(range(len(got.parts)))
        assert (answer.abstained, answer.language, answer.finish_reason, answer.model) == (
            False,
            language,
            "stop",
            MODEL,
        )
        (citation,) = answer.citations
        assert (citation.document_id, citation.origin, citation.revision) == (document, origin, 3)
        assert "[1]" in answer.text
        assert answer.text.replace(" [1]", "").replace("[1]", "").strip("。.") in citation.quote
        assert citation.page == 1
        assert got.text
        assert {"encode", "search", "generate", "first_token", "total"} <= set(answer.latency_ms)


async def test_only_the_knowledge_base_that_is_asked_is_cited_and_nothing_that_gave_way(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        got = await running.ask(LEAVE, kb="other", passages_max=50)
        assert "four days" in got.answer.text
        await running.ask(LEAVE, passages_max=50)
        prompts = ["".join(message["content"] for message in body["messages"]) for body in engine.requests]
        assert "four days" in prompts[-2]
        assert "ten days" not in prompts[-2]
        assert "ten days" in prompts[-1]
        assert "four days" not in prompts[-1]
        assert "two days" not in prompts[-1]


async def test_what_the_hub_keeps_to_itself_is_in_no_prompt_and_no_reply_even_where_its_rows_are_found(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        questions = ("Which head has a bonus and much paid annual leave?", "Is paid annual leave cut after a merger?")
        for question, (_, _, text) in zip(questions, KEPT, strict=True):
            got = await running.ask(question, passages_max=50)
            prompt = "".join(message["content"] for message in engine.requests[-1]["messages"])
            assert "ten days" in prompt
            assert text not in prompt
            assert text.encode() not in b"".join(encode(part) for part in got.parts)


async def test_an_answer_names_the_epoch_that_the_shelf_was_at(nats_server: NatsServer, shared_shelf: str) -> None:
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        epoch = (await running.ask(LEAVE)).answer.epoch
        assert epoch["hub"] == 900
        assert epoch["branch-1"] == 41


async def test_a_usage_event_says_whose_tokens_they_were_and_what_they_cost(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    prices = {"price_prompt_usd": 1.0, "price_completion_usd": 4.0, "price_cached_usd": 0.0, "accelerator_watts": 300.0}
    async with (
        stand_in(Knobs(token_s=0.01, cached_tokens=10)) as engine,
        hub(nats_server, shared_shelf, engine.url, **prices) as running,
    ):
        asked = running.request(LEAVE, tenant="retail")
        answer = (await running.send(asked)).answer
        (used,) = await running.until_used(1)
        assert (used.site, used.kb, used.tenant, used.service) == (SITE, KB, "retail", "cloud-inference")
        assert (used.answer_id, used.route, used.engine) == (asked.ask_id, "cloud", "vllm")
        assert (used.prompt_tokens, used.completion_tokens) == (answer.prompt_tokens, answer.completion_tokens)
        assert used.cached_tokens == answer.cached_tokens == 10
        expected = (answer.prompt_tokens - 10) * 1.0 + answer.completion_tokens * 4.0
        assert used.cost_usd == answer.cost_usd == pytest.approx(expected / 1_000_000)
        assert used.watt_hours == answer.watt_hours
        assert used.watt_hours == pytest.approx(300.0 * used.duration_ms / 3_600_000, rel=0.2)


async def test_a_question_without_support_is_an_abstention_with_its_reason(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    text = "The chief executive is John Doe [1]."
    async with stand_in(Knobs(text=text)) as engine, hub(nats_server, shared_shelf, engine.url) as running:
        answer = (await running.ask("Who is the chief executive?")).answer
        assert (answer.abstained, answer.citations) == (True, [])
        assert "not in the passages" in answer.reason
        assert "John" not in answer.text


async def test_a_knowledge_base_that_nobody_shares_is_unknown(nats_server: NatsServer, shared_shelf: str) -> None:
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        asked = len(engine.requests)
        got = await running.ask(LEAVE, kb="nowhere")
        assert got.problem is not None
        assert (got.problem.code, got.problem.retryable) == (Refusal.UNKNOWN_KB, False)
        assert len(engine.requests) == asked


async def test_an_adapter_is_chosen_by_the_knowledge_base(nats_server: NatsServer, shared_shelf: str) -> None:
    adapters = {"adapters": f"{KB}=lora1"}
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url, **adapters) as running:
        answer = (await running.ask(LEAVE)).answer
        assert (answer.adapter, engine.requests[-1]["model"]) == ("lora1", "lora1")
        assert (await running.ask(LEAVE, kb="other")).answer.adapter == ""
        assert engine.requests[-1]["model"] == MODEL
        assert (await running.status()).adapters == {KB: "lora1"}


async def test_a_long_answer_and_its_prompt_fit_into_the_context_together(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    limits = {"engine_context_tokens": 1_024}
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url, **limits) as running:
        answer = (await running.ask(LEAVE, tokens_max=2_000, passages_max=50)).answer
        assert not answer.abstained
        assert engine.requests[-1]["max_tokens"] >= 512
        assert engine.requests[-1]["max_tokens"] + answer.prompt_tokens <= 1_024


async def test_an_ask_that_can_not_make_it_is_refused_at_once_and_never_reaches_the_engine(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    async with (
        stand_in(Knobs(first_token_s=1.0)) as engine,
        # Measured again because of the refusal, the engine would be asked for that.
        hub(nats_server, shared_shelf, engine.url, engine_measure_every_s=600.0) as running,
    ):
        seen = len(engine.requests)
        began = asyncio.get_running_loop().time()
        got = await running.ask(LEAVE, first_token_ms=100, deadline_ms=60_000)
        took_s = asyncio.get_running_loop().time() - began
        assert got.problem is not None
        assert (got.problem.code, got.problem.retryable) == (Refusal.DEADLINE, True)
        assert "the first token would take" in got.problem.message
        assert got.parts == []
        assert took_s < 30.0, "it waited for what it knew"
        assert len(engine.requests) == seen
        status = await running.status()
        assert status.refused == {"deadline_unreachable": 1}
        assert status.first_token_ms > 100


async def test_beyond_the_limit_of_a_site_or_of_all_an_ask_is_refused_as_busy(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    async with (
        stand_in() as engine,
        hub(nats_server, shared_shelf, engine.url, requests_max=3, engine_measure_every_s=60.0) as running,
    ):
        engine.gate.clear()
        two = [asyncio.create_task(running.ask(LEAVE)) for _ in range(2)]
        await until(lambda: engine.running == 2)
        got = await running.ask(LEAVE)
        assert got.problem is not None
        assert got.problem.code == Refusal.BUSY
        assert "a site's limit" in got.problem.message
        # The server of this test has no accounts: any site may be asked for.
        two.append(asyncio.create_task(running.ask(LEAVE, site="branch-2")))
        await until(lambda: engine.running == 3)
        got = await running.ask(LEAVE, site="branch-3")
        assert got.problem is not None
        assert (got.problem.code, "a site" in got.problem.message) == (Refusal.BUSY, False)
        engine.gate.set()
        for task in two:
            assert not (await task).answer.abstained


async def test_a_pause_of_the_operator_refuses_until_it_is_taken_back(
    nats_server: NatsServer, shared_shelf: str, tmp_path: Path
) -> None:
    pause_file = tmp_path / "paused"
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url, pause_file=pause_file) as running:
        assert (await running.ask(LEAVE)).problem is None
        pause_file.touch()
        await until_async(lambda: refused(running))
        got = await running.ask(LEAVE)
        assert got.problem is not None
        assert (got.problem.code, got.problem.retryable) == (Refusal.PAUSED, True)
        assert (await running.status()).reason == "paused by the operator"
        pause_file.unlink()
        await until_async(lambda: answered(running))


async def refused(running: Hub) -> bool:
    return (await running.ask(LEAVE)).problem is not None


async def answered(running: Hub) -> bool:
    return not await refused(running)


async def test_a_hub_without_an_engine_says_so_at_once(nats_server: NatsServer) -> None:
    async with hub(nats_server, "", "", engine="none") as running:
        got = await running.ask(LEAVE)
        assert got.problem is not None
        assert (got.problem.code, got.problem.message) == (Refusal.ENGINE, "no engine is configured")
        status = await running.status()
        assert (status.healthy, status.reason, status.engine) == (False, "no engine is configured", "none")


async def test_an_asker_who_is_gone_makes_the_engine_stop(nats_server: NatsServer, shared_shelf: str) -> None:
    long = Knobs(token_s=0.05, text=f"{SENTENCE} " * 100)
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        engine.knobs = long
        asked, got = running.request(LEAVE, tokens_max=2_000), Asked()
        task = asyncio.create_task(running.send(asked, into=got))
        await until(lambda: sum(part.kind is CloudPartKind.TOKEN for part in got.parts) > 2)
        # Another site can not take it back.
        await running.site.notify(subjects.CLOUD_CANCEL.at("branch-9"), CloudCancel(ask_id=asked.ask_id))
        count = len(got.parts)
        await until(lambda: len(got.parts) > count + 2)
        assert engine.aborted == 0
        await running.site.notify(subjects.CLOUD_CANCEL.at(SITE), CloudCancel(ask_id=asked.ask_id))
        await until(lambda: engine.aborted == 1 and engine.running == 0)
        ended = await task
        assert ended.problem is not None
        assert ended.problem.code == "cancelled"
        (used,) = await running.until_used(1)
        tokens = sum(part.kind is CloudPartKind.TOKEN for part in ended.parts)
        assert 0 < used.completion_tokens == tokens, "what was generated until then is paid for"


async def test_a_stop_takes_nothing_new_and_finishes_what_runs(nats_server: NatsServer, shared_shelf: str) -> None:
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url, drain_timeout_s=30.0) as running:
        engine.gate.clear()
        task = asyncio.create_task(running.ask(LEAVE))
        await until(lambda: engine.running == 1)
        running.stop.set()
        await until_async(lambda: takes_nothing(running))
        with pytest.raises(NoResponders):
            await running.ask(LEAVE)
        engine.gate.set()
        got = await task
        assert not got.answer.abstained
        await asyncio.wait_for(running.service, 60.0)
        assert len(await running.usage()) == 1


async def takes_nothing(running: Hub) -> bool:
    # What arrives while it stops may get no reply.
    with suppress(RequestTimeout):
        try:
            await running.status(timeout_s=1.0)
        except NoResponders:
            return True
    return False


async def test_a_site_is_told_which_of_the_passages_that_it_cites_do_not_stand_and_nothing_else(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    async with stand_in() as engine, hub(nats_server, shared_shelf, engine.url) as running:
        (citation,) = (await running.ask(NIANJIA)).answer.citations
        sound = CitedDocument(origin="branch-2", document_id="nianjia", chunk_ids=[citation.chunk_id])
        edited = CitedDocument(origin="hub", document_id="valve", chunk_ids=[b"no longer there."])
        gave_way = CitedDocument(origin="branch-3", document_id="old-leave", chunk_ids=[b"no longer there."])
        absent = CitedDocument(origin="branch-3", document_id='"; drop', chunk_ids=[b"no longer there."])
        asked = CitationsAsked(kb=KB, documents=[sound, edited, gave_way, absent])
        said = await running.site.request(subjects.CLOUD_STANDING.at(SITE), asked, CitationsStanding)
        assert said.hub_seq == 900
        listed = [(one.document_id, one.revision, one.deleted, one.replaced) for one in said.documents]
        assert listed == [("valve", 3, False, False), ("old-leave", 3, False, True), ('"; drop', 0, False, False)]
        assert len(encode(said)) < 500


async def test_a_hub_without_an_engine_can_not_say_how_citations_stand(
    nats_server: NatsServer, shared_shelf: str
) -> None:
    async with hub(nats_server, shared_shelf, "", engine="none") as running:
        with pytest.raises(ProblemReply) as refused:
            await running.site.request(subjects.CLOUD_STANDING.at(SITE), CitationsAsked(kb=KB), CitationsStanding)
        assert (refused.value.problem.code, refused.value.problem.retryable) == ("shelf_away", False)
