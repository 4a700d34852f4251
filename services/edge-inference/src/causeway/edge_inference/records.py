"""What the vault keeps of a chunk and of a document, and how each becomes bytes before it is sealed."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import ChunkEmbedded

RECORD_BYTES_MAX = 64 * 1024 * 1024
_COMPRESSION_LEVEL = 3
_SEQUENCE_BITS = 44
_local = threading.local()


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A chunk of the log at its sequence."""

    kb: str
    chunk_id: bytes
    seq: int
    record: "ChunkRecord"


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A manifest of the log at its sequence; `manifest.deleted` makes it a tombstone. `origin` empty: this place."""

    seq: int
    manifest: Manifest
    origin: str = ""
    at_ms: int = 0


class ChunkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The sealed part of a chunk. `vector_f16` are little-endian float16 numbers of length 1; without them it is a text
    that is kept for earlier revisions only. `origin` empty: this place."""

    text: str
    context: str
    language: str
    model: str
    vector_f16: bytes
    origin: str = ""

    def without_vector(self) -> "ChunkRecord":
        """What is kept for earlier revisions only."""
        return msgspec.structs.replace(self, vector_f16=b"")

    def vector(self) -> NDArray[np.float32]:
        """The vector as float32."""
        return np.frombuffer(self.vector_f16, dtype="<f2").astype(np.float32)


class ChunkVector(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a chunk that dense search needs."""

    model: str
    vector_f16: bytes


class ChunkVectorRow(ChunkVector, frozen=True, kw_only=True, array_like=True):
    """A vector of another space than the chunk's own, as it is sealed."""


class DocumentRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The sealed part of a document: its manifest, and where in which generation of the log that stood.

    Where the same has been put again since, `first_position` and `at_ms` say where and when it first took effect, and
    `first_revision` under which number (0: it has not). `origin` empty: this place.
    """

    manifest: Manifest
    seq: int
    generation: int
    origin: str = ""
    at_ms: int = 0
    first_position: int = 0
    first_revision: int = 0

    @property
    def position(self) -> int:
        """Where it took effect in all logs that were ever followed."""
        return self.first_position or position(self.generation, self.seq)

    def is_numbered(self, revision: int) -> bool:
        """Whether this is the revision of that number, or says the same."""
        return (self.first_revision or self.manifest.revision) <= revision <= self.manifest.revision

    def says_the_same_as(self, manifest: Manifest) -> bool:
        """Whether nothing but the number differs."""
        return msgspec.structs.replace(manifest, revision=self.manifest.revision) == self.manifest


class PastRevision(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier revision, and when another took its place."""

    document: DocumentRecord
    until_ms: int


class ShadowRecord(msgspec.Struct, frozen=True, kw_only=True):
    """To which origin's version the revision of a document gives way, which is the version of the record's slot."""

    winner: str
    concurrent: bool


class _StoredChunk(msgspec.Struct, frozen=True, array_like=True):
    layout: int
    prose_zstd: bytes
    language: str
    model: str
    vector_f16: bytes
    origin: str = ""


class _Prose(msgspec.Struct, frozen=True, array_like=True):
    context: str
    text: str


_stored_chunk = msgspec.msgpack.Decoder(_StoredChunk)
_prose = msgspec.msgpack.Decoder(_Prose)
_document = msgspec.msgpack.Decoder(DocumentRecord)
_history = msgspec.msgpack.Decoder(list[PastRevision])
_shadow = msgspec.msgpack.Decoder(ShadowRecord)
_vector = msgspec.msgpack.Decoder(ChunkVectorRow)
_encoder = msgspec.msgpack.Encoder()


def position(generation: int, seq: int) -> int:
    """One number for a place in all logs: it rises with the sequence, and with every log that began anew."""
    return generation << _SEQUENCE_BITS | seq


def sequence_in(generation: int, place: int) -> int:
    """The sequence of a position in this generation of the log; 0 for one of an earlier log."""
    return place & ((1 << _SEQUENCE_BITS) - 1) if place >> _SEQUENCE_BITS == generation else 0


def chunk_of(message: ChunkEmbedded, seq: int, origin: str = "") -> Chunk:
    """The chunk that a log message carries."""
    record = ChunkRecord(
        text=message.text,
        context=message.context,
        language=message.language,
        model=message.model,
        vector_f16=message.vector_f16,
        origin=origin,
    )
    return Chunk(kb=message.kb, chunk_id=message.chunk_id, seq=seq, record=record)


def pack_chunk(record: ChunkRecord) -> bytes:
    """Bytes to seal: the prose compressed, the vector as it is (zstd saves 8% of it and costs more than that)."""
    prose = _compress(_encoder.encode(_Prose(record.context, record.text)))
    return _encoder.encode(_StoredChunk(1, prose, record.language, record.model, record.vector_f16, record.origin))


def unpack_chunk(packed: bytes) -> ChunkRecord:
    """The record that `pack_chunk` packed."""
    stored = _stored_chunk.decode(packed)
    prose = _prose.decode(_decompress(stored.prose_zstd))
    return ChunkRecord(
        text=prose.text,
        context=prose.context,
        language=stored.language,
        model=stored.model,
        vector_f16=stored.vector_f16,
        origin=stored.origin,
    )


def unpack_vector(packed: bytes) -> ChunkVector:
    """Only the vector of a packed chunk, without unpacking its prose."""
    stored = _stored_chunk.decode(packed)
    return ChunkVector(model=stored.model, vector_f16=stored.vector_f16)


def pack_second_vector(model: str, vector_f16: bytes) -> bytes:
    """Bytes to seal."""
    return _encoder.encode(ChunkVectorRow(model=model, vector_f16=vector_f16))


def unpack_second_vector(packed: bytes) -> ChunkVector:
    """What `pack_second_vector` packed."""
    return _vector.decode(packed)


def pack_document(document: DocumentRecord) -> bytes:
    """Bytes to seal."""
    return _compress(_encoder.encode(document))


def unpack_document(packed: bytes) -> DocumentRecord:
    """The record that `pack_document` packed."""
    return _document.decode(_decompress(packed))


def pack_history(past: Sequence[PastRevision]) -> bytes:
    """Bytes to seal: all earlier revisions of a document in one, because they repeat each other."""
    return _compress(_encoder.encode(list(past)))


def unpack_history(packed: bytes) -> list[PastRevision]:
    """What `pack_history` packed, oldest first."""
    return _history.decode(_decompress(packed))


def pack_shadow(shadow: ShadowRecord) -> bytes:
    """Bytes to seal."""
    return _encoder.encode(shadow)


def unpack_shadow(packed: bytes) -> ShadowRecord:
    """The record that `pack_shadow` packed."""
    return _shadow.decode(packed)


def _compress(plain: bytes) -> bytes:
    # A (de)compressor keeps state that two threads must not share.
    if not hasattr(_local, "compressor"):
        _local.compressor = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL)
    compressed: bytes = _local.compressor.compress(plain)
    return compressed


def _decompress(packed: bytes) -> bytes:
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    plain: bytes = _local.decompressor.decompress(packed, max_output_size=RECORD_BYTES_MAX)
    return plain
