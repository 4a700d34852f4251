"""When the first token comes: the line that is learnt, its bounds, and that it follows an engine both ways."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.cloud_inference.admission import Gate, Load, Pace, Seen, Wanted, decided
from causeway.cloud_inference.entrance import Starved
from causeway.cloud_inference.first_token import LATE_FACTOR, UNKNOWN, FirstToken, Line

LIMIT_MS = 500.0
ASKS_A_MEASUREMENT = 25
"""At two asks at a time and five seconds between two measurements."""
tokens = st.integers(1, 4_000)
times_ms = st.floats(0, 20_000)
shares = st.floats(0, 1)


@st.composite
def known(draw: st.DrawFn) -> FirstToken:
    """Whatever a process may have seen."""
    first_token = UNKNOWN
    for _ in range(draw(st.integers(1, 12))):
        asked, ms = draw(tokens), draw(times_ms)
        uncached = max(1, round(asked * draw(shares)))
        first_token = draw(
            st.sampled_from(
                [
                    first_token.after(asked, uncached, ms),
                    first_token.after_queued(ms),
                    first_token.after_late(asked, ms, queued=False),
                    first_token.after_late(asked, ms, queued=True),
                    first_token.measured(uncached, ms),
                ]
            )
        )
    return first_token


@given(first_token=known(), asked=tokens, more=tokens)
def test_it_is_never_negative_and_a_longer_prompt_never_comes_sooner(
    first_token: FirstToken, asked: int, more: int
) -> None:
    assert first_token.line.base_ms >= 0
    assert first_token.line.slope_ms >= 0
    assert 0 < first_token.uncached_share <= 1
    assert 0 <= first_token.at_ms(asked) <= first_token.at_ms(asked + more) * (1 + 1e-9)


@given(asked=tokens, ms=st.floats(1, 20_000), other=tokens)
def test_of_one_sample_it_goes_through_it_between_constant_and_proportional(asked: int, ms: float, other: int) -> None:
    line = Line().after(asked, ms)
    constant, proportional = sorted((ms, ms * other / asked))
    assert line.at_ms(asked) == pytest.approx(ms)
    assert constant * 0.999 <= line.at_ms(other) <= proportional * 1.001


@given(first_token=known(), asked=tokens, ms=st.floats(1, 20_000), other=tokens)
def test_a_measurement_is_what_counts_whatever_was_before(
    first_token: FirstToken, asked: int, ms: float, other: int
) -> None:
    now = first_token.measured(asked, ms)
    constant, proportional = sorted((ms, ms * other / asked))
    assert (now.error_ms, now.late_ms) == (0.0, 0.0)
    assert now.line.at_ms(asked) == pytest.approx(ms)
    assert constant * 0.999 <= now.line.at_ms(other) <= proportional * 1.001


@pytest.mark.parametrize(("base_ms", "slope_ms"), [(200.0, 0.0), (0.0, 1.0), (150.0, 0.4)])
def test_two_measurements_at_different_lengths_tell_the_way_the_line_goes(base_ms: float, slope_ms: float) -> None:
    first_token = UNKNOWN.measured(300, base_ms + 300 * slope_ms).measured(1_500, base_ms + 1_500 * slope_ms)
    assert first_token.at_ms(300) == pytest.approx(base_ms + 300 * slope_ms, rel=0.25)
    assert first_token.at_ms(1_500) == pytest.approx(base_ms + 1_500 * slope_ms)


@given(
    base_ms=st.floats(10, 2_000),
    slope_ms=st.floats(0, 2),
    uncached_share=st.floats(0.2, 1),
    seed=st.integers(0, 1_000),
)
def test_it_converges_to_the_line_that_is_behind_noise(
    base_ms: float, slope_ms: float, uncached_share: float, seed: int
) -> None:
    chance, first_token = random.Random(seed), UNKNOWN
    for _ in range(60):
        asked = chance.randint(200, 1_500)
        uncached = max(1, round(asked * uncached_share))
        first_token = first_token.after(asked, uncached, (base_ms + slope_ms * uncached) * chance.uniform(0.95, 1.05))
    # The noise of long prompts is what short ones are told by: a tenth of the longest, either way.
    off_ms = 0.1 * (base_ms + slope_ms * 1_500 * uncached_share)
    for asked in (200, 700, 1_500):
        true_ms = base_ms + slope_ms * asked * uncached_share
        assert first_token.expected_ms(asked) == pytest.approx(true_ms, abs=off_ms)
        assert true_ms - off_ms < first_token.at_ms(asked) < true_ms + 1.5 * off_ms


@given(first_token=known(), asked=tokens, waited_ms=st.floats(1, 10_000), other=tokens, queued=st.booleans())
def test_a_late_one_never_makes_it_faster_and_holds_for_what_is_as_long(
    first_token: FirstToken, asked: int, waited_ms: float, other: int, queued: bool
) -> None:
    late = first_token.after_late(asked, waited_ms, queued=queued)
    assert late.at_ms(asked + other) >= LATE_FACTOR * waited_ms * (1 - 1e-9)
    assert late.at_ms(other) >= first_token.at_ms(other) * (1 - 1e-9)


def test_the_next_generation_says_how_it_is_and_one_late_one_does_not_outweigh_all_before() -> None:
    first_token = UNKNOWN
    for _ in range(10):
        first_token = first_token.after(600, 600, 200.0)
    late = first_token.after_late(600, LIMIT_MS, queued=False)
    assert late.at_ms(500) > LIMIT_MS > late.at_ms(400)
    assert late.after(600, 600, 200.0).at_ms(600) < LIMIT_MS
    assert late.after_queued(400.0).at_ms(600) < LIMIT_MS


def test_an_engine_that_has_lost_its_cache_is_not_reckoned_with_what_it_had() -> None:
    first_token = UNKNOWN
    for _ in range(20):
        first_token = first_token.after(1_000, 50, 100.0)
    for _ in range(6):
        # The watch finds that it is as fast as ever; whoever asks is late all the same.
        first_token = first_token.after_late(1_000, LIMIT_MS, queued=False).measured(300, 300.0)
    assert first_token.uncached_share > 0.5
    assert first_token.at_ms(1_000) > LIMIT_MS


@dataclass
class Simulated:
    """Asks one after another, of different lengths and cached shares, and the watch that measures after refusals."""

    seed: int
    pace: Pace = field(default_factory=Pace)
    refused: int = 0
    late: int = 0
    _starved: list[int] = field(default_factory=list)
    _measurements: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def asks(self, count: int, takes_ms: Callable[[int], float]) -> "Simulated":
        """`takes_ms` of uncached tokens. Counts of these alone are left."""
        self.refused = self.late = 0
        for number in range(count):
            if self.pace.samples == 0 or (self._starved and number % ASKS_A_MEASUREMENT == 0):
                self._measure(takes_ms)
            self._ask(takes_ms)
        return self

    def _measure(self, takes_ms: Callable[[int], float]) -> None:
        read = (max if self._measurements % 2 else min)(self._starved or [300])
        self._measurements += 1
        self._starved = []
        self.pace = self.pace.measured(
            Seen(prompt_tokens=read, first_token_ms=self._noisy(takes_ms(read)), completion_tokens=8, generation_ms=7)
        )

    def _ask(self, takes_ms: Callable[[int], float]) -> None:
        asked = self._chance.randint(200, 1_500)
        read = max(1, round(asked * (1 - self._chance.choice((0.0, self._chance.random(), 0.99)))))
        wanted = Wanted(prompt_tokens=asked, tokens_max=1, first_token_ms=LIMIT_MS, left_ms=1e9)
        took_ms = self._noisy(takes_ms(read))
        if decided(wanted, Load(slots=4), self.pace, Gate(requests_max=4)).refusal is not None:
            self.refused += 1
            self._starved.append(asked)
        elif took_ms > LIMIT_MS:
            self.late += 1
            self._starved.append(asked)
            self.pace = self.pace.after_late(
                Seen(prompt_tokens=asked, first_token_ms=LIMIT_MS, completion_tokens=0, generation_ms=0)
            )
        else:
            seen = Seen(
                prompt_tokens=read, asked_tokens=asked, first_token_ms=took_ms, completion_tokens=5, generation_ms=4
            )
            self.pace = self.pace.after(seen)

    def _noisy(self, ms: float) -> float:
        return ms * self._chance.uniform(0.85, 1.15)


SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_first_token_that_takes_as_long_whatever_is_asked_is_known_to_be_in_time(seed: int) -> None:
    simulated = Simulated(seed).asks(300, lambda _: 200.0)
    assert simulated.refused <= 0.1 * 300
    assert simulated.asks(300, lambda _: 200.0).refused <= 3


@pytest.mark.parametrize("seed", SEEDS)
def test_an_engine_that_is_too_slow_is_refused_once_that_is_learnt(seed: int) -> None:
    simulated = Simulated(seed).asks(100, lambda _: 200.0).asks(50, lambda _: 800.0)
    assert simulated.late <= 10
    assert simulated.asks(300, lambda _: 800.0).refused == 300


@pytest.mark.parametrize("seed", SEEDS)
def test_an_engine_that_is_fast_again_is_asked_again_after_the_next_measurement(seed: int) -> None:
    simulated = Simulated(seed).asks(100, lambda _: 5_000.0).asks(300, lambda _: 200.0)
    assert simulated.refused <= 2 * ASKS_A_MEASUREMENT
    assert simulated.asks(100, lambda _: 200.0).refused <= 2


@pytest.mark.parametrize("seed", SEEDS)
def test_an_engine_that_reads_long_prompts_slowly_is_asked_the_short_ones(seed: int) -> None:
    simulated = Simulated(seed).asks(300, lambda read: read * 0.5)
    assert 300 - simulated.refused - simulated.late > 150
    assert simulated.late < 50


@pytest.mark.parametrize("seed", SEEDS)
def test_where_a_measurement_is_in_time_what_was_refused_is_let_in(seed: int) -> None:
    chance, first_token = random.Random(seed), UNKNOWN
    for _ in range(chance.randint(1, 30)):
        asked = chance.randint(100, 1_500)
        first_token = first_token.after(asked, chance.randint(1, asked), chance.uniform(1_000, 60_000))
    refused = chance.randint(100, 1_500)
    assert first_token.at_ms(refused) > LIMIT_MS
    assert first_token.measured(refused + chance.randint(0, 100), 499.0).at_ms(refused) < LIMIT_MS


def test_the_shortest_and_the_longest_of_those_that_were_refused_are_known() -> None:
    starved = Starved().after(400).after(0).after(900)
    assert (starved.asks, starved.fewest, starved.most) == (3, 400, 900)
    assert (Starved().after(0).fewest, Starved().after(0).asks) == (0, 1)
