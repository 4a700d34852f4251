"""What the ingestor needs of the world around it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from causeway.bus import PubAck, Stored
from causeway.ingestor.extraction import Extraction, Job
from causeway.proto import Message
from causeway.proto.chunks import Manifest
from causeway.proto.documents import ObjectRef, Residency
from causeway.proto.history import ChunkText


class Log(Protocol):
    """The streams: durable once a publish returns."""

    async def last(self, stream: str, subject: str) -> Stored | None: ...

    async def publish(
        self, subject: str, message: Message, *, msg_id: str, expected_last_subject_seq: int | None = None
    ) -> PubAck: ...

    async def publish_many(self, entries: Iterable[tuple[str, Message, str]]) -> list[PubAck]: ...


class Bodies(Protocol):
    """The object store, for bodies that do not fit in a message."""

    async def get(self, ref: ObjectRef) -> bytes:
        """The body, checked.

        Raises:
            ParseFailure: it is gone, damaged or too large. BusError: not now.
        """

    async def delete(self, ref: ObjectRef) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Recalled:
    """An earlier revision and the texts of its chunks; `standing` is the residency that the document has now."""

    manifest: Manifest
    texts: Sequence[ChunkText]
    standing: Residency


class Archive(Protocol):
    """What a replica holds of the past."""

    async def revision(self, kb: str, document_id: str, revision: int) -> Recalled:
        """Raises ParseFailure (it is not held) or RequestFailed, NotConnected (not now)."""


class Extractor(Protocol):
    """From bytes to chunks, within bounds."""

    async def extract(self, job: Job, body: bytes) -> Extraction:
        """Raises ParseFailure (the document's fault) or WorkerStartError (ours)."""
