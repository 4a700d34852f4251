"""Asks the cloud too what was answered here, of a small random share of answers: an estimate of local error, live.

Made as `Auditing(bus, site, cloud, metrics, rule, rng, refusal=...)` on a bus that is about to start, and entered
(`async with`); it is the scheduler's `Audits`. Never for anything but public evidence and a public question.

At most once: an audit that fails is not tried again, and a stop leaves those that wait. What one costs is in USAGE
with the purpose `audit`, from where every replica knows the day's sum, also after a restart: USAGE is read from the
day's beginning. Of one that failed at the hub it is what was reserved, the most that it can have cost. Two replicas
that reserve in the same moment may spend one audit more than the day allows; what a process had reserved when it was
killed, and an audit that failed unforeseen or could not be published, are known to no other.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from causeway.bus import Bus, BusError, Delivery, Position
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.audit_budget import DAY_MS, AuditBudget, AuditRule, may_leave
from causeway.edge_inference.judging import Agreement, compare
from causeway.edge_inference.scheduling_ports import CloudClient, CloudFailed, CloudRefused
from causeway.proto import streams, subjects
from causeway.proto.answers import Answer, Ask, Route
from causeway.proto.cloud import CloudAnswer, CloudAsk
from causeway.proto.feedback import AnswerAudited
from causeway.proto.usage import UsageRecorded

PURPOSE = "audit"
QUEUE_MAX = 16
QUIET_WAIT_S = 30.0
DEADLINE_MS = 60_000
# The server's clock and this one may differ by so much.
READ_EARLIER = timedelta(minutes=10)
_QUIET_POLL_S = 0.1
_log = logging.getLogger(__name__)


def wall_clock_ms() -> int:
    """Unix milliseconds."""
    return int(time.time() * 1000)


def _same_passages(answer: Answer, said: CloudAnswer) -> bool | None:
    """None where it is not known: nothing is cited, or of one document other chunks, maybe of another revision."""
    ours, theirs = answer.citations, said.citations
    if {one.chunk_id for one in ours} & {one.chunk_id for one in theirs}:
        return True
    one_document = {one.document_id for one in ours} & {one.document_id for one in theirs}
    return None if one_document or not ours or not theirs else False


def nothing_refuses() -> str:
    """See `Auditing`."""
    return ""


def never_busy() -> bool:
    """See `Auditing`."""
    return False


class Auditing:
    """One audit at a time, with a deadline so long that the hub may serve others first, and none while asks are under
    way (`busy`, waited for at most QUIET_WAIT_S). `refusal` says by a code why the cloud may not be asked now (breaker,
    budget), or is empty."""

    def __init__(
        self,
        bus: Bus,
        site: str,
        cloud: CloudClient,
        metrics: AftermathMetrics,
        rule: AuditRule,
        rng: random.Random,
        *,
        refusal: Callable[[], str] = nothing_refuses,
        busy: Callable[[], bool] = never_busy,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._bus = bus
        self._site = site
        self._cloud = cloud
        self._metrics = metrics
        self._rule = rule
        self._rng = rng
        self._refusal = refusal
        self._busy = busy
        self._clock_ms = clock_ms
        self.budget = AuditBudget(rule)
        self._queue: asyncio.Queue[tuple[Ask, Answer, int]] = asyncio.Queue(QUEUE_MAX)
        self._worker: asyncio.Task[None] | None = None
        self._position: Position | None = None
        self.follower = bus.follow(
            streams.USAGE.name,
            [subjects.USAGE.at(site)],
            self._where,
            self._on_usage,
            message_types=subjects.USAGE.carries,
            on_reset=self._reset,
        )

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._work(), name="audits")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    async def consider(self, ask: Ask, answer: Answer) -> None:
        """Draw; if it is drawn and may leave and there is money for it, queue it. Returns at once."""
        if not may_leave(ask, answer) or self._rng.random() >= self._rule.share:
            return
        if not self.follower.caught_up.is_set():
            # What was spent today is not known yet.
            self._metrics.audits_refused.labels(reason="starting").inc()
        elif not self.budget.reserve(answer.answer_id, self._clock_ms()):
            self._metrics.audits_refused.labels(reason="budget").inc()
        elif self._queue.full():
            self.budget.refund(answer.answer_id)
            self._metrics.audits_refused.labels(reason="queue_full").inc()
        else:
            self._queue.put_nowait((ask, answer, self._clock_ms()))

    async def _work(self) -> None:
        while True:
            ask, answer, given_ms = await self._queue.get()
            try:
                await self._audit(ask, answer, given_ms)
            except Exception as error:  # noqa: BLE001  # The outermost loop of audits: one is lost, not those after it.
                expected = isinstance(error, BusError | TimeoutError)
                self._budget_bears(answer)
                outcome = "not_published" if expected else "failed_unexpected"
                self._metrics.audits.labels(kb=answer.kb, outcome=outcome).inc()
                about = {"reason": type(error).__name__}
                _log.warning("an audit is lost", extra=about, exc_info=None if expected else error)
            finally:
                self._queue.task_done()

    def _budget_bears(self, answer: Answer) -> None:
        """What is still reserved for it may have been spent."""
        if self.budget.holds(answer.answer_id):
            self.budget.settle(answer.answer_id, self._clock_ms(), self._rule.usd_each_max, self._clock_ms())

    async def _audit(self, ask: Ask, answer: Answer, given_ms: int) -> None:
        await self._quiet()
        if refusal := self._refusal():
            self.budget.refund(answer.answer_id)
            self._metrics.audits_refused.labels(reason=refusal).inc()
            return
        began_ms = self._clock_ms()
        try:
            said = await self._ask(ask, answer)
        except CloudRefused as error:
            self.budget.refund(answer.answer_id)
            self._metrics.audits.labels(kb=answer.kb, outcome=f"refused_{error.code}").inc()
            return
        except CloudFailed as error:
            # Tokens may have been made all the same: the day bears the most that it can have cost.
            self.budget.settle(answer.answer_id, began_ms, self._rule.usd_each_max, self._clock_ms())
            self._metrics.audits.labels(kb=answer.kb, outcome=f"failed_{error.code}").inc()
            await self._used(ask, answer, None, began_ms)
            return
        self.budget.settle(answer.answer_id, began_ms, said.cost_usd, self._clock_ms())
        await self._used(ask, answer, said, began_ms)
        await self._record(ask, answer, said, given_ms)

    async def _ask(self, ask: Ask, answer: Answer) -> CloudAnswer:
        request = CloudAsk(
            ask_id=f"{PURPOSE}-{answer.answer_id}",
            kb=ask.kb,
            question=ask.question,
            language=answer.language,
            deadline_ms=DEADLINE_MS,
            first_token_ms=DEADLINE_MS,
            passages_max=ask.passages_max,
            tenant=ask.tenant,
        )
        final: CloudAnswer | None = None
        async with aclosing(self._cloud.ask(request)) as parts:
            async for part in parts:
                final = part.answer or final
        if final is None:
            raise CloudFailed(CloudFailed.BROKEN, "no final part")
        return final

    async def _used(self, ask: Ask, answer: Answer, said: CloudAnswer | None, began_ms: int) -> None:
        """Told once whoever reads it: the id is of the answer, in the stream and in the budget."""
        usage = UsageRecorded(
            usage_id=f"{answer.answer_id}:{PURPOSE}",
            site=self._site,
            kb=answer.kb,
            answer_id=answer.answer_id,
            service="edge-inference",
            purpose=PURPOSE,
            route=Route.CLOUD,
            model=said.model if said else "",
            prompt_tokens=said.prompt_tokens if said else 0,
            completion_tokens=said.completion_tokens if said else 0,
            cached_tokens=said.cached_tokens if said else 0,
            duration_ms=float(max(0, self._clock_ms() - began_ms)),
            watt_hours=said.watt_hours if said else None,
            cost_usd=said.cost_usd if said else self._rule.usd_each_max,
            tenant=ask.tenant,
            at_unix_ms=began_ms,
        )
        await self._bus.publish(subjects.USAGE.at(self._site), usage, msg_id=usage.usage_id)

    async def _record(self, ask: Ask, answer: Answer, said: CloudAnswer, given_ms: int) -> None:
        text = "" if said.abstained else said.text
        found = compare(answer.text, text, ask.question, same_passages=_same_passages(answer, said))
        self._metrics.audits.labels(kb=answer.kb, outcome=found.agreement).inc()
        audited = AnswerAudited(
            answer_id=answer.answer_id,
            kb=answer.kb,
            language=answer.language,
            confidence=answer.confidence,
            features=answer.features,
            agrees=found.agreement is not Agreement.DIFFERS,
            undecided=found.agreement is Agreement.UNDECIDED,
            cloud_text=said.text,
            cost_usd=said.cost_usd,
            at_unix_ms=self._clock_ms(),
            calibrated=answer.calibrated,
            given_unix_ms=given_ms,
        )
        await self._bus.publish(subjects.AUDITED.at(self._site, answer.kb), audited, msg_id=answer.answer_id)

    async def _quiet(self) -> None:
        deadline = time.monotonic() + QUIET_WAIT_S
        while self._busy() and time.monotonic() < deadline:  # noqa: ASYNC110  # Asks come and go without an event.
            await asyncio.sleep(_QUIET_POLL_S)

    async def _where(self) -> Position:
        if self._position is None:
            began_s = self._clock_ms() // DAY_MS * DAY_MS / 1000
            day = datetime.fromtimestamp(began_s, UTC)
            self._position = Position(seq=await self._bus.seq_before(streams.USAGE.name, day - READ_EARLIER))
        return self._position

    async def _reset(self, position: Position) -> None:
        self._position = position

    async def _on_usage(self, deliveries: Sequence[Delivery]) -> None:
        for each in deliveries:
            usage = each.message
            if isinstance(usage, UsageRecorded) and usage.purpose == PURPOSE:
                self.budget.settle(usage.answer_id, usage.at_unix_ms, usage.cost_usd, self._clock_ms())
        self._metrics.audit_usd.set(self.budget.spent_usd)
        created = self.follower.position.stream_created
        self._position = Position(seq=deliveries[-1].stream_seq, stream_created=created)
