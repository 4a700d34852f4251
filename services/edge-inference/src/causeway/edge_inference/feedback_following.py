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
from causeway.edge_inference.feedback_rules import (
    Entry,
    Ignored,
    Observation,
    Verdicts,
    audited,
    observed,
    rule,
    without_text,
)
from causeway.proto import streams, subjects
from causeway.proto.feedback import AnswerAudited, Feedback, Verdict

READ_MAX = 50_000
VERDICTS_MAX = 50_000
# Answers whose judgements came before them, how many judgements of each wait, and how long, by the log's own time.
EARLY_MAX = 1_000
EARLY_EACH_MAX = 8
EARLY_MS_MAX = 10 * 60_000
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
        self._early: OrderedDict[str, list[tuple[Feedback | AnswerAudited, Entry]]] = OrderedDict()
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
            entry = Entry(int(each.timestamp.timestamp() * 1000), each.stream_seq)
            if isinstance(each.message, Feedback | AnswerAudited):
                await self._judged(each.message, self._answers.index.of(each.message.answer_id), entry)
            created = self.follower.position.stream_created
            self._position = Position(seq=each.stream_seq, stream_created=created)

    async def _on_answers(self, answers: Sequence[Followed]) -> None:
        """A verdict may be quicker than the ledger."""
        for answer in answers:
            for judgement, entry in self._early.pop(answer.answer_id, ()):
                await self._judged(judgement, answer, entry)

    async def _judged(self, judgement: Feedback | AnswerAudited, answer: Followed | None, entry: Entry) -> None:
        if isinstance(judgement, Feedback):
            await self._said(judgement, answer, entry)
        elif (observation := audited(judgement, answer, entry)) is not None:
            await self._observe(observation)
        else:
            if entry.at_ms >= self._began_unix_ms:
                self._metrics.feedback_ignored.labels(reason=Ignored.UNKNOWN_ANSWER).inc()
            self._wait_for_answer(judgement, entry)

    async def _said(self, feedback: Feedback, answer: Followed | None, entry: Entry) -> None:
        ruling = rule(feedback, answer, self._verdicts.first(feedback))
        counts = entry.at_ms >= self._began_unix_ms
        if ruling.ignored is not None and counts:
            self._metrics.feedback_ignored.labels(reason=ruling.ignored).inc()
        if ruling.ignored is Ignored.UNKNOWN_ANSWER:
            self._wait_for_answer(feedback, entry)
        if answer is None:
            return
        if ruling.ignored is None and counts:
            self._metrics.feedback.labels(
                kb=answer.kb, language=answer.language, route=answer.route, verdict=feedback.verdict
            ).inc()
        if ruling.rejects and self._cache is not None:
            await self._cache.reject(answer.kb, original_of(answer.answer_id), f"feedback: {feedback.verdict}")
        if ruling.example:
            await self._observe(observed(answer, feedback.verdict is Verdict.RIGHT, "feedback", entry))
        # Last: a verdict whose effects failed comes again, and is the first again.
        if ruling.ignored is None:
            self._verdicts.remember(feedback)

    async def _observe(self, observation: Observation) -> None:
        for observe in self._observers:
            await observe(observation)

    def _wait_for_answer(self, judgement: Feedback | AnswerAudited, entry: Entry) -> None:
        """The first few of each answer, without their texts: of no answer may they fill the memory."""
        while self._early and self._oldest_early_ms() < entry.at_ms - EARLY_MS_MAX:
            self._early.popitem(last=False)
        waiting = self._early.setdefault(judgement.answer_id, [])
        if len(waiting) < EARLY_EACH_MAX:
            waiting.append((without_text(judgement), entry))
        if len(self._early) > EARLY_MAX:
            self._early.popitem(last=False)

    def _oldest_early_ms(self) -> int:
        return next(iter(self._early.values()))[0][1].at_ms
