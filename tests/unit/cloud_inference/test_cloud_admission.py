"""Admission: who is refused and why, and that the estimates move the way they must."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.cloud_inference.admission import Gate, Load, Pace, Seen, Wanted, decided, estimated
from causeway.cloud_inference.first_token import FirstToken, Line
from causeway.proto.cloud import Refusal


def proportional(prompt_ms: float) -> FirstToken:
    """A first token that takes so many ms per token, whatever the length."""
    return FirstToken(line=Line(growing=1.0).after(100, 100 * prompt_ms))


PACE = Pace(first_token=proportional(1.0), output_ms=10.0, completion_tokens=40.0, samples=5)
WANTED = Wanted(prompt_tokens=400, tokens_max=256, first_token_ms=500.0, left_ms=5_000.0)
OPEN = Gate(here=0, requests_max=4)
paces = st.builds(
    Pace,
    first_token=st.floats(0, 50).map(proportional),
    output_ms=st.floats(0, 500),
    completion_tokens=st.floats(1, 500),
    samples=st.integers(0, 9),
)
loads = st.builds(Load, running=st.integers(0, 64), waiting=st.integers(0, 64), slots=st.integers(1, 32))
asks = st.builds(
    Wanted,
    prompt_tokens=st.integers(1, 4_000),
    tokens_max=st.integers(1, 2_048),
    first_token_ms=st.floats(-10, 10_000),
    left_ms=st.floats(-10, 120_000),
)
samples = st.builds(
    Seen,
    prompt_tokens=st.integers(1, 4_000),
    first_token_ms=st.floats(0, 20_000),
    completion_tokens=st.integers(0, 500),
    generation_ms=st.floats(0, 60_000),
    queued=st.booleans(),
)


def test_an_ask_that_can_make_it_is_admitted() -> None:
    verdict = decided(WANTED, Load(slots=4), PACE, OPEN)
    assert verdict.refusal is None
    assert (verdict.estimate.first_token_ms, verdict.estimate.total_ms) == (400.0, 900.0)


@pytest.mark.parametrize(
    ("wanted", "gate", "refusal"),
    [
        (WANTED, replace(OPEN, paused=True, down="gone"), Refusal.PAUSED),
        (WANTED, replace(OPEN, down="gone", here=9), Refusal.ENGINE),
        (replace(WANTED, left_ms=1.0), replace(OPEN, here=4), Refusal.BUSY),
        (replace(WANTED, first_token_ms=399.0), OPEN, Refusal.DEADLINE),
        (replace(WANTED, left_ms=899.0), OPEN, Refusal.DEADLINE),
    ],
)
def test_the_first_reason_that_holds_is_the_one_that_is_given(wanted: Wanted, gate: Gate, refusal: Refusal) -> None:
    verdict = decided(wanted, Load(slots=4), PACE, gate)
    assert verdict.refusal is refusal
    assert verdict.reason


def test_an_ask_behind_others_waits_for_its_turn() -> None:
    free = estimated(400, 256, Load(running=3, slots=4), PACE)
    full = estimated(400, 256, Load(running=4, waiting=3, slots=4), PACE)
    assert free.first_token_ms == 400.0
    assert full.first_token_ms == 400.0 + 4 * 900.0 / 4


def test_nothing_measured_refuses_nobody_who_has_time() -> None:
    assert decided(WANTED, Load(running=9, waiting=9), Pace(), OPEN).refusal is None
    assert decided(replace(WANTED, left_ms=0.0), Load(), Pace(), OPEN).refusal is Refusal.DEADLINE


@given(wanted=asks, load=loads, pace=paces, here=st.integers(0, 8))
def test_whoever_is_admitted_makes_it_by_the_estimate_and_is_not_over_the_limit(
    wanted: Wanted, load: Load, pace: Pace, here: int
) -> None:
    verdict = decided(wanted, load, pace, Gate(here=here, requests_max=4))
    if verdict.refusal is None:
        assert verdict.estimate.first_token_ms <= wanted.first_token_ms
        assert verdict.estimate.total_ms <= wanted.left_ms
        assert here < 4
    else:
        assert verdict.refusal in (Refusal.BUSY, Refusal.DEADLINE)


@given(wanted=asks, load=loads, pace=paces, more=st.floats(0, 10_000))
def test_more_time_never_turns_an_admission_into_a_refusal(wanted: Wanted, load: Load, pace: Pace, more: float) -> None:
    patient = replace(wanted, first_token_ms=wanted.first_token_ms + more, left_ms=wanted.left_ms + more)
    if decided(wanted, load, pace, OPEN).refusal is None:
        assert decided(patient, load, pace, OPEN).refusal is None


@given(wanted=asks, load=loads, pace=paces, more=st.integers(0, 64))
def test_more_waiting_never_makes_it_sooner(wanted: Wanted, load: Load, pace: Pace, more: int) -> None:
    now = estimated(wanted.prompt_tokens, wanted.tokens_max, load, pace)
    later = estimated(wanted.prompt_tokens, wanted.tokens_max, replace(load, waiting=load.waiting + more), pace)
    assert later.first_token_ms >= now.first_token_ms
    assert later.total_ms >= now.total_ms
    assert now.total_ms >= now.first_token_ms


@given(seen=st.lists(samples, min_size=1, max_size=20))
def test_the_pace_stays_within_what_was_seen(seen: list[Seen]) -> None:
    pace = Pace()
    for sample in seen:
        pace = pace.after(sample)
    after = [s.generation_ms / (s.completion_tokens - 1) for s in seen if s.completion_tokens > 1] or [0.0]
    assert pace.samples == len(seen)
    longest_ms = max(sample.first_token_ms for sample in seen)
    assert 0.0 <= pace.first_token.line.base_ms <= longest_ms * 1.000001
    assert min(0.0, *after) <= pace.output_ms <= max(after) * 1.000001


def test_a_pace_that_was_bad_once_heals_with_good_samples() -> None:
    pace = Pace().after(Seen(prompt_tokens=100, first_token_ms=10_000, completion_tokens=10, generation_ms=9_000))
    for _ in range(20):
        pace = pace.after(Seen(prompt_tokens=100, first_token_ms=100, completion_tokens=10, generation_ms=90))
    assert pace.first_token.at_ms(100) < 300.0
    assert pace.output_ms < 25.0


def test_a_measurement_is_the_pace_whatever_was_before_and_leaves_the_length_of_answers() -> None:
    slow = PACE.after_late(Seen(prompt_tokens=10, first_token_ms=90_000, completion_tokens=0, generation_ms=0))
    assert slow.first_token.at_ms(10) > 90_000
    now = slow.measured(Seen(prompt_tokens=100, first_token_ms=200, completion_tokens=8, generation_ms=70))
    assert now.first_token.at_ms(100) == pytest.approx(200.0)
    assert (now.output_ms, now.completion_tokens) == (10.0, PACE.completion_tokens)
    silent = slow.measured(Seen(prompt_tokens=100, first_token_ms=200, completion_tokens=1, generation_ms=0))
    assert silent.output_ms == PACE.output_ms


@given(pace=paces, tokens=st.integers(1, 4_000), waited_ms=st.floats(1, 10_000), left=st.floats(0.01, 1.0))
def test_after_a_late_first_token_nobody_with_less_time_is_begun(
    pace: Pace, tokens: int, waited_ms: float, left: float
) -> None:
    late = Seen(prompt_tokens=tokens, first_token_ms=waited_ms, completion_tokens=0, generation_ms=0)
    wanted = Wanted(prompt_tokens=tokens, tokens_max=1, first_token_ms=waited_ms * left, left_ms=1e9)
    assert decided(wanted, Load(), pace.after_late(late), OPEN).refusal is Refusal.DEADLINE


@given(pace=paces, seen=samples, tokens=st.integers(1, 4_000))
def test_a_first_token_that_never_came_never_makes_the_pace_faster(pace: Pace, seen: Seen, tokens: int) -> None:
    assert pace.after_late(seen).first_token.at_ms(tokens) >= pace.first_token.at_ms(tokens)
    assert pace.after_late(seen).output_ms == pace.output_ms


def test_a_first_token_that_waited_for_others_says_nothing_of_the_pace() -> None:
    queued = Seen(prompt_tokens=100, first_token_ms=9_000, completion_tokens=2, generation_ms=10, queued=True)
    assert PACE.after(queued).first_token == PACE.first_token
