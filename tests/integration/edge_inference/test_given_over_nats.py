"""The ledger over a real nats-server: kept once, with its price, through an outage; counted where it is not kept."""

import asyncio
import logging
from pathlib import Path

import nats.errors
import pytest
from prometheus_client import CollectorRegistry

from causeway.bus import Bus
from causeway.bus.streams import declare
from causeway.edge_inference import given
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.given import Given
from causeway.edge_inference.usage_of import Tariff
from causeway.prices import Price
from causeway.proto import Message, streams
from causeway.proto.answers import Route
from causeway.proto.documents import Residency
from causeway.proto.feedback import AnswerGiven
from causeway.proto.usage import UsageRecorded
from tests.support.answers_given import answer_of, ask_of, cited
from tests.support.knowledge_builders import KB
from tests.support.nats_server import NatsServer, ServerOptions, nats_server, running_server
from tests.support.replica_site import BOUND_S, SITE, bus, bus_to
from tests.support.waiting import until, until_async

__all__ = ["bus", "nats_server"]
SECRET = "the patient of room 7"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits when a ledger is left is stored, however busy the machine is."""
    monkeypatch.setattr(given, "STOP_S", 60.0)


async def stored(bus: Bus, stream: str) -> list[Message]:
    """All that a stream holds."""
    return [delivery.message async for delivery in bus.scan(stream, [])]


def count(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """A counter's value."""
    return registry.get_sample_value(f"causeway_edge_inference_{name}", labels) or 0.0


async def test_an_answer_and_its_usage_are_kept_once_with_time_energy_and_price(bus: Bus) -> None:
    registry, chunk = CollectorRegistry(), cited("leave.md", "Every employee has twelve days.", 1)
    tariff = Tariff(watts=40.0, usd_per_kwh=0.2)
    async with Given(bus, SITE, AftermathMetrics(registry), tariff) as ledger:
        for _ in range(2):
            await ledger.given(ask_of(asker="ann", tenant="clinic"), answer_of(), [chunk])
    (answer,) = await stored(bus, streams.ANSWERS.name)
    assert isinstance(answer, AnswerGiven)
    assert (answer.answer_id, answer.asker, answer.tenant, answer.cited) == ("a1", "ann", "clinic", [chunk])
    assert (answer.question, answer.epoch, answer.kb) == (ask_of().question, {SITE: 3}, KB)
    (usage,) = await stored(bus, streams.USAGE.name)
    assert isinstance(usage, UsageRecorded)
    assert (usage.route, usage.purpose, usage.duration_ms, usage.service) == (
        Route.EDGE,
        "answer",
        15.0,
        "edge-inference",
    )
    # 10 of the 15 ms were work: 40 W for 10 ms.
    assert usage.watt_hours == pytest.approx(40 * 10 / 3_600_000)
    assert usage.cost_usd == pytest.approx(0.2 * 40 * 10 / 3_600_000 / 1000)


class Failing:
    """A publisher that fails once as no publisher should."""

    def __init__(self) -> None:
        self.failures = 1
        self.published: list[str] = []

    async def publish(self, subject: str, message: Message, *, msg_id: str, timeout_s: float | None = None) -> object:
        if self.failures:
            self.failures -= 1
            raise nats.errors.OutboundBufferLimitError
        self.published.append(msg_id)
        return None


async def test_an_answer_that_fails_unforeseen_is_counted_and_the_next_is_kept() -> None:
    registry, publisher = CollectorRegistry(), Failing()
    async with Given(publisher, SITE, AftermathMetrics(registry)) as ledger:
        await ledger.given(ask_of(), answer_of("a1"), [])
        await ledger.given(ask_of(), answer_of("a2"), [])
        await until(lambda: len(publisher.published) == 2)
    assert publisher.published == ["a2", "a2:answer"]
    assert count(registry, "answers_unkept_total", what="answer", reason="unexpected") == 1


async def test_energy_is_unknown_where_nobody_said_what_the_machine_draws(bus: Bus) -> None:
    async with Given(bus, SITE, AftermathMetrics(CollectorRegistry())) as ledger:
        await ledger.given(ask_of(), answer_of(), [])
    (usage,) = await stored(bus, streams.USAGE.name)
    assert isinstance(usage, UsageRecorded)
    assert (usage.watt_hours, usage.cost_usd) == (None, 0.0)


@pytest.mark.parametrize(
    ("said_usd", "configured", "expected"),
    [(0.007, None, 0.007), (0.0, None, 0.00045), (0.0, Price(model="own", input=1.0, output=2.0), 0.002)],
    ids=["the hub says it", "by the table", "by the operator"],
)
async def test_a_cloud_answer_costs_what_the_hub_says_else_its_price(
    bus: Bus, said_usd: float, configured: Price | None, expected: float
) -> None:
    answer = answer_of(
        route=Route.CLOUD,
        model="gpt-4o-mini",
        prompt_tokens=1_000,
        completion_tokens=500,
        cost_usd=said_usd,
        watt_hours=0.4,
    )
    async with Given(bus, SITE, AftermathMetrics(CollectorRegistry()), Tariff(watts=40.0, cloud=configured)) as ledger:
        await ledger.given(ask_of(), answer, [])
    (usage,) = await stored(bus, streams.USAGE.name)
    assert isinstance(usage, UsageRecorded)
    assert usage.cost_usd == pytest.approx(expected)
    assert (usage.watt_hours, usage.prompt_tokens, usage.completion_tokens) == (0.4, 1_000, 500)


async def test_a_fallback_bears_what_the_hub_had_cost_and_its_own_work_once(bus: Bus) -> None:
    times = {"wait": 1.0, "read": 9.0, "local": 10.0, "cloud": 500.0, "cloud_first_token": 400.0, "total": 511.0}
    answer = answer_of(route=Route.FALLBACK, prompt_tokens=100, cost_usd=0.003, watt_hours=0.2, latency_ms=times)
    tariff = Tariff(watts=40.0, usd_per_kwh=1_000.0)
    async with Given(bus, SITE, AftermathMetrics(CollectorRegistry()), tariff) as ledger:
        await ledger.given(ask_of(), answer, [])
    (usage,) = await stored(bus, streams.USAGE.name)
    assert isinstance(usage, UsageRecorded)
    assert (usage.route, usage.watt_hours, usage.duration_ms) == (Route.FALLBACK, 0.2, 511.0)
    assert usage.cost_usd == pytest.approx(0.003 + 40 * 9 / 3_600_000)


async def test_what_is_given_while_the_server_is_away_is_kept_when_it_is_back(
    bus: Bus, nats_server: NatsServer
) -> None:
    registry = CollectorRegistry()
    async with bus_to(nats_server, "edge-inference") as own:
        async with Given(own, SITE, AftermathMetrics(registry)) as ledger:
            nats_server.freeze()
            for number in range(5):
                await ledger.given(ask_of(), answer_of(f"a{number}"), [])
            assert count(registry, "answers_waiting") >= 4
            nats_server.thaw()
            await until(lambda: count(registry, "answers_kept_total", what="usage") == 5)

        async def all_there() -> bool:
            return await bus.count(streams.ANSWERS.name) == 5

        await until_async(all_there)


async def test_a_full_queue_drops_and_counts_and_no_asker_waits(bus: Bus, nats_server: NatsServer) -> None:
    registry = CollectorRegistry()
    ledger = Given(bus, SITE, AftermathMetrics(registry), queue_max=3)
    async with asyncio.timeout(BOUND_S):
        for number in range(10):
            await ledger.given(ask_of(), answer_of(f"a{number}"), [])
    assert count(registry, "answers_unkept_total", what="answer", reason="queue_full") == 7
    async with ledger:
        pass
    assert await bus.count(streams.ANSWERS.name) == 3


async def test_an_answer_without_an_id_or_too_large_for_a_message_is_counted_not_kept(bus: Bus) -> None:
    registry = CollectorRegistry()
    async with Given(bus, SITE, AftermathMetrics(registry)) as ledger:
        await ledger.given(ask_of(), answer_of(answer_id=""), [])
        await ledger.given(ask_of(), answer_of(text="x" * 20_000_000), [])
        await ledger.given(ask_of(), answer_of("fits"), [])
    assert count(registry, "answers_unkept_total", what="answer", reason="no_id") == 1
    assert count(registry, "answers_unkept_total", what="answer", reason="too_large") == 1
    (answer,) = await stored(bus, streams.ANSWERS.name)
    assert isinstance(answer, AnswerGiven)
    assert answer.answer_id == "fits"


@pytest.mark.parametrize("cipher", ["", "aes"])
async def test_what_is_kept_is_encrypted_where_the_site_is(tmp_path: Path, cipher: str) -> None:
    options = ServerOptions(cipher=cipher, key="a key of the tests" if cipher else "")
    with running_server(tmp_path / "sealed", options) as server:
        async with bus_to(server) as bus:
            await declare(bus, fresh=True)
            async with Given(bus, SITE, AftermathMetrics(CollectorRegistry())) as ledger:
                await ledger.given(ask_of(question=f"Who is {SECRET}?"), answer_of(text=f"It is {SECRET}."), [])
            assert await bus.count(streams.ANSWERS.name) == 1
        on_disk = b"".join(path.read_bytes() for path in server.store_dir.rglob("*") if path.is_file())
    assert (SECRET.encode() in on_disk) is not bool(cipher)


class Refusing:
    """A bus that never takes anything."""

    async def publish(self, subject: str, message: Message, *, msg_id: str, timeout_s: float | None = None) -> object:
        raise TimeoutError(SECRET)


async def test_attempts_have_a_limit_and_no_text_of_a_restricted_answer_is_in_any_log_or_label(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = CollectorRegistry()
    caplog.set_level(logging.DEBUG)
    ask = ask_of(question=f"Who is {SECRET}?", residency=Residency.RESTRICTED, asker=SECRET)
    answer = answer_of(text=f"It is {SECRET}.", residency=Residency.RESTRICTED)
    async with Given(Refusing(), SITE, AftermathMetrics(registry), pauses_s=(0.0,)) as ledger:
        await ledger.given(ask, answer, [])
        await until(lambda: count(registry, "answers_unkept_total", what="usage", reason="not_published") == 1)
    assert count(registry, "answers_kept_retries_total", what="answer") == 5
    assert count(registry, "answers_unkept_total", what="answer", reason="not_published") == 1
    assert any(record.message == "not kept" for record in caplog.records)
    assert not [record for record in caplog.records if SECRET in str(vars(record))]
    labels = [str(sample.labels) for metric in registry.collect() for sample in metric.samples]
    assert labels
    assert SECRET not in " ".join(labels)
