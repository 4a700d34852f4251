"""Replicas that share one breaker through a log with compare-and-set, by seed: at most one probe at a time."""

import random
from dataclasses import dataclass, field, replace

import pytest

from causeway.breaker import Outcome, Permit, Phase, Result, Rule, State, Turn, adopt, closed, permit, record

RULE = Rule(window_calls=6, calls_min=3, failure_rate=0.5, open_wait_s=2.0, open_wait_s_max=8.0, probe_s_max=5.0)
CALL_S_MAX = 3.0


@dataclass
class Log:
    """What was published, in order: only by somebody who had read to its end."""

    turns: list[Turn] = field(default_factory=list)

    def publish(self, turn: Turn, after: int) -> bool:
        if after != len(self.turns):
            return False
        self.turns.append(turn)
        return True


@dataclass
class Call:
    ends_s: float
    turn: int
    probe: bool
    claimed_until_s: float


@dataclass
class Replica:
    name: str
    log: Log
    state: State = field(default_factory=lambda: closed(RULE))
    read: int = 0
    calls: list[Call] = field(default_factory=list)
    alive: bool = True

    def hear(self, now_s: float, messages: int) -> None:
        """Read some of what was published: the log is right, whatever was thought before."""
        for turn in self.log.turns[self.read : self.read + messages]:
            self.read += 1
            if turn.turns != self.state.turns or turn.phase is not self.state.phase or turn.holder != self.state.holder:
                self.state = adopt(self.state, turn, now_s)

    def tell(self, before: State) -> None:
        if self.state.turns != before.turns and self.log.publish(_turn(self.state), self.read):
            self.read += 1

    def claim(self, asked: Permit, *, checked: bool = True) -> bool:
        """A probe goes only if its claim is the first after what was read."""
        if not asked.probe:
            return asked.allowed
        if self.log.publish(_turn(asked.state), self.read):
            self.read += 1
            self.state = asked.state
            return True
        if not checked:
            self.state = asked.state
        return not checked


def _turn(state: State) -> Turn:
    return Turn(phase=state.phase, turns=state.turns, until_s=state.until_s, holder=state.holder, reason=state.reason)


@dataclass
class Seen:
    probes: int = 0
    together: int = 0
    healed: int = 0
    opened: int = 0


def simulate(seed: int, *, replicas: int = 4, steps: int = 600, checked: bool = True) -> Seen:
    """Random calls, deaths and restarts; the hub is well or not in turns. Counts probes that ran side by side."""
    chance = random.Random(seed)
    log, seen, now_s, well = Log(), Seen(), 0.0, True
    everyone = [Replica(f"r{number}", log) for number in range(replicas)]
    for _ in range(steps):
        now_s += chance.random() * 0.4
        well = well if chance.random() < 0.98 else not well
        one = chance.choice(everyone)
        if chance.random() < 0.02:
            everyone[everyone.index(one)] = Replica(f"{one.name}'", log)
            continue
        if chance.random() < 0.7:
            one.hear(now_s, chance.randint(0, 3))
        _end_calls(one, now_s, well, chance, seen)
        _call(one, now_s, chance, seen, everyone, checked)
    return seen


def _end_calls(one: Replica, now_s: float, well: bool, chance: random.Random, seen: Seen) -> None:
    for call in [call for call in one.calls if call.ends_s <= now_s]:
        one.calls.remove(call)
        before = one.state
        result = Result.SUCCESS if well else Result.FAILURE
        one.state = record(one.state, Outcome(result, chance.random() * 0.55, call.turn), now_s)
        seen.opened += before.phase is Phase.CLOSED and one.state.phase is Phase.OPEN
        seen.healed += before.phase is Phase.HALF_OPEN and one.state.phase is Phase.CLOSED
        one.tell(before)


def _call(
    one: Replica, now_s: float, chance: random.Random, seen: Seen, everyone: list[Replica], checked: bool
) -> None:
    asked = permit(one.state, now_s, who=one.name, hold_s=CALL_S_MAX)
    if not one.claim(asked, checked=checked):
        return
    call = Call(now_s + chance.random() * CALL_S_MAX, asked.turn, asked.probe, asked.state.until_s)
    one.calls.append(call)
    if asked.probe:
        seen.probes += 1
        running = [
            other
            for replica in everyone
            for other in replica.calls
            if other.probe and other is not call and other.ends_s > now_s
        ]
        seen.together += bool(running)


@pytest.mark.parametrize("seed", range(40))
def test_at_most_one_probe_is_under_way_at_a_site(seed: int) -> None:
    assert simulate(seed).together == 0


def test_the_simulation_opens_probes_and_heals() -> None:
    runs = [simulate(seed) for seed in range(40)]
    assert sum(run.opened for run in runs) > 50
    assert sum(run.probes for run in runs) > 100
    assert sum(run.healed for run in runs) > 50


def test_without_the_compare_and_set_there_would_be_several() -> None:
    assert sum(simulate(seed, checked=False).together for seed in range(40)) > 10


def test_a_replica_that_starts_late_learns_the_state_from_the_log() -> None:
    log = Log()
    first = Replica("first", log)
    before = first.state
    for _ in range(3):
        first.state = record(first.state, Outcome(Result.FAILURE, 0.1, first.state.turns), 1.0)
    first.tell(before)
    late = Replica("late", log)
    late.hear(1.5, 10)
    assert late.state.phase is Phase.OPEN
    assert replace(late.state, totals=first.state.totals) == first.state
