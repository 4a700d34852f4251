"""The cloud's client over a real leaf node, as the user of the link's account: answered, silent, and told to stop."""

import time
from contextlib import aclosing
from pathlib import Path

import pytest

from causeway.edge_inference.cloud_call import CloudCall
from causeway.edge_inference.cloud_client import LinkCloud
from causeway.edge_inference.routing import Cloud, Decision, Reason
from causeway.edge_inference.scheduling_ports import CloudFailed, CloudRefused
from causeway.proto.answers import Route
from causeway.proto.cloud import CloudAsk, CloudPartKind
from tests.support.linked_servers import linked
from tests.support.scripted_cloud import TEXT
from tests.support.stub_hub import StubHub, serve
from tests.support.waiting import until

SITE = "a"


def request(deadline_ms: int = 5_000) -> CloudAsk:
    return CloudAsk(ask_id="ask-1", kb="handbook", question="How many days?", deadline_ms=deadline_ms)


def call(client: LinkCloud, first_token_ms: float = 500.0) -> CloudCall:
    decision = Decision(
        route=Route.CLOUD, reason=Reason.UNSURE, ask=True, first_token_ms=first_token_ms, total_ms=5_000.0
    )
    return CloudCall(client, request(), decision, token_gap_ms=2_000.0, clock_s=time.monotonic)


async def test_an_answer_crosses_the_link_in_parts(tmp_path: Path) -> None:
    hub = StubHub()
    async with linked(tmp_path, sites=(SITE,)) as fleet, fleet.bus("hub") as at_hub, fleet.bus(SITE, "link") as link:
        await serve(at_hub, SITE, hub)
        client = LinkCloud(link, SITE)
        parts = [part async for part in client.ask(request())]
        kinds = [CloudPartKind.ACCEPTED, CloudPartKind.TOKEN, CloudPartKind.TOKEN, CloudPartKind.FINAL]
        assert [part.kind for part in parts] == kinds
        assert parts[-1].text == TEXT
        await client.close()
        assert hub.cancelled == []


async def test_a_hub_that_is_silent_costs_the_time_for_the_first_token(tmp_path: Path) -> None:
    async with linked(tmp_path, sites=(SITE,)) as fleet, fleet.bus(SITE, "link") as link:
        silent = call(LinkCloud(link, SITE), first_token_ms=300.0)
        began_s = time.monotonic()
        assert [piece async for piece in silent.pieces()] == []
        assert silent.outcome in (Cloud.SLOW, Cloud.UNREACHABLE)
        assert time.monotonic() - began_s < 1.0


async def test_whoever_gives_up_tells_the_hub_across_the_link(tmp_path: Path) -> None:
    hub = StubHub(then="hangs")
    async with linked(tmp_path, sites=(SITE,)) as fleet, fleet.bus("hub") as at_hub, fleet.bus(SITE, "link") as link:
        await serve(at_hub, SITE, hub)
        async with aclosing(LinkCloud(link, SITE).ask(request())) as parts:
            async for part in parts:
                if part.kind is CloudPartKind.TOKEN:
                    break
        await until(lambda: hub.cancelled == ["ask-1"])


async def test_a_refusal_is_told_from_an_engine_that_dies(tmp_path: Path) -> None:
    async with linked(tmp_path, sites=(SITE,)) as fleet, fleet.bus("hub") as at_hub, fleet.bus(SITE, "link") as link:
        hub = StubHub(then="refuses", code="deadline_unreachable")
        await serve(at_hub, SITE, hub)
        client = LinkCloud(link, SITE)
        with pytest.raises(CloudRefused) as refused:
            [part async for part in client.ask(request())]
        assert refused.value.code == "deadline_unreachable"
        hub.then = "dies"
        with pytest.raises(CloudFailed) as died:
            [part async for part in client.ask(request())]
        assert died.value.code == CloudFailed.BROKEN
        await client.close()
        assert hub.cancelled == [], "a hub that ended it itself knows"
