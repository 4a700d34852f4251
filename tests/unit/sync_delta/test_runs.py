"""Places become runs of numbers and come back the same, and no run makes anything big."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.proto.chunks import Place
from causeway.proto.outbox import Run
from causeway.sync_delta.runs import (
    CHUNKS_MAX,
    NUMBER_MAX,
    BadRunsError,
    MissingChunksError,
    numbers_of,
    places_of,
    runs_of,
)

numbered = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3), st.integers(0, 3)), max_size=40)


def chunk_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def places(rows: list[tuple[int, int, int]]) -> list[Place]:
    return [Place(chunk_id=chunk_id(number), page_first=first, page_last=last) for number, first, last in rows]


NUMBER_OF = {chunk_id(number): number for number in range(1, 13)}
CHUNK_OF = {number: chunk_id(number) for number in range(1, 13)}


@given(numbered)
def test_places_come_back_as_they_were(rows: list[tuple[int, int, int]]) -> None:
    runs = runs_of(places(rows), NUMBER_OF)
    assert places_of(runs, CHUNK_OF) == places(rows)
    assert numbers_of(runs) == list(dict.fromkeys(number for number, _, _ in rows))


@given(numbered)
def test_no_two_neighbours_could_be_one_run(rows: list[tuple[int, int, int]]) -> None:
    runs = runs_of(places(rows), NUMBER_OF)
    for left, right in pairwise(runs):
        joined = right.start == left.start + left.count
        assert not (joined and (left.page_first, left.page_last) == (right.page_first, right.page_last))


def test_a_new_document_is_a_run_a_page() -> None:
    rows = [(number, 1 + number // 4, 1 + number // 4) for number in range(1, 13)]
    runs = runs_of(places(rows), NUMBER_OF)
    assert [(run.start, run.count, run.page_first) for run in runs] == [(1, 3, 1), (4, 4, 2), (8, 4, 3), (12, 1, 4)]


@pytest.mark.parametrize(
    "runs",
    [
        [Run(start=1, count=2**40)],
        [Run(start=1, count=CHUNKS_MAX), Run(start=1, count=1)],
        [Run(start=1, count=0)],
        [Run(start=1, count=5), Run(start=1, count=-4)],
        [Run(start=0, count=1)],
        [Run(start=-3, count=2)],
        [Run(start=NUMBER_MAX, count=2)],
        [Run(start=1, count=1, page_first=-1)],
    ],
)
def test_hostile_runs_are_refused_before_anything_is_made_of_them(runs: list[Run]) -> None:
    with pytest.raises(BadRunsError):
        numbers_of(runs)
    with pytest.raises(BadRunsError):
        places_of(runs, CHUNK_OF)


def test_the_longest_document_has_its_numbers() -> None:
    assert len(numbers_of([Run(start=5, count=CHUNKS_MAX)])) == CHUNKS_MAX


def test_a_document_of_too_many_chunks_is_refused_at_the_sender() -> None:
    with pytest.raises(BadRunsError, match="split"):
        runs_of([Place(chunk_id=b"c")] * (CHUNKS_MAX + 1), {b"c": 1})


def test_numbers_whose_chunks_are_not_here_are_named_all() -> None:
    with pytest.raises(MissingChunksError) as error:
        places_of([Run(start=11, count=4)], CHUNK_OF)
    assert error.value.numbers == (13, 14)
