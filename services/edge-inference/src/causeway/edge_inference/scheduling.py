"""From a local answer to the one that is given: decides, asks the cloud within its bounds, and never loses the reply.

At most once to the cloud. The local answer stands ready from the start, so whatever the cloud does, or does not, there
is a reply by the deadline less the margin; from the first token on the asker may see text that the final part replaces.
"""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

import msgspec

from causeway.breaker import Result
from causeway.edge_inference.afterwards import Afterwards
from causeway.edge_inference.answer_ids import AnswerIds
from causeway.edge_inference.answering import Answered
from causeway.edge_inference.breaking import SharedBreaker, Ticket
from causeway.edge_inference.cloud_call import CloudCall
from causeway.edge_inference.composing import (
    given_by_cloud,
    given_from_cache,
    given_locally,
    judged,
    name_of,
    with_cost,
)
from causeway.edge_inference.pace import Pace
from causeway.edge_inference.rewording import Rewording
from causeway.edge_inference.routing import Cloud, Decision, Inputs, decide, may_leave, refused_permit, strictest
from causeway.edge_inference.scheduling_metrics import SchedulingMetrics
from causeway.edge_inference.scheduling_ports import AnswerCache, Budget, CacheLook, CloudClient, Confidence, Judgement
from causeway.edge_inference.stopwatch import Stopwatch
from causeway.proto.answers import Answer, AnswerPart, Ask, PartKind, Route
from causeway.proto.cloud import CloudAsk
from causeway.proto.documents import Residency

_log = logging.getLogger(__name__)
_FAILURES = frozenset({Cloud.SLOW, Cloud.STALLED, Cloud.BROKEN, Cloud.GARBAGE, Cloud.UNREACHABLE})
# An answer that was not done by the asker's deadline had begun in time, and says nothing against the hub.
_SUCCESSES = frozenset({Cloud.ANSWERED, Cloud.ABSTAINED, Cloud.UNCITED, Cloud.LATE})
_ASKERS_HASTE = frozenset({Cloud.SLOW, Cloud.REFUSED_DEADLINE})
# Between a call's end and the end of its claim: what it takes to record it.
_CLAIM_SLACK_S = 1.0
Reword = Callable[[Ask, Answered, Answer, Stopwatch], Rewording | None]


@dataclass(frozen=True, kw_only=True)
class SchedulingRule:
    """Bounds of an ask of the cloud, ms and tokens, and which refusals the breaker counts as failures.
    `question_residency` is the least strict label that a question has here, whatever its asker says."""

    first_token_ms: float = 500.0
    token_gap_ms: float = 2_000.0
    margin_ms: float = 50.0
    cloud_ms_min: float = 50.0
    tokens_max: int = 256
    generator_timeout_s: float = 15.0
    question_residency: Residency = Residency.PUBLIC
    refusals_that_count: frozenset[Cloud] = frozenset(
        {Cloud.REFUSED_BUSY, Cloud.REFUSED_ENGINE, Cloud.REFUSED_DEADLINE}
    )

    def result_of(self, outcome: Cloud, first_token_ms: float) -> Result:
        """What an ask's outcome says of the hub. Of an asker who gave it less than the usual time, nothing."""
        if outcome in _SUCCESSES:
            return Result.SUCCESS
        hasty = outcome in _ASKERS_HASTE and first_token_ms < self.first_token_ms
        counts = outcome in _FAILURES or outcome in self.refusals_that_count
        return Result.FAILURE if counts and not hasty else Result.IGNORED


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Who is asked. Without a `cloud` every question stays."""

    confidence: Confidence
    cache: AnswerCache
    budget: Budget
    breaker: SharedBreaker
    cloud: CloudClient | None = None


@dataclass(kw_only=True)
class _Question:
    """One question on its way. `local` becomes the reworded answer where there is one."""

    ask: Ask
    answered: Answered
    local: Answer
    watch: Stopwatch
    look: CacheLook
    inputs: Inputs
    tokens: int = 0
    call: CloudCall | None = None

    @property
    def left_s(self) -> float:
        return self.ask.deadline_ms / 1000 - self.watch.elapsed_s

    def token(self, text: str) -> AnswerPart:
        self.tokens += 1
        return AnswerPart(kind=PartKind.TOKEN, index=self.tokens, text=text)


class Scheduling:
    """On the event loop. Judging and looking into the cache are quick enough for it."""

    def __init__(
        self,
        site: str,
        around: Surroundings,
        afterwards: Afterwards,
        metrics: SchedulingMetrics,
        rule: SchedulingRule,
        *,
        ids: AnswerIds,
        clock_s: Callable[[], float],
        reword: Reword = lambda ask, answered, local, watch: None,
    ) -> None:
        self._site = site
        self._around = around
        self._afterwards = afterwards
        self._metrics = metrics
        self._rule = rule
        self._ids = ids
        self._clock_s = clock_s
        self._reword = reword
        self._first_tokens = Pace(size=32)
        self._endings = Pace()
        # Each is the most that the link can have taken in one call. Their median: by the slowest, which the hub's
        # search may be in, the hub would have too little for a first token; by the fastest, answers would be late.
        self._round_trips = Pace(size=16)

    async def parts(self, ask: Ask, answered: Answered, watch: Stopwatch) -> AsyncGenerator[AnswerPart, None]:
        """The instant part, tokens of whoever writes, the final part."""
        # Before anything reads the ask: its label bears on the cloud, the cache and what follows.
        ask = msgspec.structs.replace(ask, residency=strictest(ask.residency, self._rule.question_residency))
        question = self._question(ask, answered, watch)
        instant = question.local
        yield AnswerPart(kind=PartKind.INSTANT, index=0, text=instant.text, answer=instant)
        async with aclosing(self._written(question)) as pieces:
            async for piece in pieces:
                yield question.token(piece)
        began_s = self._clock_s()
        final = self._final(question, self._decided(question))
        yield AnswerPart(kind=PartKind.FINAL, index=question.tokens + 1, text=final.text, answer=final)
        self._endings.add(self._clock_s(), self._clock_s() - began_s)
        self._metrics.routes.labels(kb=ask.kb, route=final.route, reason=final.decision).inc()
        language, leaves = answered.answer.language, may_leave(question.inputs)
        self._afterwards.begin(ask, final, language, answered.vector, may_leave=leaves)

    async def _written(self, question: _Question) -> AsyncGenerator[str, None]:
        """What the cloud writes; or the local model, where the local answer is given and nothing was written before."""
        if self._decided(question).ask:
            async with aclosing(self._by_cloud(question)) as pieces:
                async for piece in pieces:
                    yield piece
        if self._decided(question).route not in (Route.EDGE, Route.FALLBACK) or question.tokens:
            return
        rewording = self._reword(question.ask, question.answered, question.local, question.watch)
        left_s = question.left_s - self._rule.margin_ms / 1000 if question.call else question.left_s
        if rewording is None or left_s <= 0:
            return
        async with aclosing(rewording.pieces(min(self._rule.generator_timeout_s, left_s))) as pieces:
            async for piece in pieces:
                yield piece
        question.local = rewording.answer()

    async def _by_cloud(self, question: _Question) -> AsyncGenerator[str, None]:
        cloud, breaker = self._around.cloud, self._around.breaker
        assert cloud is not None, "the link is an input of the decision"
        ticket = await breaker.acquire(question.left_s + _CLAIM_SLACK_S)
        if ticket is None:
            question.inputs = refused_permit(question.inputs)
            return
        question.inputs = replace(question.inputs, left_ms=1000 * question.left_s)
        decision = self._decided(question)
        if not decision.ask:
            breaker.record(ticket, Result.IGNORED, 0.0)
            return
        call = CloudCall(
            cloud,
            self._request(question, decision),
            decision,
            token_gap_ms=self._rule.token_gap_ms,
            clock_s=self._clock_s,
        )
        try:
            async with aclosing(call.pieces()) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            question.call = call
            self._called(question, ticket, call, decision)

    def _called(self, question: _Question, ticket: Ticket, call: CloudCall, decision: Decision) -> None:
        """Also when the asker went away in the middle: then the outcome is still that it was not asked."""
        now_s = self._clock_s()
        result = self._rule.result_of(call.outcome, decision.first_token_ms)
        self._around.breaker.record(ticket, result, call.answered_s)
        self._metrics.cloud_asks.labels(outcome=call.outcome).inc()
        question.watch.add("cloud", call.ended_s)
        if call.round_trip_s is not None:
            self._round_trips.add(now_s, call.round_trip_s)
        if call.first_s is not None:
            self._first_tokens.add(now_s, call.first_s)
            self._metrics.first_token.observe(call.first_s)
            question.watch.add("cloud_first_token", call.first_s)
        if call.outcome is not Cloud.ANSWERED:
            # The same question may have been answered for somebody else meanwhile.
            question.look = self._look(question.ask, question.answered, again=True)
        cached = question.look.answer is not None
        question.inputs = replace(question.inputs, cloud=call.outcome, cached=cached)
        if call.detail:
            _log.info("no answer from the cloud", extra={"outcome": call.outcome, "reason": call.detail})

    def _question(self, ask: Ask, answered: Answered, watch: Stopwatch) -> _Question:
        watch.add("local", watch.elapsed_s)
        extract = answered.answer
        judgement = self._around.confidence.judge(ask.kb, extract.language, extract.features, extract.confidence)
        look = self._look(ask, answered)
        local = judged(extract, judgement, name_of(self._ids.next(), look))
        inputs = self._inputs(ask, answered, judgement, look, watch)
        return _Question(ask=ask, answered=answered, local=local, watch=watch, look=look, inputs=inputs)

    def _look(self, ask: Ask, answered: Answered, *, again: bool = False) -> CacheLook:
        if not ask.cache:
            return CacheLook()
        return self._around.cache.look(ask, answered.answer.language, answered.vector, again=again)

    def _inputs(self, ask: Ask, answered: Answered, judgement: Judgement, look: CacheLook, watch: Stopwatch) -> Inputs:
        cloud, now_s = self._around.cloud, self._clock_s()
        connected = cloud is not None and cloud.connected
        self._metrics.link_connected.set(connected)
        link_ms = self._round_trips.quantile_ms(0.5, now_s)
        self._metrics.link_round_trip.set(link_ms / 1000)
        return Inputs(
            cached=look.answer is not None,
            cache_wanted=ask.cache,
            abstained=answered.answer.abstained,
            probability=judgement.probability,
            threshold=judgement.threshold,
            question_residency=ask.residency,
            evidence_residency=answered.residency,
            cloud_wanted=ask.cloud,
            link_connected=connected,
            breaker_allows=self._around.breaker.look().allowed,
            budget_allows=not self._around.budget.refusal(ask.kb, ask.tenant),
            left_ms=ask.deadline_ms - 1000 * watch.elapsed_s,
            margin_ms=self._rule.margin_ms,
            local_p99_ms=self._endings.quantile_ms(0.99, now_s),
            cloud_first_token_ms=self._first_tokens.quantile_ms(0.5, now_s),
            cloud_ms_min=self._rule.cloud_ms_min,
            hedge_ms=self._rule.first_token_ms,
            link_ms=link_ms,
        )

    def _decided(self, question: _Question) -> Decision:
        return decide(question.inputs)

    def _request(self, question: _Question, decision: Decision) -> CloudAsk:
        ask = question.ask
        return CloudAsk(
            ask_id=question.local.answer_id,
            kb=ask.kb,
            question=ask.question,
            language=question.local.language,
            deadline_ms=max(1, int(decision.hub_total_ms)),
            first_token_ms=max(1, int(decision.hub_first_token_ms)),
            passages_max=ask.passages_max,
            tokens_max=self._rule.tokens_max,
            tenant=ask.tenant,
        )

    def _final(self, question: _Question, decision: Decision) -> Answer:
        latency_ms = question.watch.latency_ms()
        cloud = question.call.answer if question.call else None
        if decision.route is Route.CLOUD and cloud is not None:
            return given_by_cloud(question.local, cloud, self._site, decision, latency_ms)
        if decision.route is Route.CACHE:
            return with_cost(given_from_cache(question.local, question.look, decision, latency_ms), cloud)
        return with_cost(given_locally(question.local, decision, latency_ms), cloud)
