"""llama.cpp's server as the hub runs it: behind a key, streamed, and drained on SIGTERM."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from causeway.cli.engine_config import EngineConfig, EngineKind
from causeway.cloud_inference.completions import Generation
from tests.support.engine_process import EngineProcess, engine_process
from tests.support.llama_server import generator_file
from tests.support.waiting import until_async

MODEL = generator_file()
pytestmark = [
    pytest.mark.llm,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not MODEL.exists(), reason=f"{MODEL} is not there: causeway model fetch generator"),
]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """One for all tests of this file."""
    pytest.importorskip("xllamacpp")
    config = EngineConfig(kind=EngineKind.LLAMA, model=str(MODEL), max_num_seqs=2, max_model_len=1024)
    with engine_process(config, tmp_path_factory.mktemp("llama")) as process:
        yield process


def ask(text: str, process: EngineProcess, tokens_max: int) -> Generation:
    return Generation(model=process.engine.name, messages=[{"role": "user", "content": text}], tokens_max=tokens_max)


def test_only_health_is_open_and_pages_that_show_prompts_are_shut(llama: EngineProcess) -> None:
    assert llama.status("/health") == 200
    assert [llama.status(path) for path in ("/v1/models", "/metrics", "/slots", "/props")] == [401] * 4
    assert llama.status("/v1/models", key=llama.engine.key) == 200
    assert llama.status("/slots", key=llama.engine.key) != 200


async def test_it_streams_and_says_its_load_and_what_a_text_takes(llama: EngineProcess) -> None:
    async with llama.client() as engine:
        stream = engine.generate(ask("资料：挂失费10元。问题：挂失费多少钱？", llama, 24))
        text = "".join([piece.text async for piece in stream])
        load = await engine.load()
        assert await engine.models() == [llama.engine.name]
        assert (await engine.count_tokens("挂失费10元", llama.engine.name) or 0) > 3
    assert "10" in text
    assert load is not None
    assert load.waiting == 0


async def test_on_sigterm_llama_finishes_what_it_writes(llama: EngineProcess) -> None:
    """The last of this file: the engine is gone after it."""
    async with llama.client() as engine:

        async def story() -> int:
            stream = engine.generate(ask("Count from 1 to 40.", llama, 60))
            return max([piece.usage.completion_tokens if piece.usage else 0 async for piece in stream])

        asked = asyncio.create_task(story())

        async def running() -> bool:
            load = await engine.load()
            return load is not None and load.running == 1

        await until_async(running, 30.0)
        llama.process.send_signal(signal.SIGTERM)
        assert await asked > 20
    assert await asyncio.to_thread(llama.process.wait, 60.0) == 0
