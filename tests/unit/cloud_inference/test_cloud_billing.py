"""What is billed of a generation: what the engine counted, what it wrote, and nothing where it never began."""

import asyncio
from contextlib import aclosing, suppress

import pytest
from prometheus_client import CollectorRegistry

from causeway.cloud_inference.billing import Bill, Billing, Tariff
from causeway.cloud_inference.completions import Generation, Piece, Usage
from causeway.cloud_inference.entrance import Entrance, Rules
from causeway.cloud_inference.errors import EngineBusy, EngineError, EngineGone, EngineRefused
from causeway.cloud_inference.generating import Generating
from causeway.cloud_inference.metrics import Metrics
from causeway.cloud_inference.running import OutOfTime, Running
from causeway.prices import Price
from causeway.proto.cloud import CloudAsk
from causeway.proto.usage import UsageRecorded
from tests.support.scripted_engine import HANGS, ScriptedEngine, Step

PRICE = Price(model="m", input=2.0, output=10.0)
RECKONED = 900
IN_TIME_S = 0.05


async def billed(*steps: Step) -> UsageRecorded:
    """The event of a generation that went so, and nothing came of it but what the steps say."""
    metrics, used = Metrics(CollectorRegistry()), list[UsageRecorded]()
    engine = ScriptedEngine(steps)
    generation = Generation(model="m", messages=[], tokens_max=8)
    generating = Generating(engine, Entrance(Rules(), metrics), generation, RECKONED)
    ask = CloudAsk(ask_id="1", kb="k", question="?", deadline_ms=1_000, first_token_ms=1_000)
    bill = Billing(Tariff(price=PRICE), metrics, used=used.append).bill("branch-1", ask, generating)
    with suppress(EngineError, OutOfTime):
        await spent(bill, generating)
    (event,) = used
    return event


async def spent(bill: Bill, generating: Generating) -> None:
    until_s = asyncio.get_running_loop().time() + IN_TIME_S
    running = Running(site="branch-1", ask_id="1", began_s=0.0, deadline_s=until_s, first_token_s=until_s)
    with bill:
        async with aclosing(generating.pieces(running, until_s)) as pieces:
            async for _ in pieces:
                pass


@pytest.mark.parametrize(
    "steps",
    [
        (EngineBusy("status 503"),),
        (EngineRefused("status 404"),),
        (EngineGone("connection refused"),),
        (HANGS,),
        (Piece(), HANGS),
    ],
)
async def test_a_prompt_that_the_engine_never_began_to_answer_is_not_billed(steps: tuple[Step, ...]) -> None:
    event = await billed(*steps)
    assert (event.prompt_tokens, event.completion_tokens, event.cost_usd) == (0, 0, 0.0)


@pytest.mark.parametrize("end", [EngineGone("it broke off"), HANGS])
async def test_what_was_broken_off_after_its_first_token_is_billed_as_it_was_reckoned(end: Step) -> None:
    event = await billed(Piece(text="Ten"), Piece(text=" days"), end)
    assert (event.prompt_tokens, event.completion_tokens) == (RECKONED, 2)
    assert event.cost_usd == pytest.approx((RECKONED * 2.0 + 2 * 10.0) / 1_000_000)


async def test_what_the_engine_counted_is_billed_also_where_it_wrote_nothing() -> None:
    event = await billed(Piece(usage=Usage(prompt_tokens=700, completion_tokens=0)), EngineGone("it broke off"))
    assert (event.prompt_tokens, event.completion_tokens) == (700, 0)
    assert event.cost_usd == pytest.approx(700 * 2.0 / 1_000_000)
