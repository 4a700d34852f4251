"""When live answers leave the promise of a calibration, and when they are back."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.edge_inference.drift import (
    BETS_ON,
    CLOSED,
    EVIDENCE_MIN,
    JUDGED_PER_FALSE_ALARM,
    RECOVERY,
    Drift,
    Judged,
    Turn,
    _factor,
    supported,
)

PROMISE, FITTED = 0.85, 0.7


def live(drift: Drift, count: int, seed: int, share: float) -> list[tuple[int, Turn]]:
    """Judge answers of which `share` is right; returns what changed, with the number of the answer."""
    chance = random.Random(seed)
    turns = []
    for number in range(1, count + 1):
        turn = drift.judge(Judged(probability=chance.uniform(FITTED, 0.99), right=chance.random() < share))
        if turn is not None:
            turns.append((number, turn))
    return turns


def first_alarm(seed: int, share: float, before: int, after: int, well: float = 0.9) -> int | None:
    """Judge `before` answers of which `well` is right, then others: how many of these until the alarm, below 0 if it
    was a false one, None if there was none."""
    drift = Drift(promise=PROMISE, fitted=FITTED)
    early = live(drift, before, seed, well)
    if early:
        return -1
    late = live(drift, after, seed + 10_000, share)
    return late[0][0] if late else None


@given(st.floats(0.5, 0.99), st.sampled_from(BETS_ON))
def test_a_bet_wins_nothing_on_average_while_the_promise_is_just_kept(promise: float, part: float) -> None:
    believed = part * promise
    mean = promise * _factor(promise, believed, right=True) + (1 - promise) * _factor(promise, believed, right=False)
    assert mean == pytest.approx(1.0)
    assert _factor(promise, believed, right=True) < 1 < _factor(promise, believed, right=False)


def test_false_alarms_are_rarer_than_one_in_a_thousand_judged_answers_at_the_very_promise() -> None:
    judged = 150 * 400
    alarms = sum(len(live(Drift(promise=PROMISE, fitted=FITTED), 400, seed, PROMISE)[:1]) for seed in range(150))
    assert alarms / judged <= 1 / JUDGED_PER_FALSE_ALARM


@pytest.mark.parametrize(("share", "within"), [(0.7, 260), (0.6, 120), (0.5, 60), (0.3, 30)])
def test_a_real_drop_after_a_long_good_time_alarms_within_so_many_answers(share: float, within: int) -> None:
    found = [first_alarm(seed, share, 200, within) for seed in range(40)]
    assert sum(one is not None and one > 0 for one in found) >= 36
    assert sum(one == -1 for one in found) <= 1


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=300))
def test_the_threshold_is_never_below_the_fitted_one_and_above_it_only_in_alarm(
    answers: list[tuple[float, bool]],
) -> None:
    drift = Drift(promise=PROMISE, fitted=FITTED)
    for probability, right in answers:
        drift.judge(Judged(probability=probability, right=right))
        assert FITTED <= drift.threshold <= CLOSED
        assert drift.alarmed or drift.threshold == FITTED


@given(st.lists(st.floats(0, FITTED, exclude_max=True), max_size=50))
def test_answers_below_the_threshold_were_promised_nothing(probabilities: list[float]) -> None:
    drift = Drift(promise=PROMISE, fitted=FITTED)
    assert all(drift.judge(Judged(probability=one, right=False)) is None for one in probabilities)
    assert drift.judged_total == 0


@given(st.lists(st.tuples(st.floats(FITTED, 1), st.booleans()), max_size=120))
def test_the_same_answers_in_the_same_order_lead_to_the_same_state(answers: list[tuple[float, bool]]) -> None:
    one, other = (Drift(promise=PROMISE, fitted=FITTED) for _ in range(2))
    turns = [[drift.judge(Judged(probability=p, right=r)) for p, r in answers] for drift in (one, other)]
    assert turns[0] == turns[1]
    assert (one.threshold, one.alarmed) == (other.threshold, other.alarmed)


def test_the_threshold_rises_to_where_recent_answers_keep_the_promise() -> None:
    drift = Drift(promise=PROMISE, fitted=FITTED)
    chance = random.Random(2)
    turn = None
    # Below .85 half are wrong; above, hardly any: 84 of 100 calls would not tell.
    for _ in range(400):
        probability = chance.uniform(FITTED, 0.99)
        right = chance.random() < (0.97 if probability > 0.85 else 0.5)
        turn = drift.judge(Judged(probability=probability, right=right))
        if turn is not None:
            break
    assert turn is not None
    assert not turn.resolved
    assert turn.observed < PROMISE
    assert 0.75 < drift.threshold < CLOSED


def test_where_nothing_keeps_the_promise_nothing_stays_local() -> None:
    drift = Drift(promise=PROMISE, fitted=FITTED)
    assert live(drift, 60, 1, 0.2)
    assert drift.threshold == CLOSED


def test_an_alarm_that_changes_nothing_more_is_no_turn() -> None:
    drift = Drift(promise=PROMISE, fitted=FITTED)
    turns = [turn for _, turn in live(drift, 300, 1, 0.0)]
    assert [(turn.resolved, turn.threshold) for turn in turns] == [(False, CLOSED)]


@given(st.lists(st.tuples(st.floats(FITTED, 1), st.sampled_from([True, True, False])), min_size=40, max_size=400))
def test_who_goes_on_from_the_last_turn_comes_to_the_same_as_who_saw_all(answers: list[tuple[float, bool]]) -> None:
    whole, told = Drift(promise=PROMISE, fitted=FITTED), Drift(promise=PROMISE, fitted=FITTED)
    for probability, right in answers:
        judged = Judged(probability=probability, right=right)
        turn = whole.judge(judged)
        if turn is not None:
            told = Drift(promise=PROMISE, fitted=FITTED)
            told.go_on(turn)
        else:
            assert told.judge(judged) is None
        assert (told.threshold, told.alarmed, told.judged_total) == (
            whole.threshold,
            whole.alarmed,
            whole.judged_total,
        )


def test_recovery_brings_the_fitted_threshold_back_in_steps_and_ends_the_alarm() -> None:
    drift = Drift(promise=PROMISE, fitted=FITTED)
    live(drift, 60, 1, 0.2)
    turns = [turn for _, turn in live(drift, 3_000, 5, 0.97)]
    thresholds = [turn.threshold for turn in turns]
    assert thresholds == sorted(thresholds, reverse=True)
    assert turns[-1].resolved
    assert (drift.threshold, drift.alarmed) == (FITTED, False)
    assert not any(turn.resolved for turn in turns[:-1])


def test_what_stays_bad_does_not_come_back() -> None:
    local = 0
    for seed in range(10):
        drift = Drift(promise=PROMISE, fitted=FITTED)
        live(drift, 100, seed, 0.5)
        for number in range(1_000):
            live(drift, 1, seed * 1_000 + number, 0.5)
            local += drift.threshold == FITTED
    assert local / 10_000 < 0.01


def test_few_answers_support_no_threshold() -> None:
    right = [Judged(probability=0.9, right=True)] * (EVIDENCE_MIN - 1)
    assert supported(right, PROMISE) == CLOSED
    assert supported([*right, Judged(probability=0.8, right=True)], PROMISE) == 0.8
    assert RECOVERY > EVIDENCE_MIN
