"""One suite for every vector index: exact, usearch, Chroma, and the one that swaps from the first to another."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from causeway.edge_inference.chroma import ChromaIndex
from causeway.edge_inference.exact import ExactIndex
from causeway.edge_inference.ports import VectorIndex, Vectors
from causeway.edge_inference.swapping import SwappingIndex
from causeway.edge_inference.usearch import UsearchIndex
from tests.support.knowledge_builders import unit_vector

DIMS = 32
Make = Callable[[], VectorIndex]


def swapped() -> VectorIndex:
    """A swapping index after its swap."""
    index = SwappingIndex(DIMS, lambda: UsearchIndex(DIMS))
    index.build()
    assert not index.exact
    return index


MAKERS: dict[str, Make] = {
    "exact": lambda: ExactIndex(DIMS),
    "usearch": lambda: UsearchIndex(DIMS),
    "chroma": lambda: ChromaIndex(DIMS),
    "swapping": lambda: SwappingIndex(DIMS, lambda: ExactIndex(DIMS)),
    "swapped": swapped,
}


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Make:
    return MAKERS[request.param]


@pytest.fixture
def index(make: Make) -> Iterator[VectorIndex]:
    index = make()
    yield index
    index.close()


def identity(number: int) -> bytes:
    """A chunk id."""
    return number.to_bytes(16, "big")


def vector(seed: int) -> Vectors:
    """A unit vector."""
    return unit_vector(seed, DIMS)


def fill(index: VectorIndex, seeds: dict[int, int]) -> None:
    """Put vectors by number."""
    index.upsert([identity(number) for number in seeds], np.stack([vector(seed) for seed in seeds.values()]))


def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    assert index.search(vector(1), 5) == []
    assert index.search(vector(1), 5, [identity(1)]) == []
    assert len(index) == 0


def test_the_nearest_come_first_with_their_cosine(index: VectorIndex) -> None:
    fill(index, {number: number for number in range(40)})
    hits = index.search(vector(7), 10)
    assert hits[0].chunk_id == identity(7)
    expected = sorted((float(vector(number) @ vector(7)) for number in range(40)), reverse=True)[:10]
    np.testing.assert_allclose([hit.score for hit in hits], expected, atol=2e-3)


def test_fewer_than_k_are_all_found(index: VectorIndex) -> None:
    fill(index, {1: 1, 2: 2})
    assert {hit.chunk_id for hit in index.search(vector(1), 50)} == {identity(1), identity(2)}


def test_an_id_put_again_has_the_new_vector_only(index: VectorIndex) -> None:
    fill(index, {1: 1, 2: 2})
    fill(index, {1: 3})
    assert len(index) == 2
    (first, _) = index.search(vector(3), 2)
    assert first.chunk_id == identity(1)
    assert first.score == pytest.approx(1.0, abs=2e-3)


def test_a_deleted_id_is_never_found_and_an_absent_one_does_not_matter(index: VectorIndex) -> None:
    fill(index, {number: number for number in range(10)})
    index.delete([identity(3), identity(99)])
    index.delete([])
    assert len(index) == 9
    assert identity(3) not in {hit.chunk_id for hit in index.search(vector(3), 10)}
    fill(index, {3: 3})
    assert index.search(vector(3), 1)[0].chunk_id == identity(3)


def test_only_allowed_ids_are_found(index: VectorIndex) -> None:
    fill(index, {number: number for number in range(20)})
    hits = index.search(vector(3), 5, {identity(4), identity(5), identity(999)})
    assert {hit.chunk_id for hit in hits} == {identity(4), identity(5)}
    assert index.search(vector(3), 5, set()) == []


def test_two_indexes_of_one_process_do_not_see_each_other(make: Make) -> None:
    one, other = make(), make()
    fill(one, {1: 1})
    assert len(other) == 0
    assert other.search(vector(1), 3) == []
    one.close()
    fill(other, {2: 2})
    assert len(other) == 1


def test_a_batch_larger_than_a_backend_takes_at_once_goes_in_whole(make: Make) -> None:
    index = make()
    count = 6_000
    vectors = np.random.default_rng(1).standard_normal((count, DIMS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index.upsert([identity(number) for number in range(count)], vectors)
    assert len(index) == count
    found = [index.search(vectors[number], 1)[0].chunk_id == identity(number) for number in range(0, count, 100)]
    assert sum(found) >= 0.95 * len(found)


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("upsert"), st.integers(0, 12), st.integers(0, 200)),
        st.tuples(st.just("delete"), st.integers(0, 12), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS, question=st.integers(0, 200))
def test_any_history_ends_where_the_exact_index_ends(
    make: Make, operations: list[tuple[str, int, int]], question: int
) -> None:
    index, model = make(), ExactIndex(DIMS)
    for kind, number, seed in operations:
        for each in (index, model):
            if kind == "upsert":
                fill(each, {number: seed})
            else:
                each.delete([identity(number)])
    assert len(index) == len(model)
    got, expected = index.search(vector(question), 5), model.search(vector(question), 5)
    np.testing.assert_allclose([hit.score for hit in got], [hit.score for hit in expected], atol=2e-3)
    index.close()
