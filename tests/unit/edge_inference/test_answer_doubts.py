"""The index of answers is bounded and consistent; what is judged does not depend on what the log has forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from causeway.edge_inference.answer_index import AnswerIndex, DocumentName, Followed, Told
from causeway.edge_inference.doubts import Doubt, Standing, Standings, doubt_of
from causeway.proto.answers import Route
from causeway.proto.chunks import Manifest, Place
from causeway.proto.feedback import Change, CitedChunk
from causeway.proto.knowledge import DocumentShadowed

NAME = DocumentName("kb", "", "a.md")


def followed(number: int, kb: str = "kb", documents: tuple[str, ...] = ("a.md",), since: int | None = 1) -> Followed:
    """An answer that cites the first chunk of each document."""
    return Followed(
        answer_id=f"{kb}-{number}",
        kb=kb,
        language="en",
        asker="",
        route=Route.EDGE,
        abstained=False,
        confidence=0.9,
        since=since,
        at_unix_ms=number,
        cited=tuple(CitedChunk(document_id=name, revision=1, chunk_id=b"1") for name in documents),
    )


def manifest(revision: int, chunks: str, *, deleted: bool = False) -> Manifest:
    """A revision that names one chunk for each letter."""
    places = [Place(chunk_id=letter.encode()) for letter in chunks]
    return Manifest(kb="kb", document_id="a.md", document_key=b"k", revision=revision, deleted=deleted, places=places)


def shadow(revision: int) -> DocumentShadowed:
    """A shadow over a revision."""
    return DocumentShadowed(
        kb="kb",
        document_id="a.md",
        document_key=b"k",
        revision=revision,
        winner="hub",
        winner_revision=1,
        concurrent=False,
    )


def chunk(letter: str, revision: int) -> CitedChunk:
    """A citation."""
    return CitedChunk(document_id="a.md", revision=revision, chunk_id=letter.encode())


@given(
    entries=st.lists(
        st.tuples(
            st.integers(0, 30), st.sampled_from(["one", "two"]), st.sets(st.sampled_from(["a", "b", "c"]), max_size=3)
        ),
        max_size=60,
    ),
    most=st.integers(1, 5),
)
def test_the_index_has_the_newest_of_each_kb_and_names_every_one_by_its_documents(
    entries: list[tuple[int, str, set[str]]], most: int
) -> None:
    index, kept = AnswerIndex(most), dict[str, Followed]()
    for number, kb, names in entries:
        answer = followed(number, kb, tuple(sorted(names)), since=number)
        if answer.answer_id not in kept:
            kept[answer.answer_id] = answer
            own = [each for each in kept.values() if each.kb == kb]
            if len(own) > most:
                del kept[own[0].answer_id]
        index.add(answer)
    assert list(index) == list(kept.values())
    assert index.counts().get("one", 0) == sum(answer.kb == "one" for answer in kept.values())
    assert index.oldest_since() == min((answer.since or 0 for answer in kept.values()), default=None)
    for kb in ("one", "two"):
        for name in "abc":
            document = DocumentName(kb, "", name)
            wanted = [answer for answer in kept.values() if document in answer.documents()]
            assert index.citing(document) == wanted


def test_an_answer_that_gives_way_is_named_and_the_same_one_again_is_nothing_new() -> None:
    index = AnswerIndex(2)
    assert [index.add(followed(number)) for number in (1, 2, 2)] == [None, None, None]
    gone = index.add(followed(3))
    assert gone == followed(1)
    assert index.of("kb-1") is None
    assert [answer.answer_id for answer in index.citing(NAME)] == ["kb-2", "kb-3"]


def test_an_answer_of_an_unknown_epoch_does_not_say_where_to_begin() -> None:
    index = AnswerIndex(5)
    index.add(followed(1, since=None))
    assert index.oldest_since() is None
    index.add(followed(2, since=7))
    assert (index.oldest_since(), index.oldest_at()) == (7, 1)


def test_what_was_told_is_remembered_up_to_a_limit_by_answer_and_document() -> None:
    told = Told(2)
    for number in range(3):
        told.add(f"answer-{number}", "", "a.md")
    assert [told.has(f"answer-{number}", NAME) for number in range(3)] == [False, True, True]
    assert not told.has("answer-2", DocumentName("kb", "hub", "a.md"))


def test_a_newer_revision_without_the_chunk_a_deletion_and_a_shadow_are_doubts() -> None:
    cited = [chunk("x", 3)]

    def found(**standing: object) -> Doubt | None:
        return doubt_of(cited, Standing(**standing))  # type: ignore[arg-type]

    assert found(revision=4, chunks=frozenset({b"y"})) == Doubt(change=Change.REVISED, revision=4)
    assert found(revision=5, deleted=True) == Doubt(change=Change.DELETED, revision=5)
    assert found(shadowed=3) == Doubt(change=Change.REPLACED, revision=3)
    assert found(revision=3, chunks=frozenset({b"x"}), shadowed=3) == Doubt(change=Change.REPLACED, revision=3)
    assert found(revision=4, chunks=frozenset({b"x"}), shadowed=4) == Doubt(change=Change.REPLACED, revision=4)


def test_what_still_stands_is_no_doubt() -> None:
    cited = [chunk("x", 3)]
    for standing in (
        Standing(),
        Standing(revision=4, chunks=frozenset({b"x", b"z"})),
        Standing(revision=2, chunks=frozenset({b"y"})),
        Standing(revision=2, deleted=True),
        Standing(revision=4, chunks=frozenset({b"x"}), shadowed=3),
        Standing(shadowed=2),
    ):
        assert doubt_of(cited, standing) is None, standing


def test_one_doubtful_chunk_of_several_is_enough() -> None:
    standing = Standing(revision=4, chunks=frozenset({b"x"}))
    assert doubt_of([chunk("x", 3), chunk("y", 3)], standing) == Doubt(change=Change.REVISED, revision=4)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("revise"), st.text("xyz", max_size=3)),
        st.tuples(st.just("delete"), st.just("")),
        st.tuples(st.just("shade"), st.just("")),
        st.tuples(st.just("lift"), st.just("")),
    ),
    min_size=1,
    max_size=12,
)


@given(steps=STEPS, begin=st.integers(0, 11))
def test_a_compacted_log_is_judged_as_the_whole_one_from_anywhere_before_the_answer(
    steps: list[tuple[str, str]], begin: int
) -> None:
    entries: list[Manifest | DocumentShadowed] = [manifest(1, "xyz")]
    for what, chunks in steps:
        last = max(each.revision for each in entries if isinstance(each, Manifest))
        if what == "shade":
            entries.append(shadow(last))
        elif what == "lift":
            entries.append(shadow(0))
        else:
            entries.append(manifest(last + 1, chunks, deleted=what == "delete"))
    begin = min(begin, len(entries) - 1)
    # The answer was given where a revision stood that had the chunk and that nothing hid.
    before = entries[: begin + 1]
    stood = [each for each in before if isinstance(each, Manifest)][-1]
    shade = next((each.revision for each in reversed(before) if isinstance(each, DocumentShadowed)), 0)
    if shade == stood.revision or stood.deleted or not stood.places:
        return
    cited = [CitedChunk(document_id="a.md", revision=stood.revision, chunk_id=stood.places[0].chunk_id)]
    whole, compacted = _read(entries), _read(_compacted(entries[begin + 1 :]))
    assert doubt_of(cited, compacted) == doubt_of(cited, whole)


def _read(entries: list[Manifest | DocumentShadowed]) -> Standing:
    standings = Standings(documents_max=9, chunks_max=99)
    for seq, entry in enumerate(entries, start=1):
        if isinstance(entry, Manifest):
            standings.revise(NAME, entry, seq)
        else:
            standings.shade(NAME, entry, seq)
    return standings.of(NAME) or Standing()


def _compacted(entries: list[Manifest | DocumentShadowed]) -> list[Manifest | DocumentShadowed]:
    """The last of each kind, as a log keeps them that has one subject for each."""
    last: dict[type, Manifest | DocumentShadowed] = {}
    for entry in entries:
        last.pop(type(entry), None)
        last[type(entry)] = entry
    return list(last.values())


def test_standings_are_bounded_in_documents_and_chunks_and_say_what_they_forgot() -> None:
    standings = Standings(documents_max=3, chunks_max=4)
    for seq in range(1, 6):
        standings.revise(DocumentName("kb", "", f"d{seq}"), manifest(1, "xy"), seq)
    assert (len(standings), standings.forgotten_seq) == (2, 3)
    standings.revise(DocumentName("kb", "", "large"), manifest(1, "abcdefgh"), 9)
    assert (len(standings), standings.forgotten_seq) == (1, 5)
    assert standings.of(DocumentName("kb", "", "large")) is not None


def test_an_older_manifest_that_comes_late_changes_nothing() -> None:
    standings = Standings(documents_max=3, chunks_max=9)
    standings.revise(NAME, manifest(5, "x"), 7)
    assert standings.revise(NAME, manifest(4, "y"), 8).chunks == frozenset({b"x"})
