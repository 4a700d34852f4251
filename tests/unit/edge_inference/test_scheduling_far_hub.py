"""The scheduler and a hub at the end of a long link, in virtual time: what the hub is given, and when a reply comes."""

from typing import Any

import pytest

from causeway.edge_inference.pace import NEWS_S
from causeway.proto.answers import Route
from tests.support.scheduling_desk import Desk, Given
from tests.support.scripted_cloud import FarHub, ScriptedCloud, Step, accepted, final, token
from tests.support.virtual_time import JumpingLoop, elapse, run_virtually

NEAR_S = 0.001


def at_the_end_of_a_link(hub: FarHub, asks: int = 2, **ask: Any) -> tuple[list[Given], Desk]:
    """The same question again and again to a site whose hub is far away."""

    async def run(loop: JumpingLoop) -> tuple[list[Given], Desk]:
        site = Desk(loop, hub)
        replies = [await site.ask(**ask) for _ in range(asks)]
        await site.settled()
        return replies, site

    return run_virtually(run)


def test_an_answer_that_the_deadline_ends_is_in_time_once_the_link_is_known() -> None:
    hub = FarHub(one_way_s=0.1)
    replies, site = at_the_end_of_a_link(hub, asks=3, deadline_ms=2_000)
    assert [reply.told for reply in replies] == [(Route.FALLBACK, "cloud_late"), *[(Route.CLOUD, "unsure")] * 2]
    assert [reply.took_s for reply in replies] == pytest.approx([1.95, 1.92, 1.92], abs=0.002)
    assert [asked.first_token_ms for asked in hub.asked] == pytest.approx([500, 300, 300], abs=1)
    assert [asked.deadline_ms for asked in hub.asked] == pytest.approx([1_950, 1_750, 1_750], abs=1)
    assert site.value("link_round_trip_seconds") == pytest.approx(0.2)


def test_a_first_token_that_the_link_would_make_late_is_refused_at_once() -> None:
    replies, _ = at_the_end_of_a_link(FarHub(one_way_s=0.1, first_s=0.35))
    assert [reply.told[1] for reply in replies] == ["cloud_slow", "refused_deadline"]
    assert [reply.took_s for reply in replies] == pytest.approx([0.5, 0.2], abs=NEAR_S)


def test_nobody_is_asked_in_time_that_the_link_takes_alone() -> None:
    hub = FarHub(one_way_s=0.1, first_s=0.01)
    replies, _ = at_the_end_of_a_link(hub, deadline_ms=290)
    assert [reply.told for reply in replies] == [(Route.FALLBACK, "cloud_late"), (Route.EDGE, "no_time")]
    assert len(hub.asked) == 1


def test_what_the_hub_did_before_it_accepted_is_not_taken_for_the_link() -> None:
    """It says of a whole answer how long it had it."""
    script: list[Step] = [(0.3, accepted()), (0.05, token(1, "Every ")), (0.05, final(latency_ms={"total": 380.0}))]

    async def run(loop: JumpingLoop) -> ScriptedCloud:
        cloud = ScriptedCloud([script])
        site = Desk(loop, cloud)
        for _ in range(2):
            await site.ask(deadline_ms=2_000)
        await site.settled()
        return cloud

    asked = run_virtually(run).asked
    assert [one.deadline_ms for one in asked] == [1_950, pytest.approx(1_930, abs=1)]


def test_a_link_that_was_slow_long_ago_is_not_known() -> None:
    hub = FarHub(one_way_s=0.1)

    async def run(loop: JumpingLoop) -> None:
        site = Desk(loop, hub)
        for waits_s in (0.0, NEWS_S + 1):
            await elapse(waits_s)
            await site.ask(deadline_ms=2_000)
        await site.settled()

    run_virtually(run)
    assert [asked.deadline_ms for asked in hub.asked] == [1_950, 1_950]
