"""A cloud that does what a test says, at the times that it says, and remembers how it was asked."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from causeway.edge_inference.scheduling_ports import CloudFailed, CloudRefused
from causeway.proto.answers import Citation
from causeway.proto.cloud import CloudAnswer, CloudAsk, CloudPart, CloudPartKind, Refusal

Step = tuple[float, CloudPart | Exception]
"""Seconds after the step before, and what comes then."""
HUB_MARGIN_S = 0.03
"""What a hub keeps of the time that it has, for the reply."""
TEXT = "Every employee has twelve days of annual leave [1]."
QUOTE = "Every employee has twelve days of annual leave, and two more after ten years."


def citation(origin: str = "", quote: str = QUOTE) -> Citation:
    """A passage of the hub's, or of a place."""
    return Citation(
        document_id="leave.pdf",
        revision=4,
        title="Leave",
        page=1,
        heading="",
        chunk_id=b"\x01" * 16,
        quote=quote,
        score=0.9,
        origin=origin,
    )


def cloud_answer(**changes: object) -> CloudAnswer:
    """A good one."""
    values: dict[str, object] = {
        "text": TEXT,
        "abstained": False,
        "language": "en",
        "model": "big-model",
        "citations": [citation()],
        "epoch": {"hub": 99},
        "prompt_tokens": 300,
        "completion_tokens": 12,
        "finish_reason": "stop",
        "latency_ms": {"total": 90.0},
        "cost_usd": 0.002,
        "watt_hours": 0.1,
    }
    return CloudAnswer(**(values | changes))  # type: ignore[arg-type]


def accepted() -> CloudPart:
    """The first part of a reply that is taken."""
    return CloudPart(kind=CloudPartKind.ACCEPTED, index=0)


def token(index: int, text: str) -> CloudPart:
    """A piece of text."""
    return CloudPart(kind=CloudPartKind.TOKEN, index=index, text=text)


def final(index: int = 9, **changes: object) -> CloudPart:
    """The last part."""
    answer = cloud_answer(**changes)
    return CloudPart(kind=CloudPartKind.FINAL, index=index, text=answer.text, answer=answer)


def streamed(
    first_s: float, gap_s: float = 0.02, pieces: Sequence[str] = ("Every employee ", "has twelve")
) -> list[Step]:
    """Accepted at once, the first token after `first_s`, then one each `gap_s`, then a good final part."""
    tokens: list[Step] = [(gap_s, token(number, piece)) for number, piece in enumerate(pieces, start=1)]
    tokens[0] = (first_s, tokens[0][1])
    return [(0.0, accepted()), *tokens, (gap_s, final())]


@dataclass
class ScriptedCloud:
    """Each ask gets the next script; the last one again and again. `closed_early` counts asks that were given up."""

    scripts: list[list[Step]] = field(default_factory=list)
    connected: bool = True
    asked: list[CloudAsk] = field(default_factory=list)
    closed_early: int = 0
    running: int = 0
    running_most: int = 0

    async def ask(self, request: CloudAsk) -> AsyncGenerator[CloudPart, None]:
        """See CloudClient."""
        script = self.scripts[min(len(self.asked), len(self.scripts) - 1)]
        self.asked.append(request)
        self.running += 1
        self.running_most = max(self.running_most, self.running)
        done = False
        try:
            for after_s, what in script:
                await asyncio.sleep(after_s)
                if isinstance(what, Exception):
                    done = True
                    raise what
                done = what.kind is CloudPartKind.FINAL
                yield what
            if not done:
                # As a hub that is gone: nothing comes, until the asker gives up.
                await asyncio.sleep(request.deadline_ms / 1000)
                raise CloudFailed(CloudFailed.TIMEOUT)
        finally:
            self.running -= 1
            self.closed_early += not done


@dataclass
class FarHub:
    """A hub at the end of a link: it counts from when it has the ask, refuses at once what its first token is too slow
    for, and otherwise writes until the time that it was given is nearly over, as a slow engine does."""

    one_way_s: float = 0.1
    first_s: float = 0.05
    connected: bool = True
    asked: list[CloudAsk] = field(default_factory=list)

    async def ask(self, request: CloudAsk) -> AsyncGenerator[CloudPart, None]:
        """See CloudClient. Whatever the hub does is seen here a round trip after the ask has left and the hub's own
        time for it."""
        self.asked.append(request)
        await asyncio.sleep(2 * self.one_way_s)
        if request.first_token_ms < 1000 * self.first_s:
            raise CloudRefused(Refusal.DEADLINE)
        yield accepted()
        await asyncio.sleep(self.first_s)
        yield token(1, "Every employee ")
        await asyncio.sleep(request.deadline_ms / 1000 - HUB_MARGIN_S - self.first_s)
        yield final(index=2, finish_reason="abort", latency_ms={"total": request.deadline_ms - 1000 * HUB_MARGIN_S})


def refused(code: str) -> list[Step]:
    """Not taken, at once."""
    return [(0.01, CloudRefused(code))]
