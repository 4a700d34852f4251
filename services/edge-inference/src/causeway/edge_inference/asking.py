"""The endpoints: takes asks and searches from the bus, keeps the event loop free, and words the parts of a stream."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import Executor
from contextlib import aclosing
from typing import TypeVar

from causeway.bus import Caller, Endpoint, ProblemReply
from causeway.edge_inference.answering import Answered, Answering
from causeway.edge_inference.metrics import Metrics
from causeway.edge_inference.problems import DeadlinePassedError, WrongSubjectError
from causeway.edge_inference.scheduling import Scheduling
from causeway.edge_inference.stopwatch import Stopwatch
from causeway.proto import subjects
from causeway.proto.answers import Answer, AnswerPart, Ask, PartKind, Search, SearchResult

SEARCH_DEADLINE_MS = 30_000
Q = TypeVar("Q")
T = TypeVar("T")


class Asking:
    """Asks have threads of their own, so that no index or vault work is ever before them in a queue.

    At most once: of an ask that got no reply nothing is kept; its asker asks again.
    """

    def __init__(
        self,
        answering: Answering,
        executor: Executor,
        metrics: Metrics,
        scheduling: Scheduling,
    ) -> None:
        self.running = 0
        """Asks under way."""
        self._answering = answering
        self._executor = executor
        self._metrics = metrics
        self._scheduling = scheduling

    def endpoints(self, site: str, concurrency_max: int) -> list[Endpoint]:
        """What is served, for the bus."""
        return [
            Endpoint(
                name="ask",
                subject=subjects.ASK.at(site),
                handler=self.ask,
                request_type=Ask,
                is_last=lambda part: part.kind is PartKind.FINAL,
                concurrency_max=concurrency_max,
            ),
            Endpoint(
                name="search",
                subject=subjects.SEARCH.at(site),
                handler=self.search,
                request_type=Search,
                concurrency_max=concurrency_max,
            ),
        ]

    def ask(self, caller: Caller, ask: Ask) -> Awaitable[Answer] | AsyncGenerator[AnswerPart, None]:
        """One answer, or its parts: the instant one, what a model writes here or at the hub, the final one."""
        _check_subject(ask.kb, caller.subject)
        return self._parts(ask) if ask.stream else self._answer(ask)

    async def search(self, caller: Caller, search: Search) -> SearchResult:
        """Documents best first."""
        _check_subject(search.kb, caller.subject)
        watch = Stopwatch()
        result = await self._on_thread(self._answering.search, search, watch, SEARCH_DEADLINE_MS)
        self._metrics.asks.labels(kb=search.kb, outcome="searched").inc()
        return result

    async def _answer(self, ask: Ask) -> Answer:
        final: Answer | None = None
        async with aclosing(self._parts(ask)) as parts:
            async for part in parts:
                final = part.answer or final
        assert final is not None
        return final

    async def _parts(self, ask: Ask) -> AsyncGenerator[AnswerPart, None]:
        watch = Stopwatch()
        self.running += 1
        try:
            answered = await self._instant(ask, watch)
            async with aclosing(self._scheduling.parts(ask, answered, watch)) as parts:
                async for part in parts:
                    yield part
        finally:
            self.running -= 1
        self._measure(watch)

    async def _instant(self, ask: Ask, watch: Stopwatch) -> Answered:
        try:
            answered = await self._on_thread(self._answering.answer, ask, watch, ask.deadline_ms)
        except ProblemReply as reply:
            # The name of a kb that is not there is the asker's text, so it must not become a label.
            self._metrics.asks.labels(kb="", outcome=reply.problem.code).inc()
            raise
        self._metrics.asks.labels(kb=ask.kb, outcome="abstained" if answered.answer.abstained else "answered").inc()
        return answered

    async def _on_thread(self, act: Callable[[Q, Stopwatch], T], request: Q, watch: Stopwatch, deadline_ms: int) -> T:
        def run() -> T:
            watch.add("wait", watch.elapsed_s)
            return act(request, watch)

        work = asyncio.get_running_loop().run_in_executor(self._executor, run)
        try:
            return await asyncio.wait_for(work, deadline_ms / 1000)
        except TimeoutError:
            raise DeadlinePassedError(deadline_ms) from None

    def _measure(self, watch: Stopwatch) -> None:
        for part, seconds in watch.seconds().items():
            self._metrics.seconds.labels(part=part).observe(seconds)


def _check_subject(kb: str, subject: str) -> None:
    if subject.rsplit(".", 1)[-1] != kb:
        raise WrongSubjectError(kb, subject)
