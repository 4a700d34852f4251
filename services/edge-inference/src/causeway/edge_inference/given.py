"""The ledger: after the reply, an answer goes to ANSWERS and what it cost to USAGE. Knows nothing of why it was given.

Made as `Given(bus, site, metrics, tariff)` and entered (`async with`), before asks are served; leaving it stores what
still waits, within a bound. Of what is restricted nothing leaves: the streams are of the site's own account, encrypted
at rest, and no text of an ask or answer is in a log line, a label or an error of this module.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from causeway.bus import BusError, PayloadTooLarge
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.usage_of import Tariff, usage_of
from causeway.proto import Message, subjects
from causeway.proto.answers import Answer, Ask
from causeway.proto.feedback import AnswerGiven, CitedChunk

ATTEMPTS_MAX = 5
PAUSE_S = (0.2, 1.0, 5.0, 15.0)
ATTEMPT_S = 5.0
STOP_S = 5.0
_log = logging.getLogger(__name__)


class Publisher(Protocol):
    """The part of the bus that this needs."""

    async def publish(
        self, subject: str, message: Message, *, msg_id: str, timeout_s: float | None = None
    ) -> object: ...


def wall_clock_ms() -> int:
    """Unix milliseconds."""
    return int(time.time() * 1000)


class Given:
    """At most once between the reply and the queue's end, once from then on: an answer that is lost with the process is
    one that nobody can be told about later; one that is published twice is stored once (`Nats-Msg-Id` is its id)."""

    def __init__(
        self,
        bus: Publisher,
        site: str,
        metrics: AftermathMetrics,
        tariff: Tariff | None = None,
        *,
        queue_max: int = 1_000,
        clock_ms: Callable[[], int] = wall_clock_ms,
        pauses_s: Sequence[float] = PAUSE_S,
    ) -> None:
        self._bus = bus
        self._site = site
        self._metrics = metrics
        self._tariff = tariff or Tariff()
        self._clock_ms = clock_ms
        self._pauses_s = pauses_s
        self._queue: asyncio.Queue[tuple[AnswerGiven, Message]] = asyncio.Queue(queue_max)
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._work(), name="ledger")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        try:
            await asyncio.wait_for(self._queue.join(), STOP_S)
        except TimeoutError:
            self._metrics.unkept.labels(what="answer", reason="stopped").inc(self._queue.qsize())
            _log.warning("answers are not kept: the service stops", extra={"answers": self._queue.qsize()})
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    async def given(self, ask: Ask, answer: Answer, cited: Sequence[CitedChunk]) -> None:
        """Queue it and return at once; a full queue drops it, which the metric counts."""
        if not answer.answer_id:
            self._metrics.unkept.labels(what="answer", reason="no_id").inc()
            return
        at_ms = self._clock_ms()
        entry = (_given(ask, answer, cited, at_ms), usage_of(self._site, ask, answer, self._tariff, at_ms))
        try:
            self._queue.put_nowait(entry)
        except asyncio.QueueFull:
            self._metrics.unkept.labels(what="answer", reason="queue_full").inc()
        self._metrics.waiting.set(self._queue.qsize())

    async def _work(self) -> None:
        while True:
            answer, usage = await self._queue.get()
            try:
                where = subjects.ANSWERED.at(self._site, answer.kb)
                await self._store("answer", where, answer, answer.answer_id)
                await self._store("usage", subjects.USAGE.at(self._site), usage, f"{answer.answer_id}:answer")
            except Exception as error:  # noqa: BLE001  # The outermost loop of the ledger: the next answers are kept.
                self._metrics.unkept.labels(what="answer", reason="unexpected").inc()
                _log.warning("an answer is not kept", extra={"reason": type(error).__name__}, exc_info=error)
            finally:
                self._queue.task_done()
                self._metrics.waiting.set(self._queue.qsize())

    async def _store(self, what: str, subject: str, message: Message, msg_id: str) -> None:
        reason = "not_published"
        for attempt in range(ATTEMPTS_MAX):
            try:
                await self._bus.publish(subject, message, msg_id=msg_id, timeout_s=ATTEMPT_S)
                self._metrics.kept.labels(what=what).inc()
                return
            except PayloadTooLarge:
                reason = "too_large"
                break
            except (BusError, TimeoutError):
                self._metrics.kept_retries.labels(what=what).inc()
            if attempt + 1 < ATTEMPTS_MAX:
                await asyncio.sleep(self._pauses_s[min(attempt, len(self._pauses_s) - 1)])
        self._metrics.unkept.labels(what=what, reason=reason).inc()
        _log.warning("not kept", extra={"what": what, "reason": reason})


def _given(ask: Ask, answer: Answer, cited: Sequence[CitedChunk], at_ms: int) -> AnswerGiven:
    return AnswerGiven(
        answer_id=answer.answer_id,
        kb=answer.kb,
        question=ask.question,
        language=answer.language,
        asker=ask.asker,
        tenant=ask.tenant,
        route=answer.route,
        text=answer.text,
        abstained=answer.abstained,
        confidence=answer.confidence,
        calibrated=answer.calibrated,
        features=answer.features,
        cited=list(cited),
        epoch=answer.epoch,
        residency=answer.residency,
        at_unix_ms=at_ms,
        hub_seq=answer.hub_seq,
    )
