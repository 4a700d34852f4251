"""What the watch spends: every measurement is billed, an hour has so many, and what is down is tried for ever."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from causeway.cloud_inference.billing import Billing, Tariff
from causeway.cloud_inference.completions import Piece
from causeway.cloud_inference.entrance import Entrance, Rules, Starved
from causeway.cloud_inference.errors import EngineGone
from causeway.cloud_inference.measurements import BACKOFF_S_MAX, Measurements, Withheld
from causeway.cloud_inference.metrics import Metrics
from causeway.cloud_inference.watching import Watch, WatchRules
from causeway.prices import Price
from causeway.proto import decode, encode
from causeway.proto.usage import UsageRecorded
from tests.support.scripted_engine import ScriptedEngine
from tests.support.waiting import until

HOUR_S = 3_600.0
FAILS = (EngineGone("the model is gone"),)
WRITES = (Piece(text="ten"), Piece(finish_reason="stop"))


class Watched:
    """A watch over an engine, at a time that a test sets."""

    def __init__(self, per_hour_max: int = 120) -> None:
        self.now_s = 1_000.0
        self.registry = CollectorRegistry()
        self.used: list[UsageRecorded] = []
        self.engine = ScriptedEngine(WRITES)
        metrics = Metrics(self.registry)
        self.entrance = Entrance(Rules(), metrics)
        self._metrics = metrics
        self.watch = self.made(WatchRules(every_s=2.0, measures_per_hour_max=per_hour_max))

    def made(self, rules: WatchRules) -> Watch:
        """A watch by these rules."""
        tariff = Tariff(price=Price(model="m", input=2.0, output=10.0))
        billing = Billing(tariff, self._metrics, used=self.used.append, unix_ms=lambda: 7)
        return Watch(self.engine, self.entrance, rules, billing, self._metrics, clock_s=lambda: self.now_s)

    async def looks(self, for_s: float, *, starving: bool = False) -> int:
        """Look every two seconds for so long. Returns how often the engine generated."""
        before, end_s = len(self.engine.generations), self.now_s + for_s
        while self.now_s < end_s:
            if starving:
                self.entrance.starved = Starved(asks=1, fewest=100, most=1_500)
            await self.watch.look()
            self.now_s += 2.0
        return len(self.engine.generations) - before

    def stumbles(self) -> float:
        return self.registry.get_sample_value("causeway_cloud_inference_watch_failures_total") or 0.0

    def withheld(self, reason: str) -> float:
        name = "causeway_cloud_inference_measurements_withheld_total"
        return self.registry.get_sample_value(name, {"reason": reason}) or 0.0


async def test_a_measurement_is_billed_to_the_hub_with_its_own_purpose() -> None:
    watched = Watched()
    await watched.watch.look()
    (event,) = watched.used
    assert (event.site, event.purpose, event.model, event.completion_tokens) == ("hub", "measurement", "m", 1)
    assert event.prompt_tokens > 0
    assert event.cost_usd > 0
    assert decode(encode(event), UsageRecorded) == event, "whoever reads USAGE can read it"
    cost = watched.registry.get_sample_value("causeway_cloud_inference_cost_usd_total", {"site": "hub"})
    assert cost == event.cost_usd


async def test_asks_that_are_refused_all_day_cost_no_more_measurements_than_the_hour_has() -> None:
    watched = Watched(per_hour_max=20)
    assert await watched.looks(HOUR_S, starving=True) <= 20
    assert 8 <= await watched.looks(HOUR_S, starving=True) <= 12
    assert watched.withheld("hour") > 100
    assert len(watched.used) == len(watched.engine.generations)


async def test_an_engine_that_is_well_and_does_not_generate_is_tried_each_minute_at_the_latest() -> None:
    watched = Watched(per_hour_max=2)
    watched.engine.steps = FAILS
    assert 55 <= await watched.looks(HOUR_S) <= 66
    assert watched.withheld("backoff") > 1_000
    assert watched.entrance.down, "what was not tried is not well"
    watched.engine.steps = WRITES
    assert await watched.looks(BACKOFF_S_MAX + 2.0) == 1
    assert not watched.entrance.down


async def test_a_look_that_fails_as_nobody_expected_is_told_and_the_next_one_is_made() -> None:
    watched, stop = Watched(), asyncio.Event()
    watched.watch = watched.made(WatchRules(every_s=0.001))
    watched.engine.ill = OverflowError("cannot convert float infinity to integer")
    watching = asyncio.create_task(watched.watch.until(stop))
    await until(lambda: watched.stumbles() >= 2)
    assert "float infinity" in watched.entrance.down
    watched.engine.ill = None
    await until(lambda: not watched.entrance.down)
    stop.set()
    await asyncio.wait_for(watching, 5.0)


async def test_an_engine_that_says_that_it_is_well_again_is_tried_at_once() -> None:
    watched = Watched()
    watched.engine.steps = FAILS
    await watched.looks(300.0)
    watched.engine.ill = EngineGone("it is started again")
    assert await watched.looks(10.0) == 0
    watched.engine.ill, watched.engine.steps = None, WRITES
    assert await watched.looks(2.0) == 1
    assert not watched.entrance.down


@given(
    per_hour_max=st.integers(1, 200),
    gaps_s=st.lists(st.floats(0, 600), max_size=400),
)
def test_no_hour_has_more_than_its_number(per_hour_max: int, gaps_s: list[float]) -> None:
    measurements, now_s, made = Measurements(per_hour_max=per_hour_max, every_s=2.0), 0.0, []
    for gap_s in gaps_s:
        now_s += gap_s
        if measurements.withheld(now_s, down=False) is None:
            measurements = measurements.made(now_s, failed=False)
            made.append(now_s)
    for end_s in made:
        within = [at_s for at_s in made if end_s - HOUR_S < at_s <= end_s]
        assert len(within) <= max(per_hour_max, 2)


def test_the_wait_doubles_with_each_failure_and_ends_at_a_minute() -> None:
    measurements, waits_s = Measurements(per_hour_max=1_000, every_s=2.0), []
    for _ in range(8):
        measurements = measurements.made(0.0, failed=True)
        waits_s.append(measurements.backoff_s)
        assert measurements.withheld(measurements.backoff_s - 0.1, down=True) is Withheld.BACKOFF
        assert measurements.withheld(measurements.backoff_s, down=True) is None
    assert waits_s == [4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]
