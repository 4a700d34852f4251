"""Answers by a real llama.cpp server over its OpenAI-compatible HTTP: text, citations, tokens, and that it stops."""

import asyncio
import re
import urllib.request
from collections.abc import Iterator

import pytest

from causeway.cloud_inference.completions import Generation
from causeway.cloud_inference.openai_http import EngineAddress, EngineLimits, OpenAiEngine
from causeway.cloud_inference.prompt import Passage, TokenMeasure, assembled
from causeway.proto import subjects
from causeway.proto.cloud import CloudCancel, CloudPartKind
from tests.support.cloud_hub import SHARED, SITE, Asked, hub
from tests.support.llama_server import LlamaServer, generator_file, llama_server
from tests.support.nats_server import NatsServer
from tests.support.waiting import until, until_async

LEAVE = "How many days of paid annual leave do employees have?"
NIANJIA = "员工每年有几天带薪年休假？"
MODEL = generator_file()
pytestmark = [pytest.mark.llm, pytest.mark.skipif(not MODEL.exists(), reason=f"{MODEL} is not there: make generator")]


@pytest.fixture(scope="module")
def llama() -> Iterator[LlamaServer]:
    with llama_server(MODEL) as server:
        yield server


def running_requests(server: LlamaServer) -> int:
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=30) as page:
        found = re.search(r"^llamacpp:requests_processing (\d+)", page.read().decode(), re.MULTILINE)
    assert found is not None
    return int(found[1])


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("question", "language", "words", "document"),
    [
        (LEAVE, "en", ("ten", "10"), "leave"),
        (NIANJIA, "zh", ("十天", "10天", "10 天"), "nianjia"),
        ("Where is the emergency shut-off valve?", "en", ("north wall",), "valve"),
    ],
)
async def test_a_real_model_answers_in_the_language_of_the_question_and_cites_what_it_read(
    nats_server: NatsServer,
    shared_shelf: str,
    llama: LlamaServer,
    question: str,
    language: str,
    words: tuple[str, ...],
    document: str,
) -> None:
    settings = {"engine": "llama.cpp", "engine_sequences_max": 2, "engine_idle_timeout_s": 60.0}
    async with hub(nats_server, shared_shelf, llama.url, **settings) as running:
        got = await running.ask(question, deadline_ms=100_000, first_token_ms=100_000, passages_max=3, tokens_max=60)
        answer = got.answer
        print(f"\n{question}\n  streamed: {got.text}\n  given: {answer.text}\n  {answer.reason} {answer.latency_ms}")
        assert not answer.abstained, got.text
        assert answer.language == language
        assert any(word in answer.text for word in words)
        assert document in {citation.document_id for citation in answer.citations}
        assert answer.prompt_tokens > 100
        assert 0 < answer.completion_tokens <= 60
        (used,) = await running.until_used(1)
        assert (used.prompt_tokens, used.engine) == (answer.prompt_tokens, "llama.cpp")
        status = await running.status()
        assert status.healthy
        assert status.ms_per_token > 0


@pytest.mark.timeout(300)
async def test_a_real_engine_stops_when_the_asker_is_gone(
    nats_server: NatsServer, shared_shelf: str, llama: LlamaServer
) -> None:
    settings = {"engine": "llama.cpp", "engine_sequences_max": 2, "engine_idle_timeout_s": 60.0}
    async with hub(nats_server, shared_shelf, llama.url, **settings) as running:
        question = "Write everything that the passages say, each sentence ten times over, without stopping."
        asked = running.request(question, tokens_max=2_000, deadline_ms=120_000, first_token_ms=100_000)
        got = Asked()
        task = asyncio.create_task(running.send(asked, into=got))
        await until(lambda: any(part.kind is CloudPartKind.TOKEN for part in got.parts), 100.0)
        assert await asyncio.to_thread(running_requests, llama) == 1
        await running.site.notify(subjects.CLOUD_CANCEL.at(SITE), CloudCancel(ask_id=asked.ask_id))
        ended = await asyncio.wait_for(task, 30.0)
        assert ended.problem is not None
        assert ended.problem.code == "cancelled"

        async def idle() -> bool:
            return await asyncio.to_thread(running_requests, llama) == 0

        await until_async(idle)


@pytest.mark.timeout(300)
async def test_no_prompt_has_more_tokens_than_were_reckoned(llama: LlamaServer) -> None:
    engine = OpenAiEngine(EngineAddress(url=llama.url), EngineLimits(idle_s=100.0))
    passages = [Passage(title=title, text=" ".join(texts)) for _, _, _, title, texts in SHARED]
    try:
        for question, language in ((LEAVE, "en"), (NIANJIA, "zh")):
            prompt = assembled(question, passages, language, 1_500, TokenMeasure())
            generation = Generation(model="any", messages=prompt.messages, tokens_max=1)
            usage = [event.usage async for event in engine.generate(generation) if event.usage][-1]
            assert usage is not None
            print(f"\n{language}: reckoned {prompt.tokens}, counted {usage.prompt_tokens}")
            assert usage.prompt_tokens <= prompt.tokens <= 2.5 * usage.prompt_tokens
    finally:
        await engine.close()
