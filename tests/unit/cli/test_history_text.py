"""Revisions are told in words, and a difference says what changed."""

import msgspec

from causeway.cli.history_text import difference, heading, log_table, name_of, what_of
from causeway.proto.chunks import Manifest, Place
from causeway.proto.documents import Residency
from causeway.proto.history import ChunkText, RevisionEntry, RevisionText


def revised(number: int, *texts: str, residency: Residency = Residency.PUBLIC) -> RevisionText:
    """A revision with these chunks."""
    manifest = Manifest(
        kb="docs",
        document_id="leave.md",
        document_key=b"k" * 16,
        revision=number,
        title="Leave",
        residency=residency,
        places=[Place(chunk_id=text.encode()) for text in texts],
    )
    chunks = [ChunkText(chunk_id=text.encode(), language="en", context="Leave", text=text) for text in texts]
    return RevisionText(manifest=manifest, origin="branch-1", chunks=chunks)


def told(*, sibling_of: str = "", shadowed_by: str = "", current: bool = True, deleted: bool = False) -> RevisionEntry:
    """A line of a log."""
    return RevisionEntry(
        document_id="leave.md",
        document_key=b"k" * 16,
        origin="branch-2",
        revision=1,
        seq=1,
        at_unix_ms=0,
        deleted=deleted,
        title="Leave",
        chunks=1,
        current=current,
        sibling_of=sibling_of,
        shadowed_by=shadowed_by,
    )


def test_a_sibling_is_named_with_its_place_and_says_what_stands() -> None:
    sibling = told(sibling_of="hub", shadowed_by="hub")
    assert name_of(sibling) == "leave.md~branch-2"
    assert what_of(sibling) == "current, sibling: hub stands"
    assert name_of(told()) == "leave.md"
    assert what_of(told(shadowed_by="hub")) == "current, replaced by hub"
    assert what_of(told(deleted=True)) == "deleted"
    assert what_of(told(current=False)) == "earlier"


def test_a_difference_shows_the_lines_that_changed_with_their_colour() -> None:
    lines = difference(revised(1, "Twelve days.\nAsk first."), revised(2, "Thirty days.\nAsk first."))
    assert [line for line, _ in lines[:2]] == ["--- leave.md  revision 1", "+++ leave.md  revision 2"]
    assert ("-Twelve days.", "red") in lines
    assert ("+Thirty days.", "green") in lines
    assert (" Ask first.", "") in lines


def test_a_residency_that_changed_is_a_difference_and_equal_revisions_have_none() -> None:
    lines = difference(revised(1, "Same."), revised(2, "Same.", residency=Residency.RESTRICTED))
    assert ("-residency: public", "red") in lines
    assert difference(revised(1, "Same."), revised(2, "Same.")) == []


def test_a_heading_says_where_a_revision_is_from_and_where_it_may_go() -> None:
    assert heading(revised(3, "a", "b")) == "leave.md  revision 3 from branch-1, public, 2 chunks"


def test_a_log_says_whose_a_revision_is_only_where_there_are_several_places() -> None:
    assert [column.header for column in log_table([told()]).columns] == [
        "epoch",
        "when",
        "revision",
        "document",
        "what",
    ]
    other = msgspec.structs.replace(told(), origin="hub")
    assert "from" in [column.header for column in log_table([told(), other]).columns]
