"""A scheduler with everything around it made up, in the time of a jumping loop: what it gives, and what follows."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import numpy as np
from prometheus_client import CollectorRegistry

from causeway.breaker import Rule
from causeway.edge_inference.afterwards import Afterwards
from causeway.edge_inference.answer_ids import AnswerIds
from causeway.edge_inference.answering import Answered
from causeway.edge_inference.breaking import SharedBreaker
from causeway.edge_inference.ports import Generator, Prompt
from causeway.edge_inference.rewording import LocalModel
from causeway.edge_inference.scheduling import Scheduling, SchedulingRule, Surroundings
from causeway.edge_inference.scheduling_metrics import SchedulingMetrics
from causeway.edge_inference.scheduling_ports import CacheLook, CloudClient, Judgement, Vector
from causeway.edge_inference.stopwatch import Stopwatch
from causeway.proto.answers import Answer, AnswerPart, Ask, Author, Route
from causeway.proto.documents import Residency
from causeway.proto.feedback import CitedChunk
from tests.support.turn_log import MemoryLog
from tests.support.virtual_time import elapse

SITE = "branch-1"
LOCAL_TEXT = "The handbook speaks of leave."


@dataclass
class Sure:
    """The same probability for every answer."""

    probability: float = 0.3
    threshold: float = 0.8

    def judge(self, kb: str, language: str, features: Mapping[str, float], raw: float) -> Judgement:
        """See Confidence."""
        return Judgement(
            probability=self.probability, calibrated=True, threshold=self.threshold, promise=0.85, version="v1"
        )


@dataclass
class ScriptedCache:
    """Each look gets the next; the last one again and again."""

    looks: list[CacheLook] = field(default_factory=lambda: [CacheLook()])
    looked: int = 0
    again: list[bool] = field(default_factory=list)
    kept: list[Answer] = field(default_factory=list)

    def look(self, ask: Ask, language: str, vector: Vector, *, again: bool = False) -> CacheLook:
        """See AnswerCache."""
        self.looked += 1
        self.again.append(again)
        return self.looks[min(self.looked, len(self.looks)) - 1]

    async def keep(self, ask: Ask, language: str, vector: Vector, answer: Answer, cited: Sequence[CitedChunk]) -> None:
        """See AnswerCache."""
        self.kept.append(answer)

    async def reject(self, kb: str, answer_id: str, reason: str) -> None:
        """See AnswerCache."""


@dataclass
class Books:
    """A ledger and audits that only remember; `fails` and `takes_s` are of the ledger."""

    given_to: list[tuple[Answer, list[CitedChunk]]] = field(default_factory=list)
    considered: list[Answer] = field(default_factory=list)
    fails: bool = False
    takes_s: float = 0.0

    async def given(self, ask: Ask, answer: Answer, cited: Sequence[CitedChunk]) -> None:
        """See Ledger."""
        await elapse(self.takes_s)
        if self.fails:
            raise ValueError("the ledger is torn")
        self.given_to.append((answer, list(cited)))

    async def consider(self, ask: Ask, answer: Answer) -> None:
        """See Audits."""
        self.considered.append(answer)


@dataclass
class Limited:
    """A budget that says the same each time."""

    why: str = ""

    def refusal(self, kb: str, tenant: str) -> str:
        """See Budget."""
        return self.why


@dataclass
class Writer:
    """A local model that writes one text after a while."""

    text: str = "leave handbook"
    takes_s: float = 0.1
    asked: list[float] = field(default_factory=list)

    @property
    def model_name(self) -> str:
        return "writer"

    async def generate(self, prompt: Prompt, *, timeout_s: float) -> AsyncGenerator[str, None]:
        """See Generator."""
        self.asked.append(timeout_s)
        await elapse(self.takes_s)
        yield self.text

    async def close(self) -> None:
        """See Generator."""


@dataclass(kw_only=True)
class Given:
    """One reply: its parts, and the seconds from the ask to the last."""

    parts: list[AnswerPart]
    took_s: float

    @property
    def answer(self) -> Answer:
        answer = self.parts[-1].answer
        assert answer is not None
        return answer

    @property
    def told(self) -> tuple[Route, str]:
        return self.answer.route, self.answer.decision

    @property
    def tokens(self) -> str:
        return "".join(part.text for part in self.parts[1:-1])


def local_answer(**changes: object) -> Answer:
    """What was found at the site."""
    values: dict[str, object] = {
        "kb": "handbook",
        "text": LOCAL_TEXT,
        "sentences": [LOCAL_TEXT],
        "written_by": Author.EXTRACT,
        "route": Route.EDGE,
        "abstained": False,
        "language": "en",
        "confidence": 0.4,
        "citations": [],
        "epoch": {SITE: 7},
        "latency_ms": {},
        "residency": Residency.PUBLIC,
    }
    return Answer(**(values | changes))  # type: ignore[arg-type]


class Desk:
    """One replica's scheduler."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        cloud: CloudClient | None,
        *,
        sure: Sure | None = None,
        rule: SchedulingRule | None = None,
        breaker_rule: Rule | None = None,
        cache: ScriptedCache | None = None,
        books: Books | None = None,
        budget: str = "",
        writer: Generator | None = None,
        afterwards_max: int = 256,
    ) -> None:
        self.loop = loop
        self.registry = CollectorRegistry()
        self.metrics = SchedulingMetrics(self.registry)
        self.cache = cache or ScriptedCache()
        self.books = books or Books()
        self.turns = MemoryLog()
        self.breaker = SharedBreaker(
            self.turns,
            SITE,
            "hub",
            "replica",
            breaker_rule or Rule(calls_min=1_000, window_calls=0),
            self.metrics,
            clock_s=loop.time,
            wall_ms=lambda: int(loop.time() * 1000),
        )
        self.afterwards = Afterwards(
            self.books, self.cache, self.books, self.metrics, running_max=afterwards_max, timeout_s=60.0
        )
        around = Surroundings(
            confidence=sure or Sure(),
            cache=self.cache,
            budget=Limited(budget),
            breaker=self.breaker,
            cloud=cloud,
        )
        self.scheduling = Scheduling(
            SITE,
            around,
            self.afterwards,
            self.metrics,
            rule or SchedulingRule(),
            ids=AnswerIds(lambda: int(loop.time() * 1000), lambda count: bytes(count)),
            clock_s=loop.time,
            reword=LocalModel(writer).rewording,
        )

    async def ask(
        self, *, residency: Residency = Residency.PUBLIC, local: Answer | None = None, **changes: object
    ) -> Given:
        """One question, to its last part. `residency` is that of the evidence."""
        values: dict[str, object] = {"kb": "handbook", "question": "How many days of leave?", "deadline_ms": 5_000}
        ask = Ask(**(values | changes))  # type: ignore[arg-type]
        began_s = self.loop.time()
        parts = [part async for part in self.begin(ask, residency, local)]
        return Given(parts=parts, took_s=self.loop.time() - began_s)

    async def begin(
        self, ask: Ask, residency: Residency = Residency.PUBLIC, local: Answer | None = None
    ) -> AsyncGenerator[AnswerPart, None]:
        """The parts as they come."""
        vector = np.zeros(4, np.float32)
        answered = Answered(answer=local or local_answer(), passages=(LOCAL_TEXT,), residency=residency, vector=vector)
        async with aclosing(self.scheduling.parts(ask, answered, Stopwatch(self.loop.time))) as parts:
            async for part in parts:
                yield part

    async def settled(self) -> None:
        """Until what follows a reply is done."""
        await self.afterwards.close(120.0)
        await self.breaker.close()

    def value(self, name: str, **labels: str) -> float:
        """A metric of this replica; 0 where it was never counted."""
        return self.registry.get_sample_value(f"causeway_edge_inference_{name}", labels) or 0.0
