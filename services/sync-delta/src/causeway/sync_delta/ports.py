"""What sync-delta needs from outside: logs to read and write, and a peer to ask."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Protocol, TypeVar

from causeway.bus import Delivery, PubAck, RawMessage, Stored
from causeway.proto import Message

M = TypeVar("M", bound=Message)


class Log(Protocol):
    """The part of the bus that reads and writes streams of one account."""

    @property
    def payload_bytes_max(self) -> int:
        """The largest message that the server takes."""

    def scan(
        self, stream: str, filter_subjects: Sequence[str], *, after_seq: int = 0
    ) -> AsyncGenerator[Delivery, None]:
        """What is there now, in order."""

    async def last_seq(self, stream: str) -> int:
        """The last sequence of a stream."""

    async def last_many(self, stream: str, wanted: Iterable[str]) -> dict[str, Stored]:
        """The newest message of each subject that has one."""

    async def exists_many(self, stream: str, wanted: Iterable[str]) -> set[str]:
        """Those of `wanted` that have a message."""

    async def publish(
        self, subject: str, message: Message, *, msg_id: str, expected_last_subject_seq: int | None = None
    ) -> PubAck:
        """Acknowledged when it is on disk."""

    async def publish_many(self, entries: Iterable[tuple[str, Message, str]], /) -> list[PubAck]:
        """All of (subject, message, msg_id) acknowledged, or it raises."""

    async def purge(self, stream: str, subject: str, below_seq: int | None = None) -> None:
        """Remove the messages of a subject, below a sequence where it is given."""


class Graveyard(Protocol):
    """Where messages go that can not be processed."""

    async def bury(self, raw: RawMessage, reason: str) -> bool:
        """Put a delivery into DEAD; False when DEAD does not take it."""


class Peer(Protocol):
    """The other side of the link."""

    async def request(self, subject: str, message: Message, reply_type: type[M], timeout_s: float | None = None) -> M:
        """One reply."""
