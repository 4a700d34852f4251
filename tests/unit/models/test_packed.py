"""The packed weights file is read as it was written."""

from pathlib import Path

import numpy as np
import pytest

from causeway.models.errors import ModelMismatch
from causeway.models.packed import Q4_BLOCK, PackedWeights, unpack_q4
from tests.support.packed_model import HIDDEN, PIECES, ROWS, pack_q4, write_packed_model


@pytest.fixture
def packed(tmp_path: Path) -> PackedWeights:
    write_packed_model(tmp_path / "tiny.bin")
    return PackedWeights(tmp_path / "tiny.bin")


def test_the_header_gives_the_shape_and_the_vocabulary(packed: PackedWeights) -> None:
    assert (packed.shape.hidden, packed.shape.vocabulary) == (HIDDEN, ROWS)
    assert [piece for piece, _ in packed.vocabulary.pieces] == PIECES
    assert packed.vocabulary.pad == PIECES.index("<pad>")
    assert packed.vocabulary.normalized == {0x07: "", 0x3000: " "}


def test_a_tensor_read_from_its_blocks_packs_to_the_same_blocks(packed: PackedWeights) -> None:
    weights = packed.tensor("l0.q.w", HIDDEN, HIDDEN)
    blocks = np.frombuffer(pack_q4(weights), Q4_BLOCK)
    assert np.array_equal(unpack_q4(blocks).reshape(HIDDEN, HIDDEN), weights)


def test_a_q4_block_keeps_its_order_scale_and_sign() -> None:
    values = np.arange(-8, 8, dtype=np.float32).repeat(2)
    blocks = np.frombuffer(pack_q4(values), Q4_BLOCK)
    assert np.array_equal(unpack_q4(blocks).ravel(), values)


def test_a_tensor_of_another_size_is_refused(packed: PackedWeights) -> None:
    with pytest.raises(ModelMismatch, match="expected 3"):
        packed.tensor("l0.q.w", 3)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(ModelMismatch, match="not a packed E5 file"):
        PackedWeights(tmp_path / "other")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    write_packed_model(tmp_path / "tiny.bin")
    (tmp_path / "cut.bin").write_bytes((tmp_path / "tiny.bin").read_bytes()[:200])
    with pytest.raises(ModelMismatch, match="damaged"):
        PackedWeights(tmp_path / "cut.bin")
