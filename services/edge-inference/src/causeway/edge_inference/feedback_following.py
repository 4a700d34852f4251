"""Joins FEEDBACK with the answers that it is about, and hands it on: to the cache, to drift, to metrics.

Made as `FeedbackFollowing(bus, site, answers, metrics, cache=..., observers=[...])` on a bus that is about to start.

At least once to the cache and the observers: after a start the newest `read_max` entries are read again, in order, so
that what is kept in memory of them is built anew; metrics count only what came since. Every replica reads all of it.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from causeway.bus import Bus, Delivery, Position
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.answer_index import Followed
from causeway.edge_inference.answers_following import BATCH_MAX, AnswersFollowing
from causeway.edge_inference.feedback_rules import Ignored, Observation, Verdicts, rule
from causeway.proto import streams, subjects
from causeway.proto.feedback import AnswerAudited, Feedback, Verdict

READ_MAX = 50_000
VERDICTS_MAX = 50_000
EARLY_MAX = 1_000
_log = logging.getLogger(__name__)
Observer = Callable[[Observation], Awaitable[None]]


class Rejecting(Protocol):
    """The part of the answer cache that this needs."""

    async def reject(self, kb: str, answer_id: str, reason: str) -> None: ...


def original_of(answer_id: str) -> str:
    """The id of the answer that a cache gave again: what stands before the first dot."""
    return answer_id.partition(".")[0]


class FeedbackFollowing:
    """One follower of FEEDBACK, verdicts and audits alike. It begins when the answers have been read and `ready` has
    returned: a cache that does not hold its entries yet could not reject one."""

    def __init__(
        self,
        bus: Bus,
        site: str,
        answers: AnswersFollowing,
        metrics: AftermathMetrics,
        *,
        cache: Rejecting | None = None,
        observers: Sequence[Observer] = (),
        ready: Callable[[], Awaitable[object]] | None = None,
        read_max: int = READ_MAX,
        began_unix_ms: int | None = None,
    ) -> None:
        self._bus = bus
        self._answers = answers
        self._metrics = metrics
        self._cache = cache
        self._observers = tuple(observers)
        self._ready = ready
        self._read_max = read_max
        self._began_unix_ms = int(time.time() * 1000) if began_unix_ms is None else began_unix_ms
        self._verdicts = Verdicts(VERDICTS_MAX)
        self._early: OrderedDict[str, list[tuple[Feedback | AnswerAudited, int]]] = OrderedDict()
        self._position: Position | None = None
        answers.listeners.append(self._on_answers)
        self.follower = bus.follow(
            streams.FEEDBACK.name,
            [subjects.FEEDBACK.at(site), subjects.AUDITED.at(site)],
            self._where,
            self._on_feedback,
            message_types=(*subjects.FEEDBACK.carries, *subjects.AUDITED.carries),
            batch_max=BATCH_MAX,
            on_reset=self._reset,
        )

    async def _where(self) -> Position:
        await self._answers.follower.caught_up.wait()
        if self._ready is not None:
            await self._ready()
        if self._position is None:
            last = await self._bus.last_seq(streams.FEEDBACK.name)
            self._position = Position(seq=max(0, last - self._read_max))
        return self._position

    async def _reset(self, position: Position) -> None:
        self._position = position

    async def _on_feedback(self, deliveries: Sequence[Delivery]) -> None:
        for each in deliveries:
            at_ms = int(each.timestamp.timestamp() * 1000)
            if isinstance(each.message, Feedback | AnswerAudited):
                await self._judged(each.message, self._answers.index.of(each.message.answer_id), at_ms)
            created = self.follower.position.stream_created
            self._position = Position(seq=each.stream_seq, stream_created=created)

    async def _on_answers(self, answers: Sequence[Followed]) -> None:
        """A verdict may be quicker than the ledger."""
        for answer in answers:
            for judgement, at_ms in self._early.pop(answer.answer_id, ()):
                await self._judged(judgement, answer, at_ms)

    async def _judged(self, judgement: Feedback | AnswerAudited, answer: Followed | None, at_ms: int) -> None:
        if isinstance(judgement, Feedback):
            await self._said(judgement, answer, at_ms)
        elif answer is None:
            if at_ms >= self._began_unix_ms:
                self._metrics.feedback_ignored.labels(reason=Ignored.UNKNOWN_ANSWER).inc()
            self._wait_for_answer(judgement, at_ms)
        else:
            await self._observe(answer, judgement.agrees, "audit", judgement.at_unix_ms)

    async def _said(self, feedback: Feedback, answer: Followed | None, at_ms: int) -> None:
        ruling = rule(feedback, answer, self._verdicts.first(feedback))
        counts = at_ms >= self._began_unix_ms
        if ruling.ignored is not None and counts:
            self._metrics.feedback_ignored.labels(reason=ruling.ignored).inc()
        if ruling.ignored is Ignored.UNKNOWN_ANSWER:
            self._wait_for_answer(feedback, at_ms)
        if answer is None:
            return
        if ruling.ignored is None and counts:
            self._metrics.feedback.labels(
                kb=answer.kb, language=answer.language, route=answer.route, verdict=feedback.verdict
            ).inc()
        if ruling.rejects and self._cache is not None:
            await self._cache.reject(answer.kb, original_of(answer.answer_id), f"feedback: {feedback.verdict}")
        if ruling.example:
            await self._observe(answer, feedback.verdict is Verdict.RIGHT, "feedback", at_ms)
        # Last: a verdict whose effects failed comes again, and is the first again.
        if ruling.ignored is None:
            self._verdicts.remember(feedback)

    async def _observe(self, answer: Followed, right: bool, source: str, at_ms: int) -> None:
        observation = Observation(
            kb=answer.kb,
            language=answer.language,
            confidence=answer.confidence,
            right=right,
            source=source,
            calibrated=answer.calibrated,
            given_unix_ms=answer.at_unix_ms,
            at_unix_ms=at_ms,
        )
        for observe in self._observers:
            await observe(observation)

    def _wait_for_answer(self, judgement: Feedback | AnswerAudited, at_ms: int) -> None:
        self._early.setdefault(judgement.answer_id, []).append((judgement, at_ms))
        if len(self._early) > EARLY_MAX:
            self._early.popitem(last=False)
