"""An engine whose first token takes as long whatever the prompt is: over real NATS, whoever has the time is let in."""

import asyncio
import random
import re
from collections import Counter

import pytest

from causeway.proto.answers import Problem
from tests.support.cloud_hub import Hub, hub
from tests.support.nats_server import NatsServer
from tests.support.openai_engine import Knobs, StandIn, stand_in
from tests.support.waiting import pause

pytestmark = [pytest.mark.model, pytest.mark.slow]
LEAVE = "How many days of paid annual leave do employees have?"
FIRST_TOKEN_S = 0.2
LIMIT_MS = 500
ENOUGH_MS = 300
"""Half as much again as the engine takes. A search on a busy machine may leave less, which is refused rightly."""
ASKS = 100
AT_ONCE = 2
WRONGLY_REFUSED_MAX = 10
# As the service is shipped.
WATCH = {"engine_watch_every_s": 2.0, "engine_measure_every_s": 5.0}


@pytest.mark.parametrize("cached_tokens_max", [0, 350])
async def test_of_asks_that_have_the_time_hardly_any_is_refused_however_long_and_however_much_is_cached(
    nats_server: NatsServer, shared_shelf: str, cached_tokens_max: int
) -> None:
    async with (
        stand_in(Knobs(first_token_s=FIRST_TOKEN_S)) as engine,
        hub(nats_server, shared_shelf, engine.url, **WATCH) as running,
    ):
        outcomes = await asked_many(running, engine, random.Random(cached_tokens_max), cached_tokens_max)
    print("cached at most", cached_tokens_max, outcomes)
    assert sum(outcomes.values()) == ASKS
    assert outcomes["refused with enough time"] <= WRONGLY_REFUSED_MAX


async def asked_many(running: Hub, engine: StandIn, chance: random.Random, cached_tokens_max: int) -> Counter[str]:
    """What became of ASKS, AT_ONCE at a time, of very different lengths."""
    left = list(range(ASKS))
    outcomes: Counter[str] = Counter()

    async def asker() -> None:
        while left:
            left.pop()
            engine.knobs.cached_tokens = chance.randint(0, cached_tokens_max)
            question, passages_max = " ".join([LEAVE] * chance.randint(1, 20)), chance.randint(1, 5)
            got = await running.ask(question, passages_max=passages_max, first_token_ms=LIMIT_MS, deadline_ms=1_500)
            outcomes[outcome(got.problem)] += 1
            if got.problem is not None:
                # As long as an answer would have taken, so that the watch comes to measure.
                await pause(FIRST_TOKEN_S)

    await asyncio.gather(*(asker() for _ in range(AT_ONCE)))
    return outcomes


def outcome(problem: Problem | None) -> str:
    if problem is None:
        return "answered"
    had = re.search(r"first token would take .* and has (\d+) ms", problem.message)
    if had is None:
        return problem.code
    return "refused with enough time" if int(had[1]) >= ENOUGH_MS else "refused with too little time"
