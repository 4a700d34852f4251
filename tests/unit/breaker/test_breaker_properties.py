"""Whatever happens: windows count as a plain list would, and a breaker keeps its promises."""

import math
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from causeway.breaker import (
    LastCalls,
    LastSeconds,
    Outcome,
    Phase,
    Result,
    Rule,
    Totals,
    Window,
    closed,
    permit,
    record,
)

times = st.lists(st.floats(0, 5, allow_nan=False), max_size=60)
calls = st.lists(st.tuples(st.floats(0, 5), st.booleans(), st.booleans()), max_size=60)
rules = st.builds(
    Rule,
    window_calls=st.integers(0, 8),
    window_s=st.integers(1, 8),
    calls_min=st.integers(1, 6),
    failure_rate=st.floats(0.1, 1.0),
    slow_rate=st.floats(0.1, 1.0),
)


def counted(some: list[tuple[float, bool, bool]]) -> Totals:
    return Totals(len(some), sum(failed for _, failed, _ in some), sum(slow for _, _, slow in some))


@given(calls, st.integers(1, 9))
def test_a_window_of_calls_counts_as_a_list_cut_to_its_end(steps: list[tuple[float, bool, bool]], size: int) -> None:
    window: Window = LastCalls(size)
    for number, (_, failed, slow) in enumerate(steps, start=1):
        window = window.add(0.0, failed=failed, slow=slow)
        assert window.totals(0.0) == counted(steps[max(0, number - size) : number])


@given(calls, st.integers(1, 9), st.floats(0, 20))
def test_a_window_of_seconds_counts_as_a_list_filtered_by_time(
    steps: list[tuple[float, bool, bool]], seconds: int, later_s: float
) -> None:
    window, now_s, seen = LastSeconds(seconds), 0.0, []
    for gap_s, failed, slow in steps:
        now_s += gap_s
        window = window.add(now_s, failed=failed, slow=slow)
        seen.append((now_s, failed, slow))
    for at_s in (now_s, now_s + later_s):
        recent = [call for call in seen if math.floor(call[0]) > math.floor(at_s) - seconds]
        assert window.totals(at_s) == counted(recent)
    assert len(window.parts) <= seconds


@given(st.lists(st.tuples(st.floats(-50, 50), st.booleans(), st.booleans()), max_size=40), st.integers(1, 9))
def test_a_clock_that_goes_back_breaks_no_window(steps: list[tuple[float, bool, bool]], seconds: int) -> None:
    window, now_s = LastSeconds(seconds), 1000.0
    for gap_s, failed, slow in steps:
        now_s += gap_s
        window = window.add(now_s, failed=failed, slow=slow)
        assert [second for second, _ in window.parts] == sorted({second for second, _ in window.parts})
        assert len(window.parts) <= max(seconds, len(steps))


@dataclass
class Called:
    turn: int
    probe: bool


@given(
    rules,
    st.lists(
        st.tuples(
            st.floats(0, 3),
            st.sampled_from(["call", "end"]),
            st.sampled_from(list(Result)),
            st.floats(0, 1),
            st.integers(0, 9),
        ),
        max_size=120,
    ),
)
def test_at_any_moment_it_keeps_its_promises(rule: Rule, steps: list[tuple[float, str, Result, float, int]]) -> None:
    state, now_s = closed(rule), 0.0
    running: list[Called] = []
    probe_until_s = -1.0
    for gap_s, what, result, duration_s, which in steps:
        now_s += gap_s
        if what == "call":
            asked = permit(state, now_s, who="one", hold_s=4.0)
            assert asked.allowed or asked.retry_in_s > 0
            if asked.probe:
                assert now_s >= probe_until_s, "the claim before it had not ended"
                probe_until_s = now_s + 4.0
            if asked.allowed:
                assert asked.probe or state.phase is Phase.CLOSED
                running.append(Called(asked.turn, asked.probe))
            state = asked.state
        elif running:
            ended = running.pop(which % len(running))
            before, state = state, record(state, Outcome(result, duration_s, ended.turn), now_s)
            assert state.turns in (before.turns, before.turns + 1)
            if before.phase is Phase.HALF_OPEN and state is not before:
                assert ended.probe
                probe_until_s = -1.0
            if before.phase is not Phase.CLOSED and state.phase is Phase.CLOSED:
                assert result is Result.SUCCESS
                assert duration_s <= rule.slow_call_s
            if before.phase is Phase.CLOSED and state.phase is Phase.OPEN:
                assert state.totals.calls >= rule.calls_needed
                assert state.totals.failure_rate >= rule.failure_rate or state.totals.slow_rate >= rule.slow_rate
        if state.phase is Phase.OPEN:
            assert state.until_s - now_s <= rule.open_wait_s_max


@given(rules, times)
def test_only_failures_open_it_and_the_first_good_probe_after_the_wait_closes_it(rule: Rule, gaps: list[float]) -> None:
    state, now_s = closed(rule), 0.0
    for gap_s in gaps:
        now_s += gap_s
        state = record(state, Outcome(Result.SUCCESS, 0.0, state.turns), now_s)
        assert state.phase is Phase.CLOSED
    # At a rate of 1 the last success must have left the window, which is of 8 seconds at most.
    for _ in range(100):
        now_s += 0.1
        state = record(state, Outcome(Result.FAILURE, 0.0, state.turns), now_s)
    assert state.phase is Phase.OPEN
    probe = permit(state, state.until_s)
    healed = record(probe.state, Outcome(Result.SUCCESS, 0.0, probe.turn), state.until_s)
    assert healed.phase is Phase.CLOSED
