"""How far published documents have come."""

from causeway.cli.publication import Publication
from causeway.proto.documents import DocumentStatus, State


def status(document_id: str, revision: int, state: State, reason: str = "") -> DocumentStatus:
    return DocumentStatus(
        kb="docs", document_id=document_id, revision=revision, state=state, reason=reason, service="t", at_unix_ms=0
    )


def test_a_document_is_done_when_its_own_revision_is_searchable() -> None:
    publication = Publication(total=1)
    publication.published("a", 7)
    publication.observe(status("a", 6, State.SEARCHABLE))
    publication.observe(status("a", 7, State.EMBEDDED))
    assert not publication.finished
    publication.observe(status("a", 7, State.SEARCHABLE))
    assert publication.finished
    assert publication.done == {"a"}


def test_a_status_that_comes_before_the_acknowledgement_counts() -> None:
    publication = Publication(total=1)
    publication.observe(status("a", 7, State.SEARCHABLE))
    publication.observe(status("a", 7, State.PARSED))
    publication.published("a", 7)
    assert publication.finished


def test_a_newer_revision_of_someone_else_ends_the_wait() -> None:
    publication = Publication(total=1)
    publication.published("a", 7)
    publication.observe(status("a", 9, State.SEARCHABLE))
    assert publication.done == {"a"}


def test_a_failure_keeps_its_reason_and_a_refusal_too() -> None:
    publication = Publication(total=2)
    publication.published("a", 7)
    publication.observe(status("a", 7, State.FAILED, "encrypted"))
    publication.refused("b", "too large")
    assert publication.failed == {"a": "encrypted", "b": "too large"}
    assert publication.finished


def test_a_delete_ends_when_the_document_is_deleted() -> None:
    publication = Publication(total=1)
    publication.published("a", 8)
    publication.observe(status("a", 8, State.DELETED))
    assert publication.done == {"a"}


def test_publishing_again_waits_again() -> None:
    publication = Publication(total=1)
    publication.published("a", 7)
    publication.observe(status("a", 7, State.SEARCHABLE))
    publication.published("a", 8)
    assert not publication.finished
    assert publication.where_it_waits() == {"a": "searchable"}


def test_what_waits_is_named_with_its_last_state() -> None:
    publication = Publication(total=2)
    publication.published("a", 7)
    publication.published("b", 8)
    publication.observe(status("a", 7, State.PARSED))
    assert publication.where_it_waits() == {"a": "parsed", "b": "not yet received"}
