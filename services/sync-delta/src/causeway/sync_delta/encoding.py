"""A chunk as KNOWLEDGE holds it to one as it crosses the link, and back: int8 with a scale, zstd where it pays."""

import math
import threading

import numpy as np
import numpy.typing as npt
import zstandard

from causeway.proto.knowledge import ChunkEmbedded
from causeway.proto.outbox import ChunkShared

TEXT_BYTES_MAX = 1024 * 1024
DIMS_MAX = 8_192
# Measured in ENCODING.md: 4 % less than level 9, and still a thousandth of what embedding the text took.
LEVEL = 19
STEPS = 127

_local = threading.local()


class UnsharableChunkError(ValueError):
    """The chunk can not be put in a message of the link: embed its document again, or make its chunks smaller."""


class BadSharedChunkError(ValueError):
    """A chunk from the link is damaged or was not made by sync-delta: repair it by `causeway sync verify --repair`."""


def encode(chunk: ChunkEmbedded, number: int) -> ChunkShared:
    """The message of `chunk` under its number.

    Raises:
        UnsharableChunkError: the vector is not `dims` finite numbers with a length, or the text is over the limit.
    """
    scale, vector_i8 = quantized(chunk.vector_f16, chunk.dims)
    text = chunk.text.encode()
    if len(text) > TEXT_BYTES_MAX:
        raise UnsharableChunkError(f"a text of {len(text)} bytes, at most {TEXT_BYTES_MAX}: {_mend(chunk)}")
    packed = _compressor().compress(text)
    smaller = len(packed) < len(text)
    return ChunkShared(
        kb=chunk.kb,
        number=number,
        chunk_id=chunk.chunk_id,
        model=chunk.model,
        language=chunk.language,
        context=chunk.context,
        text=packed if smaller else text,
        zstd=smaller,
        scale=scale,
        vector_i8=vector_i8,
    )


def decode(shared: ChunkShared) -> ChunkEmbedded:
    """The chunk that stands behind a message of the link: equal messages give equal bytes.

    Raises:
        BadSharedChunkError: the vector has no length or too many numbers, or the text is not what it says it is.
    """
    text = _text(shared)
    return ChunkEmbedded(
        kb=shared.kb,
        chunk_id=shared.chunk_id,
        model=shared.model,
        language=shared.language,
        context=shared.context,
        text=text,
        dims=len(shared.vector_i8),
        vector_f16=_vector_f16(shared),
    )


def quantized(vector_f16: bytes, dims: int) -> tuple[float, bytes]:
    """Scale and int8 bytes of little-endian float16 numbers. The vector of a decoded chunk gives the same int8 again.

    That holds because rounding to float16 moves each quotient by less than 127 / 2**10, an eighth of a step.

    Raises:
        UnsharableChunkError: not `dims` numbers, one that is not finite, or all of them zero.
    """
    if not 0 < dims <= DIMS_MAX or len(vector_f16) != 2 * dims:
        raise UnsharableChunkError(
            f"a vector of {len(vector_f16)} bytes for {dims} dims: {UnsharableChunkError.__doc__}"
        )
    vector = np.frombuffer(vector_f16, dtype="<f2").astype(np.float64)
    largest = float(np.abs(vector).max())
    if not math.isfinite(largest) or largest == 0.0:
        raise UnsharableChunkError(f"a vector that is zero or not finite: {UnsharableChunkError.__doc__}")
    scale = largest / STEPS
    return scale, np.rint(vector / scale).astype(np.int8).tobytes()


def _vector_f16(shared: ChunkShared) -> bytes:
    """Of length 1, whatever the scale says: it must only be one that an encoder could have written."""
    if not 0 < len(shared.vector_i8) <= DIMS_MAX:
        raise BadSharedChunkError(f"a vector of {len(shared.vector_i8)} dims: {BadSharedChunkError.__doc__}")
    steps: npt.NDArray[np.float64] = np.frombuffer(shared.vector_i8, dtype=np.int8).astype(np.float64)
    length = float(np.sqrt(np.dot(steps, steps)))
    if length == 0.0 or not (math.isfinite(shared.scale) and shared.scale > 0.0):
        raise BadSharedChunkError(f"a vector without a length, scale {shared.scale}: {BadSharedChunkError.__doc__}")
    return (steps / length).astype("<f2").tobytes()


def _text(shared: ChunkShared) -> str:
    raw = _decompressed(shared.text) if shared.zstd else shared.text
    if len(raw) > TEXT_BYTES_MAX:
        raise BadSharedChunkError(f"a text of {len(raw)} bytes: {BadSharedChunkError.__doc__}")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadSharedChunkError(f"a text that is not UTF-8 ({error}): {BadSharedChunkError.__doc__}") from error


def _decompressed(frame: bytes) -> bytes:
    """The content of a frame that says its size. The size is checked before anything of that size is made."""
    try:
        size = zstandard.frame_content_size(frame)
        if not 0 <= size <= TEXT_BYTES_MAX:
            raise BadSharedChunkError(f"a frame of {size} bytes (-1: not said): {BadSharedChunkError.__doc__}")
        raw: bytes = _decompressor().decompress(frame, max_output_size=TEXT_BYTES_MAX, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BadSharedChunkError(f"a corrupt frame ({error}): {BadSharedChunkError.__doc__}") from error
    return raw


def _compressor() -> zstandard.ZstdCompressor:
    """One a thread: the library's objects are not for two at once."""
    if not hasattr(_local, "compressor"):
        _local.compressor = zstandard.ZstdCompressor(level=LEVEL, write_content_size=True)
    compressor: zstandard.ZstdCompressor = _local.compressor
    return compressor


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    decompressor: zstandard.ZstdDecompressor = _local.decompressor
    return decompressor


def _mend(chunk: ChunkEmbedded) -> str:
    return f"chunk {chunk.chunk_id.hex()} of {chunk.kb}: {UnsharableChunkError.__doc__}"
