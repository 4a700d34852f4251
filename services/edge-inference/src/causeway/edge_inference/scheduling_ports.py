"""What the scheduler asks of its neighbours: calibrated confidence, cache, ledger, audits, budget and the cloud.

Every method is bounded and none may fail the ask: what goes wrong is logged and counted by whoever implements it.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from causeway.proto.answers import Answer, Ask
from causeway.proto.cloud import CloudAsk, CloudPart
from causeway.proto.feedback import CitedChunk

Vector = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How likely an answer is right. `promise`: the share of answers at or above `threshold` that are; 0: unknown.

    Uncalibrated, `probability` is that of the prior that is shipped and `threshold` a conservative one.
    """

    probability: float
    calibrated: bool
    threshold: float
    promise: float
    version: str

    @property
    def confident(self) -> bool:
        """Whether it clears the threshold."""
        return self.probability >= self.threshold


class Confidence(Protocol):
    """Makes a probability of what retrieval and reader saw. Pure and quick: it runs on the event loop."""

    def judge(self, kb: str, language: str, features: Mapping[str, float], raw: float) -> Judgement:
        """`features` as in `Answer.features`; `raw` is the probability of the shipped answerability model."""
        ...


@dataclass(frozen=True, kw_only=True)
class CacheLook:
    """What the cache has. With an answer: it may be given. Without: `refused_by` names the guard that kept a near one
    back, or is empty. `similarity` is that of the nearest entry, 0 where there is none."""

    answer: Answer | None = None
    similarity: float = 0.0
    refused_by: str = ""


class AnswerCache(Protocol):
    """Earlier answers by the meaning of their question, for the same kb, language, tenant and residency."""

    def look(self, ask: Ask, language: str, vector: Vector, *, again: bool = False) -> CacheLook:
        """In memory, in microseconds to milliseconds, on the event loop. `vector` is the question's, of length 1.
        `again`: this ask has looked before, and only a hit is news."""
        ...

    async def keep(self, ask: Ask, language: str, vector: Vector, answer: Answer, cited: Sequence[CitedChunk]) -> None:
        """Keep an answer of the cloud. Called after the reply."""
        ...

    async def reject(self, kb: str, answer_id: str, reason: str) -> None:
        """It was wrong: never give it again."""
        ...


class Ledger(Protocol):
    """Answers that were given, and what they cost."""

    async def given(self, ask: Ask, answer: Answer, cited: Sequence[CitedChunk]) -> None:
        """Keep it. Called once for each reply of any route, after the reply."""
        ...


class Audits(Protocol):
    """A small random share of local answers, asked of the cloud too."""

    async def consider(self, ask: Ask, answer: Answer) -> None:
        """Audit it, or not. Called after the reply, for local answers whose question may leave the site only."""
        ...


class Budget(Protocol):
    """Whether the site may spend on the cloud now."""

    def refusal(self, kb: str, tenant: str) -> str:
        """Why it may not, or empty. From memory, at once."""
        ...


class CloudRefused(Exception):
    """The hub does not take the question: `code` is one of `causeway.proto.cloud.Refusal`."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class CloudFailed(Exception):
    """No usable answer came: `code` is `unreachable` (nobody serves it, or no connection), `timeout` (nothing within
    the bound), `stalled` (nothing more within it), `garbage` (not what the protocol says), or `broken` (the engine
    ended early, or the hub failed)."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    STALLED = "stalled"
    GARBAGE = "garbage"
    BROKEN = "broken"

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class CloudClient(Protocol):
    """The hub, over the link."""

    @property
    def connected(self) -> bool:
        """Whether this site's end of the link is there. The hub may be gone all the same."""
        ...

    def ask(self, request: CloudAsk) -> AsyncGenerator[CloudPart, None]:
        """Parts as they come, checked: `accepted` at most once and first, then tokens, then one `final` with an answer.
        Closed early, it tells the hub to stop. The request's bounds are the hub's: who waits has a bound of its own.

        Raises:
            CloudRefused: not taken. CloudFailed: nothing (more) that can be used.
        """
        ...
