"""The cloud's client over a real leaf node, as the user of the link's account: answered, silent, and told to stop."""

import asyncio
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from causeway.edge_inference.cloud_call import CloudCall
from causeway.edge_inference.cloud_client import LinkCloud
from causeway.edge_inference.routing import Cloud, Decision, Reason
from causeway.edge_inference.scheduling import SchedulingRule
from causeway.edge_inference.scheduling_ports import CloudFailed, CloudRefused
from causeway.proto.answers import Route
from causeway.proto.cloud import CloudAsk, CloudPartKind
from tests.support.line import Conditions
from tests.support.linked_servers import linked
from tests.support.scheduling_desk import Desk
from tests.support.scripted_cloud import TEXT
from tests.support.stub_hub import StubHub, serve
from tests.support.waiting import BOUND_S, until, until_async
from tests.support.wide_link import wide_link

SITE = "a"


def request(ask_id: str = "ask-1", deadline_ms: int = 60_000) -> CloudAsk:
    return CloudAsk(ask_id=ask_id, kb="handbook", question="How many days?", deadline_ms=deadline_ms)


def call(client: LinkCloud, first_token_ms: float) -> CloudCall:
    decision = Decision(
        route=Route.CLOUD, reason=Reason.UNSURE, ask=True, first_token_ms=first_token_ms, total_ms=60_000.0
    )
    return CloudCall(client, request(), decision, token_gap_ms=2_000.0, clock_s=time.monotonic)


async def served(client: LinkCloud) -> None:
    """Wait for an answer of the hub: the site's server learns only after the hub's that somebody serves it, and what is
    asked before goes nowhere."""

    async def answered() -> bool:
        try:
            return bool([part async for part in client.ask(request("first", 1_000))])
        except CloudRefused:
            return True
        except CloudFailed:
            return False

    await until_async(answered, 60.0)


async def test_an_answer_crosses_the_link_in_parts(tmp_path: Path) -> None:
    hub = StubHub()
    async with linked(tmp_path, sites=(SITE,)) as fleet, fleet.bus("hub") as at_hub, fleet.bus(SITE, "link") as link:
        await serve(at_hub, SITE, hub)
        client = LinkCloud(link, SITE)
        await served(client)
        parts = [part async for part in client.ask(request())]
        kinds = [CloudPartKind.ACCEPTED, CloudPartKind.TOKEN, CloudPartKind.TOKEN, CloudPartKind.FINAL]
        assert [part.kind for part in parts] == kinds
        assert parts[-1].text == TEXT
        await client.close()
        assert "ask-1" not in hub.cancelled


async def test_a_hub_that_is_silent_costs_the_time_for_the_first_token(tmp_path: Path) -> None:
    async with linked(tmp_path, sites=(SITE,)) as fleet, fleet.bus(SITE, "link") as link:
        silent = call(LinkCloud(link, SITE), first_token_ms=300.0)
        began_s = time.monotonic()
        assert [piece async for piece in silent.pieces()] == []
        assert silent.outcome in (Cloud.SLOW, Cloud.UNREACHABLE)
        assert time.monotonic() - began_s < BOUND_S, "long before its deadline"


async def test_whoever_gives_up_tells_the_hub_across_the_link(tmp_path: Path) -> None:
    hub = StubHub()
    async with linked(tmp_path, sites=(SITE,)) as fleet, fleet.bus("hub") as at_hub, fleet.bus(SITE, "link") as link:
        await serve(at_hub, SITE, hub)
        client = LinkCloud(link, SITE)
        await served(client)
        hub.then = "hangs"
        async with aclosing(client.ask(request())) as parts:
            async for part in parts:
                if part.kind is CloudPartKind.TOKEN:
                    break
        await until(lambda: hub.cancelled.count("ask-1") == 1)


async def test_a_refusal_is_told_from_an_engine_that_dies(tmp_path: Path) -> None:
    async with linked(tmp_path, sites=(SITE,)) as fleet, fleet.bus("hub") as at_hub, fleet.bus(SITE, "link") as link:
        hub = StubHub(then="refuses", code="deadline_unreachable")
        await serve(at_hub, SITE, hub)
        client = LinkCloud(link, SITE)
        await served(client)
        with pytest.raises(CloudRefused) as refused:
            [part async for part in client.ask(request())]
        assert refused.value.code == "deadline_unreachable"
        hub.then = "dies"
        with pytest.raises(CloudFailed) as died:
            [part async for part in client.ask(request())]
        assert died.value.code == CloudFailed.BROKEN
        await client.close()
        assert "ask-1" not in hub.cancelled, "a hub that ended it itself knows"


async def test_an_answer_that_the_deadline_ends_is_in_time_over_a_long_link_once_it_is_known(tmp_path: Path) -> None:
    """100 ms each way, and an engine that would write on beyond the deadline."""
    with wide_link(Conditions(delay_s=0.1)) as wide:
        async with (
            linked(tmp_path, sites=(SITE,), where=wide.where(SITE)) as fleet,
            fleet.bus("hub") as at_hub,
            fleet.bus(SITE, "link") as link,
        ):
            # Less than the link takes, so that no answer is in time by it alone.
            await serve(at_hub, SITE, StubHub(then="writes_on", margin_s=0.1))
            client = LinkCloud(link, SITE)
            await served(client)
            rule = SchedulingRule(first_token_ms=20_000.0, token_gap_ms=20_000.0)
            desk = Desk(asyncio.get_running_loop(), client, rule=rule)
            assert (await desk.ask(deadline_ms=6_000)).told == (Route.FALLBACK, "cloud_late")

            async def in_time() -> bool:
                told = (await desk.ask(deadline_ms=2_000)).told
                return told == (Route.CLOUD, "unsure") and 0.2 <= desk.value("link_round_trip_seconds") < 0.5

            # On a busy machine one may be late all the same: of 200 ms only the hub's 100 are kept for jitter.
            await until_async(in_time, 60.0)
            await desk.settled()
            await client.close()
