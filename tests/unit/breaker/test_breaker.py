"""The breaker by examples: each rule once, in the words of its README."""

import math

import pytest

from causeway.breaker import (
    BadRuleError,
    Outcome,
    Phase,
    Result,
    Rule,
    State,
    Turn,
    adopt,
    closed,
    disabled,
    forced_open,
    permit,
    record,
)

RULE = Rule(window_calls=10, calls_min=4, failure_rate=0.5, slow_call_s=0.5, slow_rate=0.75, open_wait_s=5.0)
QUICK, SLOW = 0.1, 0.6


def after(state: State, now_s: float, *results: Result, duration_s: float = QUICK) -> State:
    for result in results:
        state = record(state, Outcome(result, duration_s, state.turns), now_s)
    return state


def opened(rule: Rule = RULE, now_s: float = 0.0) -> State:
    state = after(closed(rule), now_s, *[Result.FAILURE] * 4)
    assert state.phase is Phase.OPEN
    return state


def probed(state: State, now_s: float, result: Result, duration_s: float = QUICK) -> State:
    claim = permit(state, now_s, who="one", hold_s=10.0)
    assert claim.probe
    return record(claim.state, Outcome(result, duration_s, claim.turn), now_s)


def test_it_does_not_open_before_there_were_calls_enough() -> None:
    assert after(closed(RULE), 0.0, *[Result.FAILURE] * 3).phase is Phase.CLOSED
    assert after(closed(RULE), 0.0, *[Result.FAILURE] * 4).phase is Phase.OPEN


def test_it_opens_at_the_failure_rate_and_not_below_it() -> None:
    state = after(closed(RULE), 0.0, *[Result.SUCCESS] * 4, *[Result.FAILURE] * 3)
    assert state.phase is Phase.CLOSED
    assert after(state, 0.0, Result.FAILURE).phase is Phase.OPEN


def test_slow_answers_open_it_though_they_are_right() -> None:
    state = after(closed(RULE), 0.0, *[Result.SUCCESS] * 4, duration_s=SLOW)
    assert (state.phase, state.reason) == (Phase.OPEN, "4 of 4 calls were slow")


def test_a_call_of_exactly_the_limit_is_not_slow() -> None:
    assert after(closed(RULE), 0.0, *[Result.SUCCESS] * 9, duration_s=0.5).phase is Phase.CLOSED


def test_ignored_calls_count_for_nothing() -> None:
    state = after(closed(RULE), 0.0, *[Result.IGNORED] * 50, duration_s=SLOW)
    assert (state.phase, state.totals.calls) == (Phase.CLOSED, 0)


def test_calls_leave_a_window_of_seconds_with_time() -> None:
    rule = Rule(window_calls=0, window_s=10, calls_min=4, failure_rate=0.5)
    early = after(closed(rule), 0.0, *[Result.FAILURE] * 3)
    assert after(early, 9.9, Result.FAILURE).phase is Phase.OPEN
    assert after(early, 10.0, Result.FAILURE).phase is Phase.CLOSED


def test_while_open_nobody_calls_and_is_told_when_to_try() -> None:
    refused = permit(opened(now_s=100.0), 102.0)
    assert (refused.allowed, refused.retry_in_s) == (False, 3.0)


def test_half_open_lets_one_through() -> None:
    first = permit(opened(), 5.0, who="one", hold_s=2.0)
    assert (first.allowed, first.probe, first.state.phase) == (True, True, Phase.HALF_OPEN)
    assert [permit(first.state, 5.0, who="two").allowed for _ in range(20)] == [False] * 20


def test_a_probe_whose_owner_died_is_claimed_by_another_when_its_claim_ends() -> None:
    first = permit(opened(), 5.0, who="one", hold_s=2.0)
    second = permit(first.state, 7.0, who="two")
    assert (second.probe, second.state.holder) == (True, "two")
    assert "one" in second.state.reason
    late = record(second.state, Outcome(Result.SUCCESS, QUICK, first.turn), 7.1)
    assert late is second.state, "the dead one's outcome decides nothing any more"


def test_a_claim_is_never_longer_than_the_rule_allows() -> None:
    claim = permit(opened(), 5.0, hold_s=math.inf)
    assert claim.state.until_s == 5.0 + RULE.probe_s_max


def test_a_good_probe_closes_it_with_an_empty_window() -> None:
    state = probed(opened(), 5.0, Result.SUCCESS)
    assert (state.phase, state.opened) == (Phase.CLOSED, 0)
    assert after(state, 5.0, *[Result.FAILURE] * 3).phase is Phase.CLOSED


@pytest.mark.parametrize(("result", "duration_s"), [(Result.FAILURE, QUICK), (Result.SUCCESS, SLOW)])
def test_a_bad_or_slow_probe_opens_it_again_for_longer(result: Result, duration_s: float) -> None:
    state, now_s, waits = opened(), 0.0, []
    for _ in range(6):
        waits.append(state.until_s - now_s)
        now_s = state.until_s
        state = probed(state, now_s, result, duration_s)
        assert state.phase is Phase.OPEN
    assert waits == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_a_probe_that_told_nothing_gives_its_claim_back_at_once() -> None:
    state = probed(opened(), 5.0, Result.IGNORED, SLOW)
    assert (state.phase, state.opened) == (Phase.OPEN, 1)
    assert permit(state, 5.0).probe


def test_a_call_from_before_it_opened_neither_closes_it_nor_fails_its_probe() -> None:
    before = closed(RULE)
    claim = permit(opened(), 5.0)
    for result in (Result.SUCCESS, Result.FAILURE):
        assert record(claim.state, Outcome(result, QUICK, before.turns), 5.5) is claim.state


def test_what_is_forced_stays_so_whatever_is_recorded_or_told() -> None:
    refuses, allows = forced_open(closed(RULE)), disabled(opened())
    assert permit(refuses, 1e9).retry_in_s == math.inf
    assert permit(allows, 0.0).allowed
    for state in (refuses, allows):
        assert after(state, 0.0, *[Result.FAILURE] * 50) is state
        assert adopt(state, Turn(phase=Phase.OPEN, turns=99, until_s=9.0), 0.0) is state


def test_a_transition_of_somebody_else_is_taken_over_with_a_bounded_wait() -> None:
    told = adopt(closed(RULE), Turn(phase=Phase.OPEN, turns=7, until_s=1e9), 100.0)
    assert (told.phase, told.turns, told.until_s) == (Phase.OPEN, 7, 100.0 + RULE.open_wait_s_max)
    assert adopt(told, Turn(phase=Phase.CLOSED, turns=9), 101.0).opened == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"failure_rate": 0.0},
        {"slow_rate": 1.1},
        {"calls_min": 0},
        {"window_calls": -1},
        {"open_wait_s": 0.0},
        {"open_wait_factor": 0.5},
        {"open_wait_s": 9.0, "open_wait_s_max": 8.0},
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadRuleError):
        Rule(**wrong)  # type: ignore[arg-type]


def test_a_very_long_outage_does_not_overflow_the_wait() -> None:
    assert Rule().wait_s(10_000) == Rule().open_wait_s_max
