"""Who is before an ask: what generates, and what came earlier and will; nobody twice, and nobody who came later."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from causeway.cloud_inference.admission import Seen
from causeway.cloud_inference.completions import Generation, Piece
from causeway.cloud_inference.engine_load import EngineLoad
from causeway.cloud_inference.entrance import Entrance, Rules
from causeway.cloud_inference.generating import Generating
from causeway.cloud_inference.metrics import Metrics
from causeway.cloud_inference.problems import Refused
from causeway.cloud_inference.running import Running
from causeway.proto.cloud import CloudAsk, Refusal
from tests.support.scripted_engine import HANGS, ScriptedEngine
from tests.support.virtual_time import run_virtually

SLOTS = 2
TOKENS = 400


def measured() -> Entrance:
    """Open, by an engine that takes 300 ms to a first token and 10 ms for each of 20 tokens."""
    entrance = Entrance(Rules(slots=SLOTS), Metrics(CollectorRegistry()))
    entrance.down = ""
    entrance.seen(Seen(prompt_tokens=TOKENS, first_token_ms=300.0, completion_tokens=20, generation_ms=190.0))
    return entrance


@contextmanager
def entered(entrance: Entrance, name: str, site: str = "branch-1") -> Iterator[Running]:
    """An ask that has half a second to its first token, which is enough where a slot is free."""
    ask = CloudAsk(ask_id=name, kb="k", question="?", deadline_ms=5_000, first_token_ms=500)
    with entrance.enter(site, ask, asyncio.get_running_loop().time(), TOKENS) as running:
        yield running


def virtually(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test during which no time passes: half a second to a first token is not much of a busy machine's."""

    @functools.wraps(test)
    def run() -> None:
        run_virtually(lambda loop: test())

    return run


@virtually
async def test_of_a_burst_those_beyond_the_slots_are_refused_when_they_come() -> None:
    entrance = measured()
    with ExitStack() as stack:
        for number in range(SLOTS):
            stack.enter_context(entered(entrance, str(number)))
        for number in range(SLOTS, 10):
            with pytest.raises(Refused) as refused, entered(entrance, str(number)):
                pass
            assert refused.value.refusal is Refusal.DEADLINE


@virtually
async def test_an_ask_is_not_put_behind_those_that_came_after_it() -> None:
    entrance = measured()
    with entered(entrance, "first") as first, entered(entrance, "second") as second:
        entrance.admit(first, TOKENS, 20)
        entrance.admit(second, TOKENS, 20)


@virtually
async def test_an_ask_that_generates_is_counted_once() -> None:
    entrance = measured()
    engine = ScriptedEngine([Piece(text="ten"), HANGS])
    generating = Generating(engine, entrance, Generation(model="m", messages=[], tokens_max=8), TOKENS)
    with entered(entrance, "first") as first:
        pieces = generating.pieces(first, first.deadline_s)
        assert await anext(pieces) == "ten"
        with entered(entrance, "second"), pytest.raises(Refused), entered(entrance, "third"):
            pass
        await pieces.aclose()
        # It is still being checked, and no longer in the engine.
        with entered(entrance, "fourth"), entered(entrance, "fifth"):
            pass


@virtually
async def test_what_the_engine_says_of_the_same_asks_is_not_added_to_them() -> None:
    entrance = measured()
    entrance.load = EngineLoad(running=1)
    with entered(entrance, "first"), entered(entrance, "second"):
        pass


async def test_asks_of_one_id_are_counted_each_and_a_cancel_ends_them_all() -> None:
    entrance = measured()
    with entered(entrance, "same") as first:
        with entered(entrance, "same") as second:
            assert entrance.here == 2
            assert not entrance.cancel("branch-2", "same")
            assert entrance.cancel("branch-1", "same")
            assert (first.cancelled, second.cancelled) == (True, True)
        assert entrance.here == 1
    assert entrance.here == 0


def unmeasured(requests_max: int, site_requests_max: int) -> Entrance:
    """Open, by an engine of which nothing is known: only the limits refuse."""
    entrance = Entrance(
        Rules(requests_max=requests_max, site_requests_max=site_requests_max), Metrics(CollectorRegistry())
    )
    entrance.down = ""
    return entrance


async def test_a_site_that_asks_much_leaves_room_for_another() -> None:
    entrance = unmeasured(requests_max=4, site_requests_max=3)
    with ExitStack() as stack:
        mine = [stack.enter_context(entered(entrance, str(number))) for number in range(3)]
        with pytest.raises(Refused, match="3 questions of this site") as refused, entered(entrance, "4"):
            pass
        assert refused.value.refusal is Refusal.BUSY
        stack.enter_context(entered(entrance, "1", "branch-2"))
        with pytest.raises(Refused, match="4 questions are being answered"), entered(entrance, "1", "branch-3"):
            pass
        # Who is in stays in when it is looked at again.
        entrance.admit(mine[0], TOKENS, 20)
