"""What a handler gets and what it says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nats.aio.msg import Msg

from causeway.proto import Message, headers


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One message of a stream, decoded. `num_delivered` counts from 1 and also counts hand-overs to services that
    died; `stream_seq` is the same on every delivery."""

    subject: str
    message: Message
    stream: str
    stream_seq: int
    num_delivered: int
    timestamp: datetime
    headers: Mapping[str, str]
    size_bytes: int
    pending: int = 0
    raw: Msg | None = field(default=None, repr=False, compare=False)

    @property
    def msg_id(self) -> str:
        """The id that the producer gave, or empty."""
        return self.headers.get(headers.MSG_ID, "")

    async def in_progress(self) -> None:
        """Tell the server that the work goes on. The bus does it by itself while a handler runs."""
        if self.raw is not None and not self.raw._ackd:
            await self.raw.in_progress()


@dataclass(frozen=True)
class Ack:
    """Done: its effects are durable."""


@dataclass(frozen=True)
class Retry:
    """Not now: delivered again after `delay_s`, or after the backoff of the consumer; dead after its last attempt.
    With `forever` it never becomes a dead letter: for waiting on something that is sure to come."""

    reason: str
    delay_s: float | None = None
    forever: bool = False


@dataclass(frozen=True)
class Dead:
    """Never: into DEAD with the reason."""

    reason: str


Outcome = Ack | Retry | Dead


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A message as it lies in a stream."""

    subject: str
    seq: int
    message: Message
    headers: Mapping[str, str]
    time: datetime | None


@dataclass(frozen=True, kw_only=True)
class PubAck:
    """Where a message was stored. `duplicate` means that it had been stored before under the same id."""

    stream: str
    seq: int
    duplicate: bool
