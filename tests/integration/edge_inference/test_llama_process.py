"""The local model in a process of its own: it answers, it can be cancelled, it dies with its owner."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from causeway.edge_inference.errors import GenerationError
from causeway.edge_inference.llama import LlamaGenerator
from causeway.edge_inference.ports import Prompt

MODELS = Path(os.environ.get("CAUSEWAY_MODELS", Path.cwd() / ".models"))
NAME = "qwen2.5-coder-0.5b-instruct"
MODEL = MODELS / NAME / f"{NAME}-q4_k_m.gguf"
PROMPT = Prompt(
    question="How tall is the tower?",
    passages=["The tower is 330 metres tall and was finished in 1889."],
    language="en",
)
pytestmark = [pytest.mark.llm, pytest.mark.skipif(not MODEL.exists(), reason=f"{MODEL} is not there: make generator")]


async def written(generator: LlamaGenerator, timeout_s: float = 100.0) -> str:
    return "".join([piece async for piece in generator.generate(PROMPT, timeout_s=timeout_s)])


async def test_the_model_answers_is_cancelled_and_replaced_after_a_crash() -> None:
    generator = LlamaGenerator(MODEL)
    try:
        await generator.start()
        assert "330" in await written(generator)

        stream = generator.generate(PROMPT, timeout_s=100.0)
        await anext(stream)
        await stream.aclose()
        assert "330" in await written(generator)

        with pytest.raises(GenerationError, match="longer than"):
            await written(generator, timeout_s=0.001)
        assert "330" in await written(generator)

        assert generator.pid is not None
        os.kill(generator.pid, signal.SIGKILL)
        with pytest.raises(GenerationError, match="process ended"):
            await written(generator)
        assert "330" in await written(generator)
    finally:
        await generator.close()


async def test_a_model_that_can_not_be_loaded_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and then nothing")
    generator = LlamaGenerator(broken)
    with pytest.raises(GenerationError, match="process ended"):
        await generator.start()
    await generator.close()


_OWNER = """
import asyncio, sys
from pathlib import Path
from causeway.edge_inference.llama import LlamaGenerator
async def main():
    generator = LlamaGenerator(Path(sys.argv[1]))
    await generator.start()
    print(generator.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_the_models_process_ends_when_its_owner_is_killed() -> None:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER, str(MODEL)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    child = psutil.Process(int(owner.stdout.readline()))
    assert [connection.laddr.ip for connection in child.net_connections()] == ["127.0.0.1"]
    owner.kill()
    owner.wait()
    psutil.wait_procs([child], 10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
