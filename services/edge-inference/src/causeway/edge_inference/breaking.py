"""The breaker before the hub, one for all replicas of a site: each turn is a message of BREAKER, the newest is true.

Guarantee: with JetStream there, and answering within half of CLAIM_S_MAX, at most one replica probes at a time, because
a probe goes only when its claim was the first to follow the last turn (compare-and-set). Without it, or when it takes
longer, each replica decides by what it saw itself.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from causeway.breaker import (
    Outcome,
    Permit,
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
from causeway.bus import BusError, Delivery, Position, PubAck, Stored, WrongLastSequence
from causeway.edge_inference.scheduling_metrics import SchedulingMetrics
from causeway.proto import Message, UndecodableError, subjects
from causeway.proto.breaker import BreakerState, BreakerTurned

CLAIM_S_MAX = 0.25
"""How long each half of a claim, publishing it and reading who was first, may take on an asker's time, in all."""
TELL_S_MAX = 5.0
TELLS_MAX = 10
"""How often one telling publishes: for each turn that came meanwhile, and again after what others or a claim stored."""
_PHASES = (Phase.CLOSED, Phase.HALF_OPEN, Phase.OPEN, Phase.FORCED_OPEN, Phase.DISABLED)
T = TypeVar("T")
_log = logging.getLogger(__name__)


class TurnLog(Protocol):
    """The part of the bus that this needs."""

    async def publish(
        self,
        subject: str,
        message: Message,
        *,
        msg_id: str,
        expected_last_subject_seq: int | None = None,
        timeout_s: float | None = None,
    ) -> PubAck: ...

    async def last(self, stream: str, subject: str) -> Stored | None: ...


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """One call that may go. Its outcome must be recorded, whatever became of it."""

    turn: int
    probe: bool


class SharedBreaker:
    """One breaker as this replica holds it. On the event loop only. `follow` it, or it knows its own turns alone."""

    def __init__(
        self,
        log: TurnLog,
        site: str,
        target: str,
        replica: str,
        rule: Rule,
        metrics: SchedulingMetrics,
        *,
        clock_s: Callable[[], float],
        wall_ms: Callable[[], int],
        mode: str = "auto",
    ) -> None:
        """`replica` is a name that no other process ever had. `mode` is `auto`, `open` or `disabled`."""
        self.subject = subjects.BREAKER.at(site, key=target)
        self._log = log
        self._target = target
        self._replica = replica
        self._metrics = metrics
        self._clock_s = clock_s
        self._wall_ms = wall_ms
        force = {"open": forced_open, "disabled": disabled}.get(mode)
        self._state = force(closed(rule)) if force else closed(rule)
        self._seq = 0
        self._own = 0
        self._claiming = False
        self._telling: asyncio.Task[None] | None = None
        self._show()

    @property
    def state(self) -> State:
        """As it is known here."""
        return self._state

    def look(self) -> Permit:
        """Whether a call might go now. Nothing is claimed."""
        return permit(self._state, self._clock_s(), who=self._replica)

    async def acquire(self, hold_s: float) -> Ticket | None:
        """A ticket for a call of at most `hold_s`, or None, whatever fails. Takes at most CLAIM_S_MAX, and that for a
        probe only."""
        asked = permit(self._state, self._clock_s(), who=self._replica, hold_s=hold_s)
        if asked.allowed and not asked.probe:
            return Ticket(turn=asked.turn, probe=False)
        if not asked.allowed or self._claiming or not await self._guarded(self._claimed(asked)):
            self._count("refused")
            return None
        return Ticket(turn=asked.turn, probe=True)

    def record(self, ticket: Ticket, result: Result, duration_s: float) -> None:
        """What became of a call. A turn of the breaker is told to the others by the side."""
        slow = duration_s > self._state.rule.slow_call_s
        self._count("slow" if slow and result is Result.SUCCESS else result.value)
        before = self._state
        self._state = record(before, Outcome(result, duration_s, ticket.turn), self._clock_s())
        if self._state.turns != before.turns:
            self._own = self._state.turns
            self._turned()
            if self._telling is None or self._telling.done():
                self._telling = asyncio.create_task(self._guarded(self._tell()))

    async def position(self) -> Position:
        """Turns are few: they are read from the start."""
        return Position()

    async def reset(self, position: Position) -> None:
        """BREAKER was made anew."""
        self._seq = 0

    async def hear(self, deliveries: Sequence[Delivery]) -> None:
        """Take over the turns of others, in order. Again changes nothing."""
        for delivery in deliveries:
            if isinstance(delivery.message, BreakerTurned):
                self._take(delivery.stream_seq, delivery.message)

    async def close(self) -> None:
        """Let the last turn be told, within its bound."""
        if self._telling is not None:
            await asyncio.wait([self._telling], timeout=TELL_S_MAX)

    async def _guarded(self, sharing: Awaitable[T]) -> T | None:
        """None where sharing fails in a way that nobody foresaw: no answer is lost for it."""
        try:
            return await sharing
        except Exception as error:  # noqa: BLE001  # The outermost frame of a claim, and of the task that tells.
            self._alone(error, unexpected=True)
            return None

    async def _claimed(self, asked: Permit) -> bool:
        """Whether the probe is ours. Only the first claim after the last turn is stored."""
        before, self._claiming = self._state, True
        try:
            # Twice: what stood in the way may have been this replica's own last turn, stored a moment ago.
            seq = await self._claim(asked)
            if seq is None and self._state is before:
                seq = await self._claim(asked)
        finally:
            self._claiming = False
        if seq is None or self._state is not before:
            return False
        self._seq, self._state, self._own = max(self._seq, seq), asked.state, asked.turn
        self._turned()
        return True

    async def _claim(self, asked: Permit) -> int | None:
        """The sequence of the claim, that of the last turn where the bus is away, None where another was first."""
        try:
            return await self._publish(asked.state, CLAIM_S_MAX / 2)
        except WrongLastSequence:
            await self._catch_up()
            return None
        except (BusError, TimeoutError) as error:
            self._alone(error)
            return self._seq

    async def _tell(self) -> None:
        """Publish the newest turn of this replica, until there is none newer. A turn of others goes before it."""
        told = 0
        for _ in range(TELLS_MAX):
            if self._state.turns != self._own or told == self._own:
                return
            turn = self._own
            try:
                self._seq = max(self._seq, await self._publish(self._state, TELL_S_MAX))
                told = turn
            except WrongLastSequence:
                # Another's turn is taken over. An earlier one of this replica, its claim, is only passed by.
                await self._catch_up()
            except (BusError, TimeoutError) as error:
                self._alone(error)
                told = turn

    async def _publish(self, state: State, timeout_s: float) -> int:
        async with asyncio.timeout(timeout_s):
            ack = await self._log.publish(
                self.subject,
                self._message(state),
                msg_id=f"{self.subject}/{self._replica}/{state.turns}",
                expected_last_subject_seq=self._seq,
                timeout_s=timeout_s,
            )
        return ack.seq

    async def _catch_up(self) -> None:
        try:
            async with asyncio.timeout(CLAIM_S_MAX / 2):
                stored = await self._log.last(subjects.BREAKER.stream, self.subject)
        except (BusError, TimeoutError, UndecodableError) as error:
            self._alone(error)
            return
        if stored is None:
            self._seq = 0
        elif isinstance(stored.message, BreakerTurned):
            self._take(stored.seq, stored.message)

    def _take(self, seq: int, turned: BreakerTurned) -> None:
        if seq <= self._seq:
            return
        self._seq = seq
        if turned.replica == self._replica:
            return
        now_s = self._clock_s()
        left_s = max(0.0, (turned.until_unix_ms - self._wall_ms()) / 1000)
        turn = Turn(
            phase=Phase(turned.state.value),
            # Never a number that a ticket of this replica has: its outcome would be taken for the other's probe.
            turns=max(turned.turns, self._state.turns + 1),
            until_s=now_s + left_s,
            holder=turned.replica,
            reason=turned.reason,
        )
        before, self._state = self._state, adopt(self._state, turn, now_s)
        if self._state is not before:
            self._turned()

    def _message(self, state: State) -> BreakerTurned:
        now_ms, left_s = self._wall_ms(), max(0.0, state.until_s - self._clock_s())
        return BreakerTurned(
            target=self._target,
            state=BreakerState(state.phase.value),
            reason=state.reason,
            failure_rate=round(state.totals.failure_rate, 4),
            slow_rate=round(state.totals.slow_rate, 4),
            calls=state.totals.calls,
            turns=state.turns,
            replica=self._replica,
            until_unix_ms=now_ms + int(left_s * 1000) if state.until_s else 0,
            at_unix_ms=now_ms,
        )

    def _alone(self, error: Exception, *, unexpected: bool = False) -> None:
        self._metrics.breaker_alone.labels(target=self._target).inc()
        about = {"target": self._target, "reason": str(error) or type(error).__name__}
        _log.warning("a turn of the breaker is not shared", extra=about, exc_info=error if unexpected else None)

    def _turned(self) -> None:
        state = self._state
        about = {"target": self._target, "state": state.phase.value, "reason": state.reason, "by": state.holder}
        _log.info("the breaker turned", extra=about)
        self._metrics.breaker_turns.labels(target=self._target, state=state.phase.value).inc()
        self._show()

    def _show(self) -> None:
        self._metrics.breaker_state.labels(target=self._target).set(_PHASES.index(self._state.phase))

    def _count(self, outcome: str) -> None:
        self._metrics.breaker_calls.labels(target=self._target, outcome=outcome).inc()
