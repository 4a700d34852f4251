"""The breaker itself: whether a call may go, and what becomes of the breaker by how it ended."""

import enum
import math
from dataclasses import dataclass, field, replace

from causeway.breaker.rule import Rule
from causeway.breaker.window import LastCalls, LastSeconds, Totals, Window


class Phase(enum.StrEnum):
    """`half_open` while the probe is under way; the last two only when somebody said so."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    DISABLED = "disabled"


class Result(enum.StrEnum):
    """How a call ended. `ignored`: in a way that says nothing about who was called."""

    SUCCESS = "success"
    FAILURE = "failure"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call that ended. `turn` is that of its permit."""

    result: Result
    duration_s: float
    turn: int


@dataclass(frozen=True, kw_only=True)
class State:
    """All that is known. `until_s` is the end of the wait (open) or of the probe's claim by `holder` (half open).

    `turns` counts transitions, `opened` how often in a row it has opened. `totals` are of the window that decided last.
    """

    rule: Rule
    window: Window
    phase: Phase = Phase.CLOSED
    turns: int = 0
    until_s: float = 0.0
    holder: str = ""
    opened: int = 0
    reason: str = ""
    totals: Totals = field(default=Totals())


@dataclass(frozen=True, kw_only=True)
class Permit:
    """Whether a call may go. `state` is the one to go on with: of a probe, it holds the claim.

    `retry_in_s` is when to ask again; infinite while forced open, 0 where the call may go.
    """

    allowed: bool
    state: State
    probe: bool = False
    retry_in_s: float = 0.0

    @property
    def turn(self) -> int:
        """What the outcome of the call must name."""
        return self.state.turns


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A transition that somebody else made, with the end of its wait or claim by one's own clock."""

    phase: Phase
    turns: int
    until_s: float = 0.0
    holder: str = ""
    reason: str = ""


def closed(rule: Rule) -> State:
    """A new breaker."""
    return State(rule=rule, window=_empty(rule))


def permit(state: State, now_s: float, who: str = "", hold_s: float = math.inf) -> Permit:
    """Ask to call now. A probe is claimed for `who` and for `hold_s`, at most the rule's `probe_s_max`."""
    if state.phase in (Phase.CLOSED, Phase.DISABLED):
        return Permit(allowed=True, state=state)
    if state.phase is Phase.FORCED_OPEN:
        return Permit(allowed=False, state=state, retry_in_s=math.inf)
    if now_s < state.until_s:
        return Permit(allowed=False, state=state, retry_in_s=state.until_s - now_s)
    reason = "the wait is over" if state.phase is Phase.OPEN else f"the probe of {state.holder} never ended"
    until_s = now_s + min(hold_s, state.rule.probe_s_max)
    claimed = _turned(state, Phase.HALF_OPEN, reason, until_s=until_s, holder=who)
    return Permit(allowed=True, probe=True, state=claimed)


def record(state: State, outcome: Outcome, now_s: float) -> State:
    """What becomes of it by a call that ended now."""
    if outcome.turn != state.turns or state.phase not in (Phase.CLOSED, Phase.HALF_OPEN):
        return state
    slow = outcome.duration_s > state.rule.slow_call_s
    if state.phase is Phase.HALF_OPEN:
        return _probed(state, outcome.result, slow, now_s)
    if outcome.result is Result.IGNORED:
        return state
    window = state.window.add(now_s, failed=outcome.result is Result.FAILURE, slow=slow)
    counted = replace(state, window=window, totals=window.totals(now_s))
    reason = _too_much(state.rule, counted.totals)
    return _opened(counted, reason, now_s) if reason else counted


def adopt(state: State, turn: Turn, now_s: float) -> State:
    """Take over a transition of somebody else. What is forced here stays so; its wait is never longer than the rule's.

    The window starts empty: what was counted was before the transition.
    """
    if state.phase in (Phase.FORCED_OPEN, Phase.DISABLED):
        return state
    longest_s = state.rule.open_wait_s_max if turn.phase is Phase.OPEN else state.rule.probe_s_max
    # An opening without a wait is a probe that told nothing, which makes the next wait no longer.
    waits = turn.phase is Phase.OPEN and turn.until_s > now_s
    opened = 0 if turn.phase is Phase.CLOSED else state.opened + int(waits)
    return replace(
        state,
        window=_empty(state.rule),
        phase=turn.phase,
        turns=turn.turns,
        until_s=min(turn.until_s, now_s + longest_s),
        holder=turn.holder,
        opened=opened,
        reason=turn.reason,
    )


def forced_open(state: State) -> State:
    """Refuse all, until told otherwise."""
    return _turned(state, Phase.FORCED_OPEN, "forced open")


def disabled(state: State) -> State:
    """Let all through, until told otherwise."""
    return _turned(state, Phase.DISABLED, "disabled")


def _probed(state: State, result: Result, slow: bool, now_s: float) -> State:
    if result is Result.IGNORED:
        return _turned(state, Phase.OPEN, "the probe told nothing", until_s=now_s)
    if result is Result.FAILURE:
        return _opened(state, "the probe failed", now_s)
    if slow:
        return _opened(state, "the probe was slow", now_s)
    return replace(_turned(state, Phase.CLOSED, "the probe was good"), opened=0, totals=Totals())


def _too_much(rule: Rule, totals: Totals) -> str:
    if totals.calls < rule.calls_needed:
        return ""
    if totals.failure_rate >= rule.failure_rate:
        return f"{totals.failed} of {totals.calls} calls failed"
    if totals.slow_rate >= rule.slow_rate:
        return f"{totals.slow} of {totals.calls} calls were slow"
    return ""


def _opened(state: State, reason: str, now_s: float) -> State:
    opened = state.opened + 1
    return replace(_turned(state, Phase.OPEN, reason, until_s=now_s + state.rule.wait_s(opened)), opened=opened)


def _turned(state: State, phase: Phase, reason: str, *, until_s: float = 0.0, holder: str = "") -> State:
    return replace(
        state,
        window=_empty(state.rule),
        phase=phase,
        turns=state.turns + 1,
        until_s=until_s,
        holder=holder,
        reason=reason,
    )


def _empty(rule: Rule) -> Window:
    return LastCalls(rule.window_calls) if rule.window_calls else LastSeconds(rule.window_s)
