"""Shadow audits over a real nats-server with a scripted hub: agreement, cost, refusals, and what never leaves."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import nats.errors
import pytest
from prometheus_client import CollectorRegistry

from causeway.bus import Bus
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.audit_budget import AuditRule
from causeway.edge_inference.auditing import Auditing, never_busy, nothing_refuses
from causeway.edge_inference.scheduling_ports import CloudFailed, CloudRefused
from causeway.proto import streams
from causeway.proto.answers import Route
from causeway.proto.cloud import CloudAnswer, CloudAsk, CloudPart, CloudPartKind
from causeway.proto.documents import Residency
from causeway.proto.feedback import AnswerAudited
from causeway.proto.usage import UsageRecorded
from tests.support.answers_given import answer_of, ask_of
from tests.support.nats_server import NatsServer, nats_server
from tests.support.replica_site import BOUND_S, SITE, bus, bus_to
from tests.support.waiting import until

__all__ = ["bus", "nats_server"]
NOON = 20_000 * 86_400_000 + 43_200_000
ALL = AuditRule(share=1.0, per_day_max=50, usd_per_day_max=0.05, usd_each_max=0.01)


class Hub:
    """A cloud that says what it is told to, and remembers what it was asked."""

    connected = True

    def __init__(self, text: str = "Twelve days.", usd: float = 0.004, error: Exception | None = None) -> None:
        self.asked: list[CloudAsk] = []
        self.text = text
        self.usd = usd
        self.error = error

    async def ask(self, request: CloudAsk) -> AsyncGenerator[CloudPart, None]:
        self.asked.append(request)
        yield CloudPart(kind=CloudPartKind.ACCEPTED, index=0)
        if self.error is not None:
            raise self.error
        said = CloudAnswer(
            text=self.text,
            abstained=not self.text,
            language="en",
            model="scripted",
            citations=[],
            epoch={},
            prompt_tokens=300,
            completion_tokens=20,
            finish_reason="stop",
            latency_ms={},
            cost_usd=self.usd,
        )
        yield CloudPart(kind=CloudPartKind.FINAL, index=1, answer=said)


@asynccontextmanager
async def auditing(
    server: NatsServer,
    hub: Hub,
    rule: AuditRule = ALL,
    *,
    seed: int = 1,
    refusal: Callable[[], str] = nothing_refuses,
    busy: Callable[[], bool] = never_busy,
    clock_ms: Callable[[], int] = lambda: NOON,
) -> AsyncIterator[tuple[Auditing, CollectorRegistry]]:
    """Audits that have begun; it is noon."""
    registry, own = CollectorRegistry(), bus_to(server, "edge-inference")
    audits = Auditing(
        own,
        SITE,
        hub,
        AftermathMetrics(registry),
        rule,
        random.Random(seed),
        refusal=refusal,
        busy=busy,
        clock_ms=clock_ms,
    )
    async with own, audits:
        await asyncio.wait_for(audits.follower.caught_up.wait(), BOUND_S)
        yield audits, registry
        await asyncio.wait_for(audits._queue.join(), BOUND_S)


def count(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """A counter's value."""
    return registry.get_sample_value(f"causeway_edge_inference_{name}", labels) or 0.0


async def audited(bus: Bus) -> list[AnswerAudited]:
    """All that was judged."""
    found = [delivery.message async for delivery in bus.scan(streams.FEEDBACK.name, [])]
    return [message for message in found if isinstance(message, AnswerAudited)]


async def test_an_audit_says_whether_the_cloud_agrees_and_what_it_cost(bus: Bus, nats_server: NatsServer) -> None:
    hub = Hub()
    async with auditing(nats_server, hub) as (audits, _):
        await audits.consider(ask_of(), answer_of("a1", features={"answerable": 0.4}))
        await until(lambda: len(hub.asked) == 1)
        await audits._queue.join()
        hub.text = "Every employee has 30 days of annual leave."
        await audits.consider(ask_of(), answer_of("a2", text="Every employee has 12 days of annual leave."))
    found = await audited(bus)
    assert [(one.answer_id, one.agrees, one.cost_usd) for one in found] == [("a1", True, 0.004), ("a2", False, 0.004)]
    assert (found[0].features, found[0].confidence, found[0].cloud_text) == ({"answerable": 0.4}, 0.9, "Twelve days.")
    (asked, _) = hub.asked
    assert (asked.question, asked.kb, asked.language) == (ask_of().question, ask_of().kb, "en")
    usages = [delivery.message async for delivery in bus.scan(streams.USAGE.name, [])]
    assert [(one.purpose, one.route, one.cost_usd) for one in usages if isinstance(one, UsageRecorded)] == [
        ("audit", Route.CLOUD, 0.004)
    ] * 2


async def test_nothing_that_is_not_public_local_and_free_to_leave_is_ever_asked(
    bus: Bus, nats_server: NatsServer
) -> None:
    hub = Hub()
    async with auditing(nats_server, hub) as (audits, _):
        for residency in (Residency.RESTRICTED, Residency.INTERNAL):
            await audits.consider(ask_of(residency=residency), answer_of("q"))
            await audits.consider(ask_of(), answer_of("e", residency=residency))
        await audits.consider(ask_of(cloud=False), answer_of("c"))
        await audits.consider(ask_of(), answer_of("r", route=Route.CLOUD))
        await audits.consider(ask_of(), answer_of("public"))
    assert [request.ask_id for request in hub.asked] == ["audit-public"]


async def test_the_share_is_drawn_by_a_seed(bus: Bus, nats_server: NatsServer) -> None:
    drawn: list[list[str]] = []
    for seed in (7, 7, 8):
        hub = Hub(usd=0.0)
        rule = AuditRule(share=0.2, per_day_max=1_000, usd_per_day_max=1.0, usd_each_max=0.0)
        async with auditing(nats_server, hub, rule, seed=seed) as (audits, _):
            for number in range(60):
                await audits.consider(ask_of(), answer_of(f"{len(drawn)}-{number}"))
                await audits._queue.join()
        drawn.append([request.ask_id.rsplit("-", 1)[1] for request in hub.asked])
    assert drawn[0] == drawn[1] != drawn[2]
    assert 4 <= len(drawn[0]) <= 22


async def test_a_day_ends_with_its_money_across_replicas_and_restarts(bus: Bus, nats_server: NatsServer) -> None:
    hub = Hub(usd=0.01)
    async with auditing(nats_server, hub) as (one, registry), auditing(nats_server, hub) as (two, _):
        for number in range(12):
            await (one if number % 2 else two).consider(ask_of(), answer_of(f"a{number}"))
            await asyncio.gather(one._queue.join(), two._queue.join())
            await until(lambda: min(one.budget.spent_usd, two.budget.spent_usd) >= len(hub.asked) * 0.01 - 1e-9)
        assert len(hub.asked) == 5
        assert count(registry, "audits_refused_total", reason="budget") >= 3
        await until(lambda: count(registry, "audit_spent_usd") == pytest.approx(0.05))
    async with auditing(nats_server, hub) as (again, _):
        await again.consider(ask_of(), answer_of("after"))
    assert len(hub.asked) == 5


async def test_no_audit_while_the_breaker_is_open_and_its_money_comes_back(bus: Bus, nats_server: NatsServer) -> None:
    hub, reasons = Hub(), ["breaker_open"]
    async with auditing(nats_server, hub, refusal=lambda: reasons[0]) as (audits, registry):
        for number in range(20):
            await audits.consider(ask_of(), answer_of(f"a{number}"))
            await audits._queue.join()
        assert hub.asked == []
        assert count(registry, "audits_refused_total", reason="breaker_open") == 20
        reasons[0] = ""
        await audits.consider(ask_of(), answer_of("closed"))
    assert [request.ask_id for request in hub.asked] == ["audit-closed"]


@pytest.mark.parametrize(
    ("error", "outcome", "spent_usd"),
    [(CloudRefused("busy"), "refused_busy", 0.0), (CloudFailed(CloudFailed.STALLED), "failed_stalled", 0.01)],
    ids=["refused", "failed"],
)
async def test_a_refusal_costs_nothing_and_a_failure_at_most_what_was_reserved(
    bus: Bus, nats_server: NatsServer, error: Exception, outcome: str, spent_usd: float
) -> None:
    hub = Hub(error=error)
    async with auditing(nats_server, hub) as (audits, registry):
        await audits.consider(ask_of(), answer_of())
        await audits._queue.join()
        assert count(registry, "audits_total", kb=ask_of().kb, outcome=outcome) == 1
        assert audits.budget.spent_usd == spent_usd
    assert await audited(bus) == []
    used = [delivery.message async for delivery in bus.scan(streams.USAGE.name, [])]
    assert [one.cost_usd for one in used if isinstance(one, UsageRecorded)] == [spent_usd] * (spent_usd > 0)
    async with auditing(nats_server, hub) as (again, _):
        assert again.budget.spent_usd == spent_usd


async def test_a_start_reads_what_was_spent_from_the_days_beginning_on(bus: Bus, nats_server: NatsServer) -> None:
    hub = Hub(usd=0.004)
    async with auditing(nats_server, hub) as (audits, _):
        await audits.consider(ask_of(), answer_of())
        await audits._queue.join()
        (spent,) = [delivery async for delivery in bus.scan(streams.USAGE.name, [])]
    spent_at = spent.timestamp
    assert await bus.seq_before(streams.USAGE.name, spent_at - timedelta(seconds=1)) == 0
    assert await bus.seq_before(streams.USAGE.name, spent_at + timedelta(seconds=1)) == 1
    async with auditing(nats_server, hub) as (again, _):
        assert again.budget.spent_usd == pytest.approx(0.004)
    # Of another day, nothing is read again.
    tomorrow = int(spent_at.timestamp() * 1000) + 86_400_000
    async with auditing(nats_server, hub, clock_ms=lambda: tomorrow) as (later, _):
        assert later.follower.position.seq == 1
        assert later.budget.spent_usd == 0


async def test_an_audit_that_fails_unforeseen_is_counted_and_the_next_is_made(
    bus: Bus, nats_server: NatsServer
) -> None:
    hub = Hub(error=nats.errors.OutboundBufferLimitError())
    async with auditing(nats_server, hub) as (audits, registry):
        await audits.consider(ask_of(), answer_of("a1"))
        await asyncio.wait_for(audits._queue.join(), BOUND_S)
        assert count(registry, "audits_total", kb=ask_of().kb, outcome="failed_unexpected") == 1
        assert audits.budget.spent_usd == ALL.usd_each_max
        hub.error = None
        await audits.consider(ask_of(), answer_of("a2"))
        await asyncio.wait_for(audits._queue.join(), BOUND_S)
    assert [one.answer_id for one in await audited(bus)] == ["a2"]


async def test_a_cloud_that_abstains_decides_nothing(bus: Bus, nats_server: NatsServer) -> None:
    hub = Hub(text="")
    async with auditing(nats_server, hub) as (audits, registry):
        await audits.consider(ask_of(), answer_of())
        await audits._queue.join()
        assert count(registry, "audits_total", kb=ask_of().kb, outcome="undecided") == 1
    assert [(one.agrees, one.undecided) for one in await audited(bus)] == [(True, True)]
    assert await bus.count(streams.USAGE.name) == 1


async def test_a_paraphrase_is_no_disagreement_and_says_that_it_decides_nothing(
    bus: Bus, nats_server: NatsServer
) -> None:
    hub = Hub(text="Staff may be absent for half a month.")
    async with auditing(nats_server, hub) as (audits, registry):
        await audits.consider(ask_of(), answer_of())
        await audits._queue.join()
        assert count(registry, "audits_total", kb=ask_of().kb, outcome="undecided") == 1
    assert [(one.agrees, one.undecided) for one in await audited(bus)] == [(True, True)]


async def test_audits_wait_for_asks_and_what_waits_is_bounded(bus: Bus, nats_server: NatsServer) -> None:
    hub, busy = Hub(usd=0.0), [True]
    rule = AuditRule(share=1.0, per_day_max=1_000, usd_per_day_max=1.0, usd_each_max=0.0)
    async with auditing(nats_server, hub, rule, busy=lambda: busy[0]) as (audits, registry):
        await audits.consider(ask_of(), answer_of("first"))
        await until(audits._queue.empty)
        for number in range(20):
            await audits.consider(ask_of(), answer_of(f"a{number}"))
        assert hub.asked == []
        assert count(registry, "audits_refused_total", reason="queue_full") == 4
        busy[0] = False
        await until(lambda: len(hub.asked) == 17)
