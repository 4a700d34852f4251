"""The exact index answers while its successor is built, and the successor knows all that happened meanwhile."""

import threading
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from causeway.edge_inference.exact import ExactIndex
from causeway.edge_inference.ports import Vectors
from causeway.edge_inference.swapping import SwappingIndex
from tests.support.knowledge_builders import unit_vector

DIMS = 8
Operation = tuple[str, int, int]


def identity(number: int) -> bytes:
    """A chunk id."""
    return number.to_bytes(16, "big")


def do(index: SwappingIndex | ExactIndex, operation: Operation) -> None:
    """Put or delete one id."""
    kind, number, seed = operation
    if kind == "upsert":
        index.upsert([identity(number)], unit_vector(seed, DIMS)[None, :])
    else:
        index.delete([identity(number)])


class Interrupted(ExactIndex):
    """A successor during each of whose writes something else happens to the swapping index."""

    def __init__(self, meanwhile: list[Operation]) -> None:
        super().__init__(DIMS)
        self.meanwhile = meanwhile
        self.outer: SwappingIndex | None = None

    def upsert(self, ids: Sequence[bytes], vectors: Vectors) -> None:
        self._interrupt()
        super().upsert(ids, vectors)
        self._interrupt()

    def delete(self, ids: Sequence[bytes]) -> None:
        self._interrupt()
        super().delete(ids)

    def _interrupt(self) -> None:
        if self.meanwhile and self.outer is not None and self.outer.exact:
            do(self.outer, self.meanwhile.pop(0))


OPERATION = st.one_of(
    st.tuples(st.just("upsert"), st.integers(0, 8), st.integers(0, 99)),
    st.tuples(st.just("delete"), st.integers(0, 8), st.just(0)),
)


@settings(max_examples=150, deadline=None)
@given(before=st.lists(OPERATION, max_size=20), meanwhile=st.lists(OPERATION, max_size=20))
def test_no_change_made_during_a_build_is_lost_or_revived(before: list[Operation], meanwhile: list[Operation]) -> None:
    successor = Interrupted(list(meanwhile))
    index, model = SwappingIndex(DIMS, lambda: successor), ExactIndex(DIMS)
    successor.outer = index
    for operation in before:
        do(index, operation)
    index.build()
    done = len(meanwhile) - len(successor.meanwhile)
    for operation in before + meanwhile[:done]:
        do(model, operation)
    for operation in meanwhile[done:]:
        do(model, operation)
        do(index, operation)
    assert not index.exact
    question = unit_vector("question", DIMS)
    np.testing.assert_allclose(
        [hit.score for hit in index.search(question, 20)], [hit.score for hit in model.search(question, 20)], atol=1e-6
    )
    assert {hit.chunk_id for hit in index.search(question, 20)} == {hit.chunk_id for hit in model.search(question, 20)}


def test_questions_are_answered_exactly_while_the_successor_is_being_built() -> None:
    started, go_on = threading.Event(), threading.Event()

    class Slow(ExactIndex):
        def upsert(self, ids: Sequence[bytes], vectors: Vectors) -> None:
            started.set()
            assert go_on.wait(10)
            super().upsert(ids, vectors)

    index = SwappingIndex(DIMS, lambda: Slow(DIMS))
    do(index, ("upsert", 1, 1))
    builder = threading.Thread(target=index.build)
    builder.start()
    assert started.wait(10)
    do(index, ("upsert", 2, 2))
    assert index.search(unit_vector(2, DIMS), 1)[0].chunk_id == identity(2)
    assert index.exact
    go_on.set()
    builder.join(10)
    assert not index.exact
    assert index.search(unit_vector(2, DIMS), 1)[0].chunk_id == identity(2)


def test_an_index_closed_during_a_build_does_not_swap() -> None:
    index = SwappingIndex(DIMS, lambda: ExactIndex(DIMS))
    do(index, ("upsert", 1, 1))
    index.close()
    index.build()
    assert index.exact
