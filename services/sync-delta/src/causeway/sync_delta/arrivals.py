"""Messages of INBOX as what they claim to be, checked against where they came from. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from causeway.bus import Delivery
from causeway.proto import streams, subjects
from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import ChunkEmbedded
from causeway.proto.outbox import ArtifactOffered, ChunkShared, DocumentShared
from causeway.sync_delta.digests import content_hash
from causeway.sync_delta.encoding import decode
from causeway.sync_delta.runs import places_of

SOURCE_HEADER = "Nats-Stream-Source"
ChunkName = tuple[str, str, bytes]
"""Origin, kb and chunk id."""
_TOKENS_CHUNK_OR_DOCUMENT = 6


class BadArrivalError(ValueError):
    """A message of the link is not what its subject says, or not from whom: look at the place that shares it."""


@dataclass(frozen=True, kw_only=True)
class Came:
    """Where a message of INBOX is from: whose outbox, and its sequence there."""

    origin: str
    outbox_seq: int
    inbox_seq: int


@dataclass(frozen=True, kw_only=True)
class ChunkCame:
    """A chunk under its number."""

    came: Came
    subject: str
    number: int
    chunk: ChunkEmbedded
    content_hash: bytes

    @property
    def name(self) -> ChunkName:
        """What it is called in KNOWLEDGE."""
        return self.came.origin, self.chunk.kb, self.chunk.chunk_id

    @property
    def knowledge_subject(self) -> str:
        """Where it stands in KNOWLEDGE."""
        return subjects.KNOWLEDGE_CHUNK.at(self.came.origin, self.chunk.kb, self.chunk.chunk_id.hex())

    @property
    def row(self) -> tuple[str, str, int, bytes, bytes, int]:
        """As the state keeps it."""
        came, chunk = self.came, self.chunk
        return came.origin, chunk.kb, self.number, chunk.chunk_id, self.content_hash, came.outbox_seq


@dataclass(frozen=True, kw_only=True)
class DocumentCame:
    """A document as it crossed."""

    came: Came
    subject: str
    shared: DocumentShared

    @property
    def age(self) -> tuple[int, int]:
        """What makes it newer than another of its document: revision, then repair."""
        return self.shared.manifest.revision, self.shared.stamp.repair

    @property
    def knowledge_subject(self) -> str:
        """Where it stands in KNOWLEDGE."""
        manifest = self.shared.manifest
        return subjects.KNOWLEDGE_DOCUMENT.at(self.came.origin, manifest.kb, manifest.document_key.hex())

    def manifest(self, chunk_of: Mapping[int, bytes]) -> Manifest:
        """With its places.

        Raises:
            MissingChunksError: a number that `chunk_of` does not know.
        """
        return msgspec.structs.replace(self.shared.manifest, places=places_of(self.shared.runs, chunk_of))


@dataclass(frozen=True, kw_only=True)
class OtherCame:
    """An offer of an artifact: somebody else's."""

    came: Came
    offer: ArtifactOffered


Arrival = ChunkCame | DocumentCame | OtherCame


def came_from(head: Mapping[str, str], subject: str, inbox_seq: int) -> Came:
    """Whose message it is, by the header that nats-server writes: `STREAM[:hash] sequence filter ...`.

    Raises:
        BadArrivalError: it was not sourced, or from the outbox of another place than its subject says.
    """
    source = head.get(SOURCE_HEADER, "").split(" ")
    origin = subject.split(".")[1]
    if len(source) < 2 or not source[1].isdigit():
        raise BadArrivalError(f"{subject} has no {SOURCE_HEADER}: {BadArrivalError.__doc__}")
    if source[0].split(":")[0] != streams.outbox(origin).name:
        raise BadArrivalError(f"{subject} came out of {source[0]}: {BadArrivalError.__doc__}")
    return Came(origin=origin, outbox_seq=int(source[1]), inbox_seq=inbox_seq)


def arrival_of(delivery: Delivery) -> Arrival:
    """What a message is.

    Raises:
        BadArrivalError, BadSharedChunkError: it is not what its subject says, or it can not be decoded.
    """
    came = came_from(delivery.headers, delivery.subject, delivery.stream_seq)
    message = delivery.message
    if isinstance(message, ArtifactOffered):
        return OtherCame(came=came, offer=message)
    tokens = delivery.subject.split(".")
    if len(tokens) != _TOKENS_CHUNK_OR_DOCUMENT:
        raise BadArrivalError(f"{delivery.subject}: {BadArrivalError.__doc__}")
    kb, kind, key = tokens[3:]
    if isinstance(message, ChunkShared) and (kb, kind, key) == (message.kb, "chunk", str(message.number)):
        return chunk_came(came, delivery.subject, message)
    if isinstance(message, DocumentShared) and _fits(message, came.origin, kb, kind, key):
        return DocumentCame(came=came, subject=delivery.subject, shared=message)
    raise BadArrivalError(f"{delivery.subject}: {BadArrivalError.__doc__}")


def chunk_came(came: Came, subject: str, shared: ChunkShared) -> ChunkCame:
    """The chunk in a message of the link.

    Raises:
        BadSharedChunkError: it can not be decoded.
    """
    chunk = decode(shared)
    return ChunkCame(came=came, subject=subject, number=shared.number, chunk=chunk, content_hash=content_hash(chunk))


def _fits(shared: DocumentShared, origin: str, kb: str, kind: str, key: str) -> bool:
    manifest = shared.manifest
    named = (manifest.kb, "document", manifest.document_key.hex(), shared.stamp.origin)
    return named == (kb, kind, key, origin) and not manifest.places
