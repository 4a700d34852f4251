"""The messages of a revision that is being shared: its new chunks in the order of their numbers, then itself. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from causeway.proto import Message, encode, subjects
from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import ChunkEmbedded
from causeway.proto.outbox import ChunkShared, DocumentShared
from causeway.sync_delta.digests import ABSENT, content_hash, document_digest
from causeway.sync_delta.encoding import UnsharableChunkError
from causeway.sync_delta.encoding import encode as encode_chunk
from causeway.sync_delta.outbox_tables import Intent

NUMBER_BYTES = 9
"""Of a number in msgpack, at most."""
ChunkKey = tuple[str, bytes]
"""Kb and chunk id."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A chunk that can be sent once it has a number."""

    shared: ChunkShared
    content_hash: bytes


@dataclass(frozen=True, kw_only=True)
class Outward:
    """One message for OUTBOX."""

    subject: str
    message: Message
    msg_id: str
    size_bytes: int

    @property
    def entry(self) -> tuple[str, Message, str]:
        """As the bus takes it."""
        return self.subject, self.message, self.msg_id


@dataclass(frozen=True, kw_only=True)
class Publication:
    """A revision with all its messages."""

    intent: Intent
    chunks: tuple[Outward, ...]
    document: Outward

    @property
    def size_bytes(self) -> int:
        """Of all of them."""
        return self.document.size_bytes + sum(chunk.size_bytes for chunk in self.chunks)


def prepared(
    chunks: Mapping[ChunkKey, ChunkEmbedded], bytes_max: int
) -> tuple[dict[ChunkKey, Prepared], dict[ChunkKey, str]]:
    """The chunks that can be sent, and why the others can not."""
    able: dict[ChunkKey, Prepared] = {}
    unable: dict[ChunkKey, str] = {}
    for key, chunk in chunks.items():
        try:
            shared = encode_chunk(chunk, 0)
            if len(encode(shared)) + NUMBER_BYTES > bytes_max:
                raise UnsharableChunkError(f"chunk {chunk.chunk_id.hex()} is larger than a message of the link")
            able[key] = Prepared(shared=shared, content_hash=content_hash(chunk))
        except UnsharableChunkError as error:
            unable[key] = str(error)
    return able, unable


def publication(place: str, intent: Intent, chunks: Mapping[ChunkKey, Prepared]) -> Publication:
    """All that `intent` publishes; chunks that are not given are in OUTBOX already."""
    kb = intent.manifest.kb
    return Publication(
        intent=intent,
        chunks=tuple(
            _chunk(place, kb, number, chunks[kb, chunk_id].shared)
            for number, chunk_id in intent.send
            if (kb, chunk_id) in chunks
        ),
        document=_document(place, intent),
    )


def _chunk(place: str, kb: str, number: int, chunk: ChunkShared) -> Outward:
    return _outward(
        subjects.OUTBOX_CHUNK.at(place, kb, str(number)),
        msgspec.structs.replace(chunk, number=number),
        f"{kb}:{number}",
    )


def _document(place: str, intent: Intent) -> Outward:
    manifest, stamp, key = intent.manifest, intent.stamp, intent.manifest.document_key.hex()
    message = DocumentShared(manifest=msgspec.structs.replace(manifest, places=[]), runs=intent.runs, stamp=stamp)
    moment = f"{stamp.wall_ms}.{stamp.counter}.{stamp.repair}"
    return _outward(
        subjects.OUTBOX_DOCUMENT.at(place, manifest.kb, key),
        message,
        f"{manifest.kb}:{key}:{manifest.revision}:{moment}",
    )


def _outward(subject: str, message: Message, msg_id: str) -> Outward:
    return Outward(subject=subject, message=message, msg_id=msg_id, size_bytes=len(encode(message)))


def digest(manifest: Manifest, repair: int, hashes: Mapping[bytes, bytes]) -> bytes:
    """The digest of a shared document, by the content hashes of its chunks."""
    return document_digest(manifest, repair, lambda chunk_id: hashes.get(chunk_id, ABSENT))
