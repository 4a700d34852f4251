"""A chunk crosses the link as int8 and zstd, and nothing hostile gets through the decoder."""

import contextlib

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from causeway.proto.knowledge import ChunkEmbedded
from causeway.proto.outbox import ChunkShared
from causeway.sync_delta.encoding import (
    DIMS_MAX,
    TEXT_BYTES_MAX,
    BadSharedChunkError,
    UnsharableChunkError,
    decode,
    encode,
    quantized,
)

PARAGRAPH = "The boiler valve is closed by hand before the pump is opened. 锅炉的阀门在打开水泵之前要用手关闭。" * 4
vectors = arrays(
    np.float32, st.integers(1, 400), elements=st.floats(-1, 1, width=32, allow_nan=False, allow_infinity=False)
)


def chunk(vector: np.ndarray, text: str = PARAGRAPH) -> ChunkEmbedded:
    return ChunkEmbedded(
        kb="manuals",
        chunk_id=b"c" * 16,
        model="e5",
        language="en",
        context="Boiler › Valves",
        text=text,
        dims=len(vector),
        vector_f16=vector.astype("<f2").tobytes(),
    )


def unit(vector: np.ndarray) -> np.ndarray:
    wide = vector.astype(np.float64)
    return wide / np.linalg.norm(wide)


def shared(**changes: object) -> ChunkShared:
    return msgspec.structs.replace(encode(chunk(np.array([0.6, 0.8])), 7), **changes)


@given(vectors, st.text(max_size=500))
def test_everything_but_the_vectors_last_bits_comes_back(vector: np.ndarray, text: str) -> None:
    if not vector.astype(np.float16).any():
        return
    before = chunk(unit(vector), text)
    after = decode(encode(before, 7))
    assert msgspec.structs.replace(after, vector_f16=b"") == msgspec.structs.replace(before, vector_f16=b"")
    old, new = (np.frombuffer(each.vector_f16, dtype="<f2").astype(np.float64) for each in (before, after))
    assert abs(np.linalg.norm(new) - 1) < 2e-3
    # Half a step a number, and making the length 1 again may double what that moved the vector.
    moved = np.linalg.norm(old / np.linalg.norm(old) - new)
    assert moved <= np.sqrt(len(old)) * np.abs(old).max() / 127 * 1.01 + 2e-3


@given(vectors)
def test_a_vector_that_has_crossed_gives_the_same_int8_again(vector: np.ndarray) -> None:
    if not vector.astype(np.float16).any():
        return
    first = encode(chunk(unit(vector)), 1)
    again = encode(decode(first), 1)
    assert again.vector_i8 == first.vector_i8
    assert decode(again) == decode(first)


def test_text_is_compressed_only_where_it_gets_smaller() -> None:
    long, short = encode(chunk(np.ones(4), PARAGRAPH), 1), encode(chunk(np.ones(4), "阀"), 1)
    assert long.zstd
    assert len(long.text) < len(PARAGRAPH.encode())
    assert not short.zstd
    assert short.text == "阀".encode()


@pytest.mark.parametrize("bad", [[np.nan, 1.0], [np.inf, 1.0], [0.0, 0.0], []])
def test_a_vector_without_a_length_is_refused_with_the_mend(bad: list[float]) -> None:
    with pytest.raises(UnsharableChunkError, match="embed its document again"):
        encode(chunk(np.array(bad)), 1)


def test_a_vector_of_other_dims_than_it_says_is_refused() -> None:
    with pytest.raises(UnsharableChunkError):
        quantized(np.ones(4, dtype="<f2").tobytes(), 3)


def test_a_text_over_the_limit_is_refused_at_the_sender() -> None:
    with pytest.raises(UnsharableChunkError, match="smaller"):
        encode(chunk(np.ones(4), "x" * (TEXT_BYTES_MAX + 1)), 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"vector_i8": b""},
        {"vector_i8": bytes(384)},
        {"vector_i8": b"\x01" * (DIMS_MAX + 1)},
        {"scale": float("nan")},
        {"scale": float("inf")},
        {"scale": 0.0},
        {"scale": -1.0},
        {"zstd": True, "text": b""},
        {"zstd": True, "text": b"not a frame"},
        {"zstd": True, "text": zstandard.ZstdCompressor().compress(PARAGRAPH.encode())[:-3]},
        {"zstd": True, "text": zstandard.ZstdCompressor().compress(PARAGRAPH.encode()) + b"more"},
        {"zstd": True, "text": zstandard.ZstdCompressor().compress(bytes(TEXT_BYTES_MAX + 1))},
        {"zstd": True, "text": zstandard.ZstdCompressor(write_content_size=False).compress(bytes(64))},
        {"zstd": False, "text": b"\xff\xfe"},
        {"zstd": False, "text": b"x" * (TEXT_BYTES_MAX + 1)},
    ],
)
def test_a_damaged_or_hostile_chunk_is_an_error_that_names_the_mend(changes: dict[str, object]) -> None:
    with pytest.raises(BadSharedChunkError, match="sync verify --repair"):
        decode(shared(**changes))


@given(st.binary(max_size=200))
def test_any_bytes_for_a_frame_are_a_text_or_an_error(frame: bytes) -> None:
    with contextlib.suppress(BadSharedChunkError):
        assert len(decode(shared(zstd=True, text=frame)).text) <= TEXT_BYTES_MAX
