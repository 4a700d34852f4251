"""One ask of the cloud within its bounds: the tokens that come in time, and what it came to."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from causeway.edge_inference.routing import Cloud, Decision
from causeway.edge_inference.scheduling_ports import CloudClient, CloudFailed, CloudRefused
from causeway.proto.cloud import CloudAnswer, CloudAsk, CloudPart, CloudPartKind, Refusal

_REFUSED: dict[str, Cloud] = {
    Refusal.DEADLINE: Cloud.REFUSED_DEADLINE,
    Refusal.BUSY: Cloud.REFUSED_BUSY,
    Refusal.ENGINE: Cloud.REFUSED_ENGINE,
    Refusal.PAUSED: Cloud.REFUSED_PAUSED,
    Refusal.UNKNOWN_KB: Cloud.REFUSED_UNKNOWN_KB,
}
_FAILED = {
    CloudFailed.UNREACHABLE: Cloud.UNREACHABLE,
    CloudFailed.STALLED: Cloud.STALLED,
    CloudFailed.GARBAGE: Cloud.GARBAGE,
    CloudFailed.BROKEN: Cloud.BROKEN,
}


class CloudCall:
    """Iterate `pieces`, then see what it came to in `outcome` and the rest. Never raises what the cloud did wrong."""

    def __init__(
        self,
        client: CloudClient,
        request: CloudAsk,
        decision: Decision,
        *,
        token_gap_ms: float,
        clock_s: Callable[[], float],
    ) -> None:
        self._client = client
        self._request = request
        self._clock_s = clock_s
        self._began_s = clock_s()
        self._first_due_s = self._began_s + decision.first_token_ms / 1000
        self._total_due_s = self._began_s + decision.total_ms / 1000
        self._gap_s = token_gap_ms / 1000
        self.outcome = Cloud.NOT_ASKED
        self.detail = ""
        self.answer: CloudAnswer | None = None
        self.streamed = False
        """Whether the asker has seen some of it."""
        self.first_s: float | None = None
        """Seconds from the ask to the first token, or to the final part where there was no token."""
        self.ended_s = 0.0
        """Seconds from the ask to its end, however it ended."""
        self.round_trip_s: float | None = None
        """Most that the link can have taken both ways: the least of what was seen in this call."""

    @property
    def answered_s(self) -> float:
        """What its slowness is judged by: the time to the first token, or to the end where there was none."""
        return self.ended_s if self.first_s is None else self.first_s

    async def pieces(self) -> AsyncGenerator[str, None]:
        """Tokens as they come."""
        try:
            async with aclosing(self._client.ask(self._request)) as parts:
                while self.outcome is Cloud.NOT_ASKED:
                    part = await self._next(parts)
                    if part is not None and (piece := self._seen(part)):
                        self.streamed = True
                        yield piece
        except CloudRefused as error:
            self.outcome, self.detail = _REFUSED.get(error.code, Cloud.REFUSED), str(error)
            self._crossed(self._taken_s)
        except CloudFailed as error:
            self.outcome, self.detail = _FAILED.get(error.code, self._late()), str(error)
        except Exception as error:  # noqa: BLE001  # The outermost frame of an ask: the local answer stands for it.
            self.outcome, self.detail = Cloud.BROKEN, f"{type(error).__name__}: {error}"
        finally:
            self.ended_s = self._taken_s

    @property
    def _taken_s(self) -> float:
        return self._clock_s() - self._began_s

    def _crossed(self, within_s: float) -> None:
        within_s = max(0.0, within_s)
        self.round_trip_s = within_s if self.round_trip_s is None else min(self.round_trip_s, within_s)

    async def _next(self, parts: AsyncGenerator[CloudPart, None]) -> CloudPart | None:
        due_s = self._due_s()
        try:
            async with asyncio.timeout(max(0.0, due_s - self._clock_s())):
                return await anext(parts)
        except StopAsyncIteration:
            self.outcome = Cloud.BROKEN
        except TimeoutError:
            self.outcome = self._late()
        return None

    def _due_s(self) -> float:
        if self.first_s is None:
            return self._first_due_s
        return min(self._total_due_s, self._clock_s() + self._gap_s)

    def _late(self) -> Cloud:
        if self.first_s is None:
            return Cloud.SLOW
        return Cloud.LATE if self._clock_s() >= self._total_due_s else Cloud.STALLED

    def _seen(self, part: CloudPart) -> str:
        if part.kind is CloudPartKind.ACCEPTED:
            self._crossed(self._taken_s)
            return ""
        if self.first_s is None:
            self.first_s = self._taken_s
        if part.kind is CloudPartKind.TOKEN:
            return part.text
        self.answer = part.answer
        self.outcome = self._judged(part.answer)
        # The hub searches before it accepts; of a whole answer it says how long it had it.
        there_ms = part.answer.latency_ms.get("total", math.nan) if part.answer else math.nan
        if math.isfinite(there_ms):
            self._crossed(self._taken_s - there_ms / 1000)
        return ""

    def _judged(self, answer: CloudAnswer | None) -> Cloud:
        if answer is None:
            return Cloud.GARBAGE
        if answer.abstained:
            return Cloud.ABSTAINED
        return Cloud.ANSWERED if answer.citations else Cloud.UNCITED
