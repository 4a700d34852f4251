"""The bytes of a lexical index: arrays under a version and a digest. Knows the format, not how it is searched."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MAGIC = b"CwLexDmp"
VERSION = 1
_DIGEST_BYTES = 32
_HEAD_BYTES = len(MAGIC) + 4 + _DIGEST_BYTES
# Lone surrogates can not come from the bus, but they must not break a dump.
_SURROGATES = "surrogatepass"


@dataclass(frozen=True, slots=True)
class LexicalDump:
    """A lexical index at one moment. `counts[t]` of the `postings`, in order, belong to `terms[t]`."""

    ids: Sequence[bytes]
    lengths: NDArray[np.float32]
    terms: Sequence[str]
    counts: NDArray[np.uint32]
    postings: NDArray[np.uint32]


def pack(dump: LexicalDump) -> bytes:
    """The dump as bytes: little-endian, sections in the order of the fields, their sizes first."""
    ids, text = b"".join(dump.ids), "".join(dump.terms).encode(errors=_SURROGATES)
    sizes = np.array([len(dump.ids), len(ids), len(dump.terms), len(text), len(dump.postings)], "<u8")
    body: list[bytes | memoryview] = [
        sizes.tobytes(),
        np.array([len(one) for one in dump.ids], "<u4").tobytes(),
        ids,
        dump.lengths.astype("<f4", copy=False).tobytes(),
        np.array([len(one) for one in dump.terms], "<u4").tobytes(),
        text,
        dump.counts.astype("<u4", copy=False).tobytes(),
        np.ascontiguousarray(dump.postings, "<u4").data,
    ]
    return b"".join([MAGIC, VERSION.to_bytes(4, "little"), _digest(body), *body])


def unpack(packed: bytes | bytearray) -> LexicalDump:
    """The dump that `pack` packed; its arrays are views of `packed`.

    Raises:
        ValueError: not such a dump, of another version, or damaged.
    """
    view = memoryview(packed)
    if len(view) < _HEAD_BYTES + 40 or view[: len(MAGIC)] != MAGIC:
        raise ValueError("this is not the dump of a lexical index")
    version = int.from_bytes(view[len(MAGIC) : len(MAGIC) + 4], "little")
    if version != VERSION:
        raise ValueError(f"the dump has version {version} and this software reads version {VERSION}")
    body = view[_HEAD_BYTES:]
    if _digest([body]) != view[_HEAD_BYTES - _DIGEST_BYTES : _HEAD_BYTES]:
        raise ValueError("the dump is damaged: its digest is another")
    return _sections(body)


def _sections(body: memoryview) -> LexicalDump:
    # The digest has vouched for the sizes: what follows was written by `pack`.
    chunks, id_bytes, terms, term_bytes, postings = np.frombuffer(body, "<u8", 5).tolist()
    rest = body[40:]
    id_ends, rest = _numbers(rest, "<u4", chunks)
    ids, rest = bytes(rest[:id_bytes]), rest[id_bytes:]
    lengths, rest = _numbers(rest, "<f4", chunks)
    term_ends, rest = _numbers(rest, "<u4", terms)
    text, rest = str(rest[:term_bytes], errors=_SURROGATES), rest[term_bytes:]
    counts, rest = _numbers(rest, "<u4", terms)
    return LexicalDump(
        ids=[ids[start:end] for start, end in pairwise(_places(id_ends))],
        lengths=lengths.astype(np.float32, copy=False),
        terms=[text[start:end] for start, end in pairwise(_places(term_ends))],
        counts=counts.astype(np.uint32, copy=False),
        postings=_numbers(rest, "<u4", postings)[0].astype(np.uint32, copy=False),
    )


def _numbers(rest: memoryview, kind: str, count: int) -> tuple[NDArray[np.generic], memoryview]:
    return np.frombuffer(rest, kind, count), rest[4 * count :]


def _places(lengths: NDArray[np.generic]) -> list[int]:
    return [0, *np.cumsum(lengths, dtype=np.int64).tolist()]


def _digest(parts: Sequence[bytes | memoryview]) -> bytes:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    return digest.digest()
