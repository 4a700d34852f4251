"""Ids depend on everything that makes a vector, and say nothing without the key."""

import unicodedata

import pytest

from causeway.proto.identity import BadChunkKeyError, checked_key, chunk_id, document_key

KEY = bytes(range(32))


def test_a_chunk_id_is_sixteen_bytes_of_key_kb_model_and_text() -> None:
    base = chunk_id(KEY, "kb", "model", "text")
    others = [
        chunk_id(KEY[::-1], "kb", "model", "text"),
        chunk_id(KEY, "kb2", "model", "text"),
        chunk_id(KEY, "kb", "model2", "text"),
        chunk_id(KEY, "kb", "model", "text "),
        chunk_id(KEY, "kbm", "odel", "text"),
    ]
    assert len(base) == 16
    assert len({base, *others}) == 6


def test_the_same_letters_written_otherwise_are_the_same_chunk() -> None:
    composed = "Prüfung"
    assert chunk_id(KEY, "kb", "m", unicodedata.normalize("NFD", composed)) == chunk_id(KEY, "kb", "m", composed)


def test_a_document_key_is_not_a_chunk_id() -> None:
    assert document_key(KEY, "kb", "a") != document_key(KEY, "kb2", "a")
    assert document_key(KEY, "kb", "a") != chunk_id(KEY, "kb", "", "a")


@pytest.mark.parametrize("key", [b"", b"short", bytes(65)])
def test_a_key_of_the_wrong_length_is_refused(key: bytes) -> None:
    with pytest.raises(BadChunkKeyError):
        checked_key(key)
