"""A real vLLM, by the hub's own command, asked as cloud-inference asks: streams, adapters, queue, metrics, end."""

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from causeway.cli.engine_command import Engine, engine_argv
from causeway.cli.engine_config import EngineConfig, EngineKind
from causeway.cloud_inference.completions import Generation, Piece
from causeway.cloud_inference.errors import EngineBusy, EngineRefused
from causeway.cloud_inference.openai_http import OpenAiEngine
from causeway.models import HF_GENERATOR, ModelError, ModelStore
from causeway.models.settings import vllm_environment
from tests.support.engine_process import HAS_VLLM, NO_VLLM, VLLM_METRICS, EngineProcess, engine_process
from tests.support.tiny_llama import CONTEXT_TOKENS, write_tiny_llama, write_tiny_lora
from tests.support.waiting import until_async

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.skipif(not HAS_VLLM, reason=NO_VLLM)]

SEQUENCES, QUEUE = 2, 2
PARSES = """
import sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
found = make_arg_parser(FlexibleArgumentParser()).parse_args(sys.argv[1:])
graphs = found.compilation_config.cudagraph_mode.name
print(found.tensor_parallel_size, found.max_num_batched_tokens, graphs, found.enable_lora)
"""


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """One for all tests of this file: its start takes half a minute."""
    root = tmp_path_factory.mktemp("vllm")
    lora = str(write_tiny_lora(root / "finance"))
    config = EngineConfig(
        kind=EngineKind.VLLM,
        model=str(write_tiny_llama(root / "tiny")),
        adapters={"loans": lora, "bonds": lora},
        max_model_len=CONTEXT_TOKENS,
        max_num_seqs=SEQUENCES,
        max_num_queued_reqs=QUEUE,
        max_num_batched_tokens=512,
    )
    with engine_process(config, root) as process:
        yield process


def ask(text: str, model: str = "tiny", tokens_max: int = 16) -> Generation:
    return Generation(model=model, messages=[{"role": "user", "content": text}], tokens_max=tokens_max)


async def pieces(engine: OpenAiEngine, generation: Generation) -> list[Piece]:
    return [piece async for piece in engine.generate(generation)]


def text_of(found: list[Piece]) -> str:
    return "".join(piece.text for piece in found)


def completed(found: list[Piece]) -> int:
    return next(piece.usage.completion_tokens for piece in reversed(found) if piece.usage)


async def test_text_comes_token_by_token_and_ends_with_what_it_took(vllm: EngineProcess) -> None:
    async with vllm.client() as engine:
        found = await pieces(engine, ask("挂失要多少钱？"))
    assert len([piece for piece in found if piece.text]) > 4
    assert [piece.finish_reason for piece in found if piece.finish_reason] == ["length"]
    assert completed(found) == 16


async def test_the_same_question_has_the_same_answer(vllm: EngineProcess) -> None:
    async with vllm.client() as engine:
        first, second = await pieces(engine, ask("How often?")), await pieces(engine, ask("How often?"))
    assert text_of(first) == text_of(second) != ""


async def test_an_adapter_is_chosen_by_its_name_and_really_applied(vllm: EngineProcess) -> None:
    assert vllm.engine.by_kb == {"loans": "finance", "bonds": "finance"}
    async with vllm.client() as engine:
        assert set(await engine.models()) == {"tiny", "finance"}
        plain = await pieces(engine, ask("What does it cost?"))
        adapted = await pieces(engine, ask("What does it cost?", model="finance"))
        with pytest.raises(EngineRefused, match="404"):
            await pieces(engine, ask("What does it cost?", model="nobody"))
    assert text_of(plain) != text_of(adapted)


async def test_what_is_beyond_its_queue_is_refused_at_once_and_counted(vllm: EngineProcess) -> None:
    async with vllm.client() as engine:
        asks = [pieces(engine, ask(f"Question {number}?", tokens_max=400)) for number in range(12)]
        ends = await asyncio.gather(*asks, return_exceptions=True)
    busy = [end for end in ends if isinstance(end, EngineBusy)]
    answered = [end for end in ends if isinstance(end, list)]
    assert len(busy) + len(answered) == len(ends)
    assert len(answered) >= SEQUENCES
    assert busy
    rejected = _values(vllm.page("/metrics"), "vllm:admission_rejections_total")
    assert sum(rejected) == len(busy)


async def test_load_and_every_metric_that_is_read_are_on_its_page(vllm: EngineProcess) -> None:
    page = vllm.page("/metrics")
    assert [name for name in VLLM_METRICS if f"\n{name}{{" not in page] == []
    async with vllm.client() as engine:
        load = await engine.load()
    assert load is not None
    assert (load.running, load.waiting) == (0, 0)


async def test_a_prompt_that_begins_like_one_before_is_not_read_again(vllm: EngineProcess) -> None:
    passage = "The pump is inspected every ten days. " * 60
    async with vllm.client() as engine:
        first = await pieces(engine, ask(passage + "How often?"))
        again = await pieces(engine, ask(passage + "By whom?"))
    cached = [next(piece.usage.cached_tokens for piece in reversed(found) if piece.usage) for found in (first, again)]
    assert cached[0] == 0
    assert cached[1] >= 128, "a whole block"


async def test_a_request_whose_asker_is_gone_is_ended(vllm: EngineProcess) -> None:
    made = "vllm:generation_tokens_total"
    before = sum(_values(vllm.page("/metrics"), made))
    async with vllm.client() as engine:
        stream = engine.generate(ask("Tell me everything.", tokens_max=1_500))
        async with aclosing(stream):
            async for piece in stream:
                if piece.text:
                    break

        async def idle() -> bool:
            load = await engine.load()
            return load is not None and load.running == 0

        await until_async(idle, 30.0)
    assert 0 < sum(_values(vllm.page("/metrics"), made)) - before < 1_000


async def test_a_prompt_that_is_too_long_is_refused_and_not_cut(vllm: EngineProcess) -> None:
    async with vllm.client() as engine:
        with pytest.raises(EngineRefused, match="400"):
            await pieces(engine, ask("word " * 4_000))


def test_nobody_without_the_key_may_generate_while_health_and_metrics_are_open(vllm: EngineProcess) -> None:
    assert vllm.status("/v1/models") == 401
    assert vllm.status("/v1/models", key=vllm.engine.key) == 200
    assert (vllm.status("/health"), vllm.status("/metrics")) == (200, 200)


async def test_on_sigterm_what_runs_comes_to_its_end(vllm: EngineProcess) -> None:
    """The last of this file: the engine is gone after it."""
    async with vllm.client() as engine:
        stream = asyncio.create_task(pieces(engine, ask("A long story.", tokens_max=300)))

        async def running() -> bool:
            load = await engine.load()
            return load is not None and load.running == 1

        await until_async(running, 30.0)
        vllm.process.send_signal(signal.SIGTERM)
        found = await stream
    assert completed(found) == 300
    assert await asyncio.to_thread(vllm.process.wait, 60.0) == 0


def _values(page: str, name: str) -> list[float]:
    return [float(line.split()[-1]) for line in page.splitlines() if line.startswith(name + "{")]


def test_vllm_takes_every_option_that_it_is_given_on_gpus(tmp_path: Path) -> None:
    """No GPU is needed to read the options, and no engine is started."""
    config = EngineConfig(kind=EngineKind.VLLM, device="cuda", tensor_parallel=2, max_num_batched_tokens=512)
    engine = Engine(config=config, model=tmp_path, name="m", adapters={"finance": tmp_path})
    python = vllm_environment() / "bin" / "python"
    command = [str(python), "-c", PARSES, *engine_argv(engine, 8000)[3:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    assert done.stdout.split()[-4:] == ["2", "512", "FULL_AND_PIECEWISE", "True"]


async def test_the_packaged_model_answers_from_passages_in_both_languages(tmp_path: Path) -> None:
    try:
        ModelStore.from_settings().locate(HF_GENERATOR)
    except ModelError as error:
        pytest.skip(str(error))
    with engine_process(EngineConfig(kind=EngineKind.VLLM), tmp_path) as process:
        name = process.engine.name
        async with process.client() as engine:
            chinese = await pieces(
                engine,
                ask("资料：\n[1] 银行卡丢失后请拨打客服热线办理挂失，挂失费10元。\n问题：挂失费多少钱？", name, 48),
            )
            english = await pieces(
                engine,
                ask(
                    "Passage: The night shift made 412 gearboxes.\nHow many gearboxes were made? One sentence.",
                    name,
                    48,
                ),
            )
    assert "10" in text_of(chinese)
    assert "412" in text_of(english)
