"""What a breaker shares its turns through, in memory: the last message, compare-and-set, and a bus that can be away."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from causeway.bus import NotPublished, PubAck, Stored, WrongLastSequence
from causeway.proto import Message
from causeway.proto.breaker import BreakerTurned


@dataclass
class MemoryLog:
    """The last message per subject, with compare-and-set; `away` refuses everything, and `broken` is raised by it."""

    messages: list[BreakerTurned] = field(default_factory=list)
    away: bool = False
    broken: Exception | None = None
    takes_s: float = 0.0
    before_publish: Callable[[], None] = lambda: None

    async def publish(
        self,
        subject: str,
        message: Message,
        *,
        msg_id: str,
        expected_last_subject_seq: int | None = None,
        timeout_s: float | None = None,
    ) -> PubAck:
        self.before_publish()
        await asyncio.sleep(self.takes_s)
        self._fail()
        if expected_last_subject_seq != len(self.messages):
            raise WrongLastSequence(subject)
        assert isinstance(message, BreakerTurned)
        self.messages.append(message)
        return PubAck(stream="BREAKER", seq=len(self.messages), duplicate=False)

    async def last(self, stream: str, subject: str) -> Stored | None:
        self._fail()
        if not self.messages:
            return None
        return Stored(subject=subject, seq=len(self.messages), message=self.messages[-1], headers={}, time=None)

    def _fail(self) -> None:
        if self.broken is not None:
            raise self.broken
        if self.away:
            raise NotPublished("away")
