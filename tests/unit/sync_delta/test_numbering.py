"""Numbers are given once, and a chunk stands in the outbox exactly as long as a shared document names it."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from causeway.proto.chunks import Manifest, Place
from causeway.proto.outbox import Run
from causeway.sync_delta.numbering import Numbering, Sharing, TombstoneWithPlacesError, first_number, share
from causeway.sync_delta.runs import numbers_of, places_of

DOCUMENTS = ["a", "b", "c"]
CHUNKS = [bytes([number]) * 16 for number in range(8)]


def manifest(document_id: str, chunk_ids: list[bytes], deleted: bool = False) -> Manifest:
    places = [Place(chunk_id=each, page_first=1, page_last=1) for each in chunk_ids]
    return Manifest(kb="kb", document_id=document_id, document_key=b"k", revision=1, deleted=deleted, places=places)


class Outbox(RuleBasedStateMachine):
    """An outbox that does what each sharing says; the checks look only at what a receiver could see."""

    def __init__(self) -> None:
        super().__init__()
        self.numbering = Numbering.empty(100)
        self.chunks: dict[int, bytes] = {}
        self.runs: dict[str, tuple[Run, ...]] = {}
        self.wanted: dict[str, list[bytes]] = {}
        self.given: set[int] = set()

    @rule(
        document_id=st.sampled_from(DOCUMENTS),
        chunk_ids=st.lists(st.sampled_from(CHUNKS), max_size=8),
        again=st.booleans(),
    )
    def share(self, document_id: str, chunk_ids: list[bytes], again: bool) -> None:
        self._take(document_id, manifest(document_id, chunk_ids), again)
        self.wanted[document_id] = chunk_ids

    @rule(document_id=st.sampled_from(DOCUMENTS))
    def delete(self, document_id: str) -> None:
        self._take(document_id, manifest(document_id, [], deleted=True), False)
        self.wanted[document_id] = []

    def _take(self, document_id: str, revision: Manifest, again: bool) -> None:
        before = self.runs.get(document_id, ())
        sharing = share(revision, before, self.numbering, again)
        assert sharing == share(revision, before, self.numbering, again)
        for each in sharing.send:
            assert each.number not in self.given, "a number was given twice"
            self.given.add(each.number)
            self.chunks[each.number] = each.chunk_id
        if again:
            assert {each.chunk_id for each in sharing.send} == {place.chunk_id for place in revision.places}
        self.runs[document_id] = sharing.runs
        for number in sharing.retired:
            del self.chunks[number]
        self.numbering = self.numbering.after(sharing)

    @invariant()
    def every_document_finds_its_chunks(self) -> None:
        for document_id, chunk_ids in self.wanted.items():
            assert [place.chunk_id for place in places_of(self.runs[document_id], self.chunks)] == chunk_ids

    @invariant()
    def nothing_stands_that_no_document_names(self) -> None:
        named = {number for runs in self.runs.values() for number in numbers_of(runs)}
        assert set(self.chunks) == named == set(self.numbering.rows)
        assert all(number < self.numbering.next_number for number in named)


Outbox.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestOutbox = Outbox.TestCase


def after(*sharings: Sharing, first: int = 1) -> Numbering:
    numbering = Numbering.empty(first)
    for sharing in sharings:
        numbering = numbering.after(sharing)
    return numbering


def test_an_edit_sends_only_the_chunk_that_is_new_and_retires_the_one_it_replaced() -> None:
    first = share(manifest("a", CHUNKS[:4]), (), Numbering.empty(1))
    edit = share(manifest("a", [CHUNKS[0], CHUNKS[7], CHUNKS[2], CHUNKS[3]]), first.runs, after(first))
    assert [each.number for each in first.send] == [1, 2, 3, 4]
    assert [(each.number, each.chunk_id) for each in edit.send] == [(5, CHUNKS[7])]
    assert edit.retired == (2,)
    assert [(run.start, run.count) for run in edit.runs] == [(1, 1), (5, 1), (3, 2)]


def test_a_chunk_of_two_documents_outlives_the_first_of_them() -> None:
    a = share(manifest("a", CHUNKS[:2]), (), Numbering.empty(1))
    b = share(manifest("b", CHUNKS[1:3]), (), after(a))
    assert [each.chunk_id for each in b.send] == [CHUNKS[2]]
    gone = share(manifest("a", [], deleted=True), a.runs, after(a, b))
    assert gone.retired == (1,)
    assert gone.runs == ()


def test_a_chunk_named_again_after_it_was_retired_has_a_fresh_number() -> None:
    first = share(manifest("a", CHUNKS[:1]), (), Numbering.empty(1))
    gone = share(manifest("a", [], deleted=True), first.runs, after(first))
    back = share(manifest("a", CHUNKS[:1]), gone.runs, after(first, gone))
    assert [each.number for each in back.send] == [2]


def test_a_repair_sends_all_chunks_anew_and_leaves_the_numbers_that_others_name() -> None:
    a = share(manifest("a", CHUNKS[:2]), (), Numbering.empty(1))
    b = share(manifest("b", CHUNKS[1:2]), (), after(a))
    repair = share(manifest("a", CHUNKS[:2]), a.runs, after(a, b), again=True)
    assert [each.number for each in repair.send] == [3, 4]
    assert repair.retired == (1,)
    assert repair.counts == {2: 1, 3: 1, 4: 1}


def test_what_is_retired_already_is_not_retired_again() -> None:
    gone = share(manifest("a", [], deleted=True), [Run(start=1, count=3)], Numbering.empty(9))
    assert gone.retired == ()
    assert gone.counts == {}


def test_a_tombstone_that_names_chunks_is_refused() -> None:
    with pytest.raises(TombstoneWithPlacesError):
        share(manifest("a", CHUNKS[:1], deleted=True), (), Numbering.empty(1))


def test_a_numbering_that_begins_later_begins_above_one_that_gave_a_number_a_millisecond() -> None:
    lost = first_number(1_700_000_000_000) + 60_000
    assert first_number(1_700_000_060_000) > lost
