"""The hub over a real vLLM of random weights: its tokens are counted, what it writes is not given, and it stops."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from causeway.cli.engine_config import EngineConfig, EngineKind
from causeway.proto import subjects
from causeway.proto.cloud import CloudCancel, CloudPartKind
from tests.support.cloud_hub import KB, SITE, Asked, Hub, hub
from tests.support.engine_process import HAS_VLLM, NO_VLLM, EngineProcess, engine_process
from tests.support.nats_server import NatsServer
from tests.support.tiny_llama import CONTEXT_TOKENS, write_tiny_llama, write_tiny_lora
from tests.support.waiting import until, until_async

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.skipif(not HAS_VLLM, reason=NO_VLLM)]
LEAVE = "How many days of paid annual leave do employees have?"
NIANJIA = "员工每年有几天带薪年休假？"


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    root: Path = tmp_path_factory.mktemp("hub-vllm")
    config = EngineConfig(
        kind=EngineKind.VLLM,
        model=str(write_tiny_llama(root / "tiny")),
        adapters={"other": str(write_tiny_lora(root / "lora"))},
        max_model_len=CONTEXT_TOKENS,
        max_num_seqs=2,
    )
    with engine_process(config, root) as process:
        yield process


@pytest.fixture
def settings(vllm: EngineProcess, tmp_path: Path) -> dict[str, object]:
    key_file = tmp_path / "engine.key"
    key_file.write_text(vllm.engine.key)
    adapters = ",".join(f"{kb}={name}" for kb, name in vllm.engine.by_kb.items())
    limits = {"engine_idle_timeout_s": 60.0, "engine_call_timeout_s": 20.0, "engine_context_tokens": CONTEXT_TOKENS}
    return {"engine": "vllm", "engine_key_file": key_file, "adapters": adapters, **limits}


async def idle(running: Hub) -> bool:
    status = await running.status()
    return (status.running, status.waiting) == (0, 0)


@pytest.mark.parametrize(("question", "kb"), [(LEAVE, KB), (NIANJIA, KB), (LEAVE, "other")])
async def test_what_random_weights_write_is_counted_and_is_no_answer(
    nats_server: NatsServer, shared_shelf: str, vllm: EngineProcess, settings: dict[str, object], question: str, kb: str
) -> None:
    async with hub(nats_server, shared_shelf, vllm.url, **settings) as running:
        got = await running.ask(question, kb=kb, tokens_max=24, deadline_ms=100_000, first_token_ms=100_000)
        answer = got.answer
        assert (answer.abstained, answer.citations) == (True, [])
        assert answer.prompt_tokens > 100
        assert 0 < answer.completion_tokens <= 24
        assert bool(answer.adapter) is (kb == "other")
        (used,) = await running.until_used(1)
        assert (used.prompt_tokens, used.completion_tokens) == (answer.prompt_tokens, answer.completion_tokens)
        again = await running.ask(question, kb=kb, tokens_max=4, deadline_ms=100_000, first_token_ms=100_000)
        assert again.answer.cached_tokens >= 128, "vLLM keeps whole blocks of a prompt that it has read"
        assert (await running.status()).ms_per_token > 0


async def test_vllm_stops_when_the_asker_is_gone(
    nats_server: NatsServer, shared_shelf: str, vllm: EngineProcess, settings: dict[str, object]
) -> None:
    async with hub(nats_server, shared_shelf, vllm.url, **settings) as running:
        asked = running.request(LEAVE, tokens_max=2_000, deadline_ms=120_000, first_token_ms=100_000)
        got = Asked()
        task = asyncio.create_task(running.send(asked, into=got))
        await until(lambda: any(part.kind is CloudPartKind.TOKEN for part in got.parts), 100.0)
        await running.site.notify(subjects.CLOUD_CANCEL.at(SITE), CloudCancel(ask_id=asked.ask_id))
        ended = await asyncio.wait_for(task, 30.0)
        assert ended.problem is not None
        assert ended.problem.code == "cancelled"
        await until_async(lambda: idle(running))
        (used,) = await running.until_used(1)
        assert used.completion_tokens < CONTEXT_TOKENS // 2
