"""A lexical index that was dumped and restored searches, matches and goes on like the one that was dumped."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causeway.retrieval import LexicalIndex
from causeway.retrieval import lexical as module

TERMS = st.lists(st.sampled_from(["a", "b", "年", "年假", "\U00020000", "e\u0301", "\ud800", "", "nul\0"]), max_size=8)
STEPS = st.lists(st.tuples(st.integers(0, 6), st.one_of(st.none(), TERMS)), max_size=30)
Steps = list[tuple[int, list[str] | None]]


def follow(index: LexicalIndex, steps: Steps) -> None:
    """Put and delete; ids are of several lengths."""
    for key, terms in steps:
        chunk_id = bytes([key]) * (1 + key % 3)
        if terms is None:
            index.delete(chunk_id)
        else:
            index.upsert(chunk_id, terms)


def restored(index: LexicalIndex) -> LexicalIndex:
    """A new index from the dump of another."""
    other = LexicalIndex()
    other.restore(index.dump())
    return other


def small() -> LexicalIndex:
    index = LexicalIndex()
    follow(index, [(1, ["a", "b", "b"]), (2, ["年假"]), (3, ["a"]), (1, None)])
    return index


@settings(max_examples=150, deadline=None)
@given(STEPS, STEPS, TERMS, st.booleans())
def test_a_restored_index_searches_and_goes_on_like_the_one_that_was_dumped(
    before: Steps, after: Steps, question: list[str], reclaims: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "DEAD_SLOTS_MIN", 1 if reclaims else 1_000)
        index = LexicalIndex()
        follow(index, before)
        other = restored(index)
        for _ in range(2):
            assert other.ids() == index.ids()
            assert other.search(question, 100) == index.search(question, 100)
            assert other.match(question, sorted(index.ids())) == index.match(question, sorted(index.ids()))
            assert other.weights(question) == index.weights(question)
            follow(index, after)
            follow(other, after)


def test_dead_slots_and_their_terms_are_left_out() -> None:
    index, clean = small(), LexicalIndex()
    follow(clean, [(2, ["年假"]), (3, ["a"])])
    assert len(index.dump()) == len(clean.dump())
    assert restored(index).dump() == index.dump()


def test_an_empty_index_can_be_dumped() -> None:
    assert len(restored(LexicalIndex())) == 0


@given(st.data())
def test_a_changed_or_cut_dump_is_refused(data: st.DataObject) -> None:
    dump = bytearray(small().dump())
    at = data.draw(st.integers(0, len(dump) - 1))
    if data.draw(st.booleans()):
        dump[at] ^= data.draw(st.integers(1, 255))
    else:
        del dump[at:]
    index = LexicalIndex()
    with pytest.raises(ValueError, match=r"not the dump|version|damaged"):
        index.restore(bytes(dump))
    assert len(index) == 0


def test_an_index_that_holds_something_is_not_restored_over() -> None:
    index = small()
    with pytest.raises(ValueError, match="holds 2 chunks"):
        index.restore(small().dump())
    assert index.ids() == small().ids()
