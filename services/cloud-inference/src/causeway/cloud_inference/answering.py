"""One ask from its admission to its last part: passages, prompt, generation, citations that are checked."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from causeway.bus import ProblemReply
from causeway.cloud_inference.billing import Bill, Billing
from causeway.cloud_inference.citing import checked
from causeway.cloud_inference.completions import STOP, Generation
from causeway.cloud_inference.entrance import Entrance
from causeway.cloud_inference.errors import EngineBusy, EngineError, EngineRefused
from causeway.cloud_inference.generating import Generating
from causeway.cloud_inference.metrics import Metrics
from causeway.cloud_inference.ports import Engine
from causeway.cloud_inference.problems import engine_refused
from causeway.cloud_inference.prompt import Passage, Prompt, TokenMeasure, assembled
from causeway.cloud_inference.retrieving import Found
from causeway.cloud_inference.running import OutOfTime, Running
from causeway.cloud_inference.settled import ShelfRebuilding
from causeway.cloud_inference.stopwatch import Stopwatch
from causeway.cloud_inference.wording import abstention, cut_short
from causeway.language import detect
from causeway.milvus.errors import ShelfError
from causeway.proto.answers import Citation
from causeway.proto.cloud import CloudAnswer, CloudAsk, CloudPart, CloudPartKind, Refusal


class Retriever(Protocol):
    """Finds passages; `Retrieving` is one."""

    async def find(self, kb: str, question: str, passages_max: int, watch: Stopwatch) -> Found: ...


class Served(Protocol):
    """What is known of the engine by now; `Watch` is one."""

    model: str
    measure: TokenMeasure


@dataclass(frozen=True, kw_only=True)
class AnswerRules:
    """Limits in tokens and ms, and the adapter of each kb that has one."""

    prompt_tokens_max: int = 1_500
    context_tokens: int = 4_096
    passages_max: int = 8
    reply_margin_ms: float = 30.0
    adapters: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class _Work:
    """One ask with what it has come to."""

    ask: CloudAsk
    running: Running
    language: str
    watch: Stopwatch
    found: Found
    prompt: Prompt
    generating: Generating
    bill: Bill


class Answering:
    """At most once: nothing is kept of an ask but its usage event."""

    def __init__(
        self,
        engine: Engine,
        entrance: Entrance,
        retriever: Retriever,
        served: Served,
        rules: AnswerRules,
        billing: Billing,
        metrics: Metrics,
    ) -> None:
        self._engine = engine
        self._entrance = entrance
        self._retriever = retriever
        self._served = served
        self._rules = rules
        self._billing = billing
        self._metrics = metrics

    async def parts(self, site: str, ask: CloudAsk, began_s: float) -> AsyncGenerator[CloudPart, None]:
        """`accepted`, tokens as they come, and `final`. Closing it ends the generation in the engine.

        Raises:
            Refused: at once where it can not be answered in time; later where the engine fails or is late. Cancelled.
        """
        outcome = "gone"
        try:
            async with aclosing(self._parts(site, ask, began_s)) as parts:
                async for part in parts:
                    if part.answer is not None:
                        outcome = "abstained" if part.answer.abstained else "answered"
                    yield part
        except ProblemReply as reply:
            outcome = reply.problem.code
            raise
        finally:
            self._metrics.asks.labels(site=site, outcome=outcome).inc()

    async def _parts(self, site: str, ask: CloudAsk, began_s: float) -> AsyncGenerator[CloudPart, None]:
        language = "zh" if (ask.language or detect(ask.question)) == "zh" else "en"
        least = assembled(ask.question, [], language, 0, self._served.measure).tokens
        with self._entrance.enter(site, ask, began_s, least) as running:
            work = await self._prepared(ask, running, language)
            yield CloudPart(kind=CloudPartKind.ACCEPTED, index=0)
            index = 0
            async with aclosing(self._generated(work)) as texts:
                async for text in texts:
                    index += 1
                    yield CloudPart(kind=CloudPartKind.TOKEN, index=index, text=text)
            answer = self._answer(work)
            yield CloudPart(kind=CloudPartKind.FINAL, index=index + 1, text=answer.text, answer=answer)

    async def _prepared(self, ask: CloudAsk, running: Running, language: str) -> _Work:
        """Passages and prompt, and admitted again with what that costs."""
        watch = Stopwatch()
        found = await self._found(ask, running, watch)
        prompt = self._prompt(ask, found, language)
        tokens_max = max(1, min(ask.tokens_max, self._rules.context_tokens - prompt.tokens))
        self._entrance.admit(running, prompt.tokens, tokens_max)
        model = self._rules.adapters.get(ask.kb, self._served.model)
        generation = Generation(model=model, messages=prompt.messages, tokens_max=tokens_max)
        generating = Generating(self._engine, self._entrance, generation, prompt.tokens)
        return _Work(
            ask=ask,
            running=running,
            language=language,
            watch=watch,
            found=found,
            prompt=prompt,
            generating=generating,
            bill=self._billing.bill(running.site, ask, generating),
        )

    async def _found(self, ask: CloudAsk, running: Running, watch: Stopwatch) -> Found:
        passages_max = min(ask.passages_max, self._rules.passages_max)
        try:
            found = await running.within(
                running.first_token_s, lambda: self._retriever.find(ask.kb, ask.question, passages_max, watch)
            )
        except OutOfTime:
            raise self._entrance.refuse(Refusal.DEADLINE, "the search took all of the time") from None
        except ShelfRebuilding as error:
            raise self._entrance.refuse(Refusal.SHELF_REBUILDING, str(error)) from error
        except ShelfError as error:
            raise self._entrance.refuse(Refusal.SHELF_AWAY, f"nothing can be searched: {error}") from error
        if not found.known:
            raise self._entrance.refuse(Refusal.UNKNOWN_KB, f"nothing is shared of the knowledge base {ask.kb!r}")
        return found

    def _prompt(self, ask: CloudAsk, found: Found, language: str) -> Prompt:
        # A long answer may be wanted: the prompt has half of the context all the same.
        room = self._rules.context_tokens - min(ask.tokens_max, self._rules.context_tokens // 2)
        passages = [Passage(title=_title(citation), text=citation.quote) for citation in found.citations]
        budget = min(self._rules.prompt_tokens_max, room)
        return assembled(ask.question, passages, language, budget, self._served.measure)

    async def _generated(self, work: _Work) -> AsyncGenerator[str, None]:
        """The text as it comes; however it ends, what was used is recorded."""
        generating, running = work.generating, work.running
        until_s = running.deadline_s - self._rules.reply_margin_ms / 1_000
        try:
            with work.bill, work.watch.part("generate"):
                async with aclosing(generating.pieces(running, until_s)) as pieces:
                    async for text in pieces:
                        yield text
        except OutOfTime:
            raise self._entrance.refuse(Refusal.DEADLINE, "the engine gave no token in time") from None
        except EngineBusy as error:
            raise self._entrance.refuse(Refusal.BUSY, error.detail) from error
        except EngineRefused as error:
            model, adapter = work.generating.model, work.ask.kb in self._rules.adapters
            refused = engine_refused(work.ask.kb, model, adapter=adapter, reason=error.detail)
            raise self._entrance.counted(refused) from error
        except EngineError as error:
            raise self._entrance.refuse(Refusal.ENGINE, error.detail) from error
        work.watch.add("first_token", generating.first_token_s)

    def _answer(self, work: _Work) -> CloudAnswer:
        generating, usage = work.generating, work.generating.usage
        with work.watch.part("check"):
            # What the deadline or the limit of tokens broke off may end within a sentence.
            whole = generating.finish_reason == STOP
            result = checked(generating.text, work.ask.question, work.prompt.texts, whole=whole)
        for what, count in (("kept", len(result.cited)), ("removed", result.removed), ("added", result.added)):
            self._metrics.citations.labels(what=what).inc(count)
        self._measure(work.watch)
        return CloudAnswer(
            text=abstention(work.language) if result.abstained else result.text,
            abstained=result.abstained,
            reason="; ".join(filter(None, (result.reason, cut_short(generating.finish_reason, work.language)))),
            language=work.language,
            model=self._served.model,
            adapter=self._rules.adapters.get(work.ask.kb, ""),
            citations=[work.found.citations[work.prompt.kept[number - 1]] for number in result.cited],
            epoch=work.found.epoch,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
            finish_reason=generating.finish_reason,
            latency_ms=work.watch.latency_ms(),
            cost_usd=work.bill.cost_usd,
            watt_hours=work.bill.watt_hours,
        )

    def _measure(self, watch: Stopwatch) -> None:
        for part, seconds in watch.parts_s.items():
            self._metrics.seconds.labels(part=part).observe(seconds)


def _title(citation: Citation) -> str:
    return " › ".join(filter(None, (citation.title, citation.heading)))
