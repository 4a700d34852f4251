"""What the vault keeps of a chunk and of a document, and how each becomes bytes before it is sealed."""

import threading
from dataclasses import dataclass

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import ChunkEmbedded

RECORD_BYTES_MAX = 64 * 1024 * 1024
_COMPRESSION_LEVEL = 3
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
    """A manifest of the log at its sequence; `manifest.deleted` makes it a tombstone."""

    seq: int
    manifest: Manifest


class ChunkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The sealed part of a chunk. `vector_f16` are little-endian float16 numbers of length 1."""

    text: str
    context: str
    language: str
    model: str
    vector_f16: bytes

    def vector(self) -> NDArray[np.float32]:
        """The vector as float32."""
        return np.frombuffer(self.vector_f16, dtype="<f2").astype(np.float32)


class ChunkVector(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a chunk that dense search needs."""

    model: str
    vector_f16: bytes


class DocumentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The sealed part of a document: its manifest, and where in which generation of the log that stood."""

    manifest: Manifest
    seq: int
    generation: int


class _StoredChunk(msgspec.Struct, frozen=True, array_like=True):
    layout: int
    prose_zstd: bytes
    language: str
    model: str
    vector_f16: bytes


class _Prose(msgspec.Struct, frozen=True, array_like=True):
    context: str
    text: str


_stored_chunk = msgspec.msgpack.Decoder(_StoredChunk)
_prose = msgspec.msgpack.Decoder(_Prose)
_document = msgspec.msgpack.Decoder(DocumentRecord)
_encoder = msgspec.msgpack.Encoder()


def chunk_of(message: ChunkEmbedded, seq: int) -> Chunk:
    """The chunk that a log message carries."""
    record = ChunkRecord(
        text=message.text,
        context=message.context,
        language=message.language,
        model=message.model,
        vector_f16=message.vector_f16,
    )
    return Chunk(kb=message.kb, chunk_id=message.chunk_id, seq=seq, record=record)


def pack_chunk(record: ChunkRecord) -> bytes:
    """Bytes to seal: the prose compressed, the vector as it is (zstd saves 8% of it and costs more than that)."""
    prose = _compress(_encoder.encode(_Prose(record.context, record.text)))
    return _encoder.encode(_StoredChunk(1, prose, record.language, record.model, record.vector_f16))


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
    )


def unpack_vector(packed: bytes) -> ChunkVector:
    """Only the vector of a packed chunk, without unpacking its prose."""
    stored = _stored_chunk.decode(packed)
    return ChunkVector(model=stored.model, vector_f16=stored.vector_f16)


def pack_document(document: DocumentRecord) -> bytes:
    """Bytes to seal."""
    return _compress(_encoder.encode(document))


def unpack_document(packed: bytes) -> DocumentRecord:
    """The record that `pack_document` packed."""
    return _document.decode(_decompress(packed))


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
