"""What a place holds of the documents of one origin, read from its KNOWLEDGE: the ground that both sides compare on."""

from collections.abc import Callable
from dataclasses import dataclass, field

from causeway.bus import Bus
from causeway.proto import subjects
from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from causeway.reconciliation import Item, ItemSet
from causeway.sync_delta.digests import ABSENT, content_hash, document_digest

_STREAM = subjects.KNOWLEDGE_DOCUMENT.stream


@dataclass(frozen=True, kw_only=True)
class Held:
    """One document as it crosses the link, with the count of its repairs."""

    manifest: Manifest
    repair: int


Selects = Callable[[DocumentRevised], Held | None]
"""What of a record counts: nothing, or the document as the other side should have it."""


@dataclass(kw_only=True)
class Replica:
    """Live documents of one origin and kb, and the content hash of every chunk that stands there."""

    documents: dict[bytes, Held] = field(default_factory=dict)
    hashes: dict[bytes, bytes] = field(default_factory=dict)
    damaged: set[bytes] = field(default_factory=set)

    def digest(self, held: Held) -> bytes:
        """The digest of a document; one whose copy elsewhere is damaged differs from every whole one."""
        digest = document_digest(held.manifest, held.repair, self.hash_of)
        return bytes(byte ^ 0xFF for byte in digest) if held.manifest.document_key in self.damaged else digest

    def hash_of(self, chunk_id: bytes) -> bytes:
        """The hash of a chunk, or `ABSENT`."""
        return self.hashes.get(chunk_id, ABSENT)

    def items(self) -> ItemSet:
        """The documents as a comparison sees them."""
        return ItemSet(Item(key=key, digest=self.digest(held)) for key, held in self.documents.items())


async def read_replica(bus: Bus, origin: str, kb: str, selects: Selects) -> Replica:
    """Read all records of an origin and kb, once. What changes meanwhile may be read before or after its change."""
    replica = Replica()
    filters = [subjects.KNOWLEDGE_DOCUMENT.at(origin, kb), subjects.KNOWLEDGE_CHUNK.at(origin, kb)]
    async for delivery in bus.scan(_STREAM, filters):
        message = delivery.message
        if isinstance(message, ChunkEmbedded):
            replica.hashes[message.chunk_id] = content_hash(message)
        elif isinstance(message, DocumentRevised):
            key = message.manifest.document_key
            held = selects(message)
            if held is None or held.manifest.deleted:
                replica.documents.pop(key, None)
            else:
                replica.documents[key] = held
    return replica


def as_received(revised: DocumentRevised) -> Held:
    """At a receiver everything counts, as it came."""
    return Held(manifest=revised.manifest, repair=revised.stamp.repair if revised.stamp else 0)
