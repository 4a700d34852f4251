"""The incremental index scores like BM25 written out, whatever was put in, replaced and taken out before."""

import math
import threading
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causeway.retrieval import LexicalIndex, Match
from causeway.retrieval import lexical as module

TERMS = st.lists(st.sampled_from("abcdef"), max_size=8)
STEPS = st.lists(st.tuples(st.integers(0, 6), st.one_of(st.none(), TERMS)), max_size=30)


def naive_scores(chunks: dict[bytes, list[str]], question: list[str]) -> dict[bytes, float]:
    """BM25 with k1 .9 and b .4, as the formula stands."""
    mean = sum(map(len, chunks.values())) / max(1, len(chunks)) or 1.0
    scores = dict.fromkeys(chunks, 0.0)
    for term in set(question):
        holders = sum(term in held for held in chunks.values())
        weight = math.log(1 + (len(chunks) - holders + 0.5) / (holders + 0.5))
        for chunk_id, held in chunks.items():
            count = Counter(held)[term]
            scores[chunk_id] += weight * count * 1.9 / (count + 0.9 * (0.6 + 0.4 * len(held) / mean)) if count else 0.0
    return scores


@settings(max_examples=60, deadline=None)
@given(STEPS, TERMS, st.booleans())
def test_scores_equal_the_formula_after_any_history(
    steps: list[tuple[int, list[str] | None]], question: list[str], reclaims: bool
) -> None:
    index, chunks = LexicalIndex(), dict[bytes, list[str]]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "DEAD_SLOTS_MIN", 1 if reclaims else 1_000)
        for key, terms in steps:
            chunk_id = bytes([key])
            if terms is None:
                assert index.delete(chunk_id) == (chunks.pop(chunk_id, None) is not None)
            else:
                index.upsert(chunk_id, terms)
                chunks[chunk_id] = terms
    expected = naive_scores(chunks, question)
    found = dict(index.search(question, 100))
    assert found == pytest.approx({key: score for key, score in expected.items() if score > 0}, rel=1e-5)
    matches = index.match(question, list(chunks))
    assert [match.score for match in matches] == pytest.approx([expected[key] for key in chunks], rel=1e-5)
    assert len(index) == len(chunks)


@given(STEPS, TERMS, st.integers(1, 4))
def test_a_limit_keeps_the_best_in_order(
    steps: list[tuple[int, list[str] | None]], question: list[str], limit: int
) -> None:
    index = LexicalIndex()
    for key, terms in steps:
        index.upsert(bytes([key]), terms or ["a"])
    everything = index.search(question, 100)
    assert index.search(question, limit) == everything[:limit]
    assert [score for _, score in everything] == sorted((score for _, score in everything), reverse=True)


def test_coverage_is_the_share_of_the_questions_idf_that_a_chunk_holds() -> None:
    index = LexicalIndex()
    index.upsert(b"1", ["common", "rare"])
    index.upsert(b"2", ["common"])
    rare, common = (index.weights(["rare", "common"])[term] for term in ("rare", "common"))
    both, one, unknown = index.match(["rare", "common"], [b"1", b"2", b"3"])
    assert both.coverage == pytest.approx(1.0)
    assert one.coverage == pytest.approx(common / (rare + common))
    assert unknown == Match(0.0, 0.0)


def test_a_term_that_no_chunk_holds_lowers_coverage() -> None:
    index = LexicalIndex()
    index.upsert(b"1", ["known"])
    assert index.match(["known", "unknown"], [b"1"])[0].coverage < 0.5


def test_common_terms_find_no_candidates_in_a_large_index_unless_nothing_is_rarer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "COMMON_CHUNKS_MIN", 4)
    index = LexicalIndex()
    for number in range(8):
        index.upsert(bytes([number]), ["the", "rare"] if number == 3 else ["the"])
    assert [chunk_id for chunk_id, _ in index.search(["the", "rare"], 10)] == [bytes([3])]
    assert len(index.search(["the"], 10)) == 8


def test_a_frequency_beyond_the_limit_counts_as_the_limit() -> None:
    index = LexicalIndex()
    index.upsert(b"1", ["a"] * 1000)
    assert index.search(["a"], 1)[0][1] > 0


def test_an_empty_index_finds_nothing() -> None:
    assert LexicalIndex().search(["a"], 5) == []
    assert LexicalIndex().match(["a"], [b"1"]) == [Match(0.0, 0.0)]


def test_reads_are_whole_while_another_thread_writes() -> None:
    index, failures, done = LexicalIndex(), list[float](), threading.Event()
    for number in range(200):
        index.upsert(number.to_bytes(2, "big"), ["word", str(number)])

    def write() -> None:
        for number in range(200):
            index.delete(number.to_bytes(2, "big"))
            index.upsert(number.to_bytes(2, "big"), ["word", str(number)])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        found = index.search(["word"], 500)
        failures += [] if 199 <= len(found) <= 200 else [len(found)]
    writer.join(timeout=10)
    assert not failures
