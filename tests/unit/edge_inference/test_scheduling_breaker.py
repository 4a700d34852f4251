"""Replicas that share a breaker, over a log in memory: who may probe, and what a replica does alone."""

import asyncio

import pytest
from nats.errors import ConnectionClosedError
from prometheus_client import CollectorRegistry

from causeway.breaker import Phase, Result, Rule
from causeway.edge_inference.breaking import SharedBreaker, Ticket
from causeway.edge_inference.scheduling_metrics import SchedulingMetrics
from causeway.proto.answers import Route
from causeway.proto.breaker import BreakerState, BreakerTurned
from tests.support.scheduling_desk import LOCAL_TEXT, Desk, Given
from tests.support.scripted_cloud import ScriptedCloud
from tests.support.turn_log import MemoryLog
from tests.support.virtual_time import JumpingLoop, elapse, run_virtually

RULE = Rule(window_calls=4, calls_min=2, open_wait_s=5.0, probe_s_max=30.0)


class Site:
    """Some replicas and the time, which only the test moves."""

    def __init__(self, replicas: int = 3, mode: str = "auto") -> None:
        self.now_s = 1_000.0
        self.log = MemoryLog()
        self.registries = [CollectorRegistry() for _ in range(replicas)]
        self.all = [
            SharedBreaker(
                self.log,
                "branch-1",
                "hub",
                f"replica-{number}",
                RULE,
                SchedulingMetrics(registry),
                clock_s=lambda: self.now_s,
                wall_ms=lambda: int(self.now_s * 1000),
                mode=mode,
            )
            for number, registry in enumerate(self.registries)
        ]

    def hear(self) -> None:
        """Everybody reads to the end, as a follower would have them do."""
        for one in self.all:
            for seq, message in enumerate(self.log.messages, start=1):
                one._take(seq, message)

    def value(self, name: str, replica: int = 0, **labels: str) -> float:
        found = self.registries[replica].get_sample_value(
            f"causeway_edge_inference_breaker_{name}", {"target": "hub"} | labels
        )
        return found or 0.0


def opened_elsewhere(until_s: float) -> BreakerTurned:
    return BreakerTurned(
        target="hub",
        state=BreakerState.OPEN,
        reason="seen elsewhere",
        failure_rate=1.0,
        slow_rate=0.0,
        calls=4,
        turns=50,
        replica="elsewhere",
        until_unix_ms=int(until_s * 1000),
        at_unix_ms=0,
    )


async def fail(one: SharedBreaker, times: int = 2) -> None:
    for _ in range(times):
        ticket = await one.acquire(1.0)
        assert ticket is not None
        one.record(ticket, Result.FAILURE, 0.1)
    await one.close()


async def probe(one: SharedBreaker) -> Ticket:
    ticket = await one.acquire(2.0)
    assert ticket is not None
    assert ticket.probe
    return ticket


async def test_what_opens_one_replica_opens_all() -> None:
    site = Site()
    await fail(site.all[0])
    site.hear()
    assert [one.state.phase for one in site.all] == [Phase.OPEN] * 3
    assert [one.look().retry_in_s for one in site.all] == [5.0] * 3
    assert site.log.messages[0].reason == "2 of 2 calls failed"
    assert (site.log.messages[0].failure_rate, site.log.messages[0].calls) == (1.0, 2)
    assert site.value("state", replica=2) == 2.0
    assert site.value("transitions_total", replica=2, state="open") == 1.0


async def test_when_the_wait_is_over_one_of_all_replicas_probes() -> None:
    site = Site()
    await fail(site.all[0])
    site.hear()
    site.now_s += 5.0
    tickets = await asyncio.gather(*(one.acquire(2.0) for one in site.all for _ in range(10)))
    assert len([ticket for ticket in tickets if ticket is not None]) == 1
    assert sum(site.value("calls_total", replica=number, outcome="refused") for number in range(3)) == 29


async def test_a_replica_that_is_behind_can_not_probe_by_what_it_does_not_know_yet() -> None:
    site = Site()
    await fail(site.all[0])
    site.hear()
    site.now_s += 5.0
    await probe(site.all[0])
    assert site.all[1].look().probe, "it has not heard of the claim"
    assert await site.all[1].acquire(2.0) is None
    assert site.all[1].state.holder == "replica-0", "and it has now"


async def test_a_good_probe_heals_all_and_a_slow_one_none() -> None:
    site = Site()
    await fail(site.all[0])
    for duration_s, phase in ((0.6, Phase.OPEN), (0.1, Phase.CLOSED)):
        site.hear()
        site.now_s += 10.0
        ticket = await probe(site.all[1])
        site.all[1].record(ticket, Result.SUCCESS, duration_s)
        await site.all[1].close()
        site.hear()
        assert {one.state.phase for one in site.all} == {phase}
    assert [message.state.value for message in site.log.messages] == [
        "open",
        "half_open",
        "open",
        "half_open",
        "closed",
    ]


async def test_a_dead_prober_keeps_nobody_waiting_longer_than_its_claim() -> None:
    site = Site()
    await fail(site.all[0])
    site.hear()
    site.now_s += 5.0
    dead = await probe(site.all[0])
    site.hear()
    site.now_s += 1.9
    assert await site.all[1].acquire(2.0) is None
    site.now_s += 0.2
    await probe(site.all[1])
    site.hear()
    site.all[0].record(dead, Result.SUCCESS, 0.1)
    assert site.all[0].state.phase is Phase.HALF_OPEN, "what comes of it later decides nothing"


async def test_with_the_bus_away_a_replica_decides_alone() -> None:
    site = Site()
    site.log.away = True
    await fail(site.all[0])
    assert (site.all[0].state.phase, site.all[1].state.phase) == (Phase.OPEN, Phase.CLOSED)
    site.now_s += 5.0
    site.all[0].record(await probe(site.all[0]), Result.SUCCESS, 0.1)
    await site.all[0].close()
    assert site.all[0].state.phase is Phase.CLOSED
    assert site.value("alone_total") == 3.0


async def test_alone_too_only_one_call_of_a_replica_probes() -> None:
    site = Site(replicas=1)
    site.log.away = True
    await fail(site.all[0])
    site.now_s += 5.0
    tickets = await asyncio.gather(*(site.all[0].acquire(2.0) for _ in range(20)))
    assert len([ticket for ticket in tickets if ticket is not None]) == 1


async def test_a_claim_that_fails_as_nobody_foresaw_is_no_ticket_and_no_error() -> None:
    site = Site(replicas=1)
    await fail(site.all[0])
    site.now_s += 5.0
    site.log.broken = ConnectionClosedError()
    assert await site.all[0].acquire(2.0) is None
    site.log.broken = None
    await probe(site.all[0])


def test_an_asker_gets_the_local_answer_where_the_claim_of_the_probe_fails_as_nobody_foresaw() -> None:
    async def run(loop: JumpingLoop) -> Given:
        site = Desk(loop, ScriptedCloud([[]]), breaker_rule=RULE)
        for _ in range(2):
            await site.ask()
        await elapse(5.0)
        site.turns.broken = ConnectionClosedError()
        return await site.ask()

    reply = run_virtually(run)
    assert (reply.told, reply.answer.text) == ((Route.EDGE, "breaker_open"), LOCAL_TEXT)


async def test_a_turn_that_could_not_be_told_is_counted_and_the_next_one_is_told() -> None:
    site = Site(replicas=1)
    site.log.broken = ConnectionClosedError()
    await fail(site.all[0])
    assert (site.log.messages, site.value("alone_total")) == ([], 1.0)
    site.log.broken = None
    site.now_s += 5.0
    site.all[0].record(await probe(site.all[0]), Result.SUCCESS, 0.1)
    await site.all[0].close()
    assert [message.state.value for message in site.log.messages] == ["half_open", "closed"]


async def test_what_came_of_a_probe_is_told_though_its_claim_went_before_the_turn_that_was_still_being_told() -> None:
    site = Site(replicas=1)
    ticket = await overtaken(site)
    site.all[0].record(ticket, Result.FAILURE, 0.1)
    await site.all[0].close()
    assert [message.state.value for message in site.log.messages] == ["half_open", "open"]


async def test_the_newest_turn_is_told_also_where_the_one_before_it_could_not_be() -> None:
    site = Site(replicas=1)
    site.log.away = True
    ticket = await overtaken(site)
    site.all[0].record(ticket, Result.SUCCESS, 0.1)

    def back() -> None:
        site.log.away = False

    site.log.before_publish = back
    await site.all[0].close()
    assert [message.state.value for message in site.log.messages] == ["closed"]


async def overtaken(site: Site) -> Ticket:
    """The ticket of a probe that is claimed at once, while the opening before it is still being told."""
    site.log.takes_s = 0.05
    for _ in range(2):
        failing = await site.all[0].acquire(1.0)
        assert failing is not None
        site.all[0].record(failing, Result.FAILURE, 0.1)
    await asyncio.sleep(0)
    site.log.takes_s = 0.0
    site.now_s += 5.0
    return await probe(site.all[0])


async def test_after_the_bus_is_back_the_log_is_right() -> None:
    site = Site()
    await fail(site.all[1])
    site.log.away = True
    await fail(site.all[0])
    site.log.away = False
    site.now_s += 4.0
    site.hear()
    assert site.all[0].state.holder == "replica-1"
    assert site.all[0].look().retry_in_s == 1.0


async def test_a_turn_that_comes_while_a_claim_is_under_way_goes_before_it() -> None:
    site = Site()
    await fail(site.all[0])
    site.hear()
    site.now_s += 5.0
    other = opened_elsewhere(site.now_s + 60.0)

    def stolen() -> None:
        site.log.before_publish = lambda: None
        site.log.messages.append(other)

    site.log.before_publish = stolen
    assert await site.all[0].acquire(2.0) is None
    assert site.all[0].state.phase is Phase.OPEN
    assert site.all[0].look().retry_in_s == 60.0


async def test_an_outcome_that_says_nothing_is_counted_and_closes_nothing() -> None:
    site = Site()
    ticket = await site.all[0].acquire(1.0)
    assert ticket is not None
    for _ in range(20):
        site.all[0].record(ticket, Result.IGNORED, 9.0)
    assert site.all[0].state.phase is Phase.CLOSED
    assert site.value("calls_total", outcome="ignored") == 20.0


@pytest.mark.parametrize(("mode", "allowed"), [("open", False), ("disabled", True)])
async def test_what_the_operator_forces_stays(mode: str, allowed: bool) -> None:
    site = Site(mode=mode)
    ordinary = Site()
    await fail(ordinary.all[0])
    site.log.messages = ordinary.log.messages
    site.hear()
    assert (await site.all[0].acquire(1.0) is not None) is allowed


async def test_a_clock_far_ahead_elsewhere_keeps_nobody_out_for_longer_than_the_rule() -> None:
    site = Site()
    site.log.messages.append(opened_elsewhere(site.now_s + 86_400.0))
    site.hear()
    assert site.all[0].look().retry_in_s == RULE.open_wait_s_max
