"""How a stream of an engine may begin and end: late, with a reason, only done; without either it was broken off."""

from dataclasses import replace

import pytest

from causeway.cloud_inference.completions import Generation
from causeway.cloud_inference.errors import EngineGone, EngineTimeout
from causeway.cloud_inference.openai_http import EngineAddress, EngineLimits, OpenAiEngine
from tests.support.openai_engine import Knobs, stand_in

# No test is about these: any process may stand still for seconds on a busy machine.
LIMITS = EngineLimits(connect_s=30.0, idle_s=30.0)


async def finish_reasons(knobs: Knobs, tokens_max: int = 8) -> list[str]:
    """Those of a generation, in order."""
    asked = Generation(model="m", messages=[{"role": "user", "content": "?"}], tokens_max=tokens_max)
    async with stand_in(knobs) as stood_in:
        engine = OpenAiEngine(EngineAddress(url=stood_in.url), LIMITS)
        try:
            return [piece.finish_reason async for piece in engine.generate(asked) if piece.finish_reason]
        finally:
            await engine.close()


async def test_a_stream_that_is_done_without_a_reason_ended_by_itself() -> None:
    assert await finish_reasons(Knobs(text="Ten days.", finish=False)) == ["stop"]


@pytest.mark.parametrize("done", [True, False])
async def test_a_reason_that_was_given_stands(done: bool) -> None:
    assert await finish_reasons(Knobs(text="Ten days.", done=done), tokens_max=1) == ["length"]


async def test_a_stream_that_says_neither_was_broken_off() -> None:
    with pytest.raises(EngineGone):
        await finish_reasons(Knobs(text="Ten days.", finish=False, done=False))


async def texts(knobs: Knobs, idle_s: float) -> list[str]:
    """What is written, as it comes."""
    asked = Generation(model="m", messages=[{"role": "user", "content": "?"}], tokens_max=8)
    async with stand_in(knobs) as stood_in:
        engine = OpenAiEngine(EngineAddress(url=stood_in.url), replace(LIMITS, idle_s=idle_s))
        try:
            return [piece.text async for piece in engine.generate(asked) if piece.text]
        finally:
            await engine.close()


async def test_the_first_token_may_take_longer_than_silence_between_tokens() -> None:
    assert "".join(await texts(Knobs(text="Ten days.", first_token_s=0.8), 0.2)) == "Ten days."


async def test_silence_after_the_first_token_is_a_time_out() -> None:
    with pytest.raises(EngineTimeout, match="silence"):
        await texts(Knobs(text="Ten days.", hang_after=1), 0.2)
