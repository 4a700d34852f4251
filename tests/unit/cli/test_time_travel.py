"""Going back to an epoch touches what changed since, and deletes nothing of which it can not be sure."""

from causeway.cli.time_travel import Step, plan
from causeway.proto.history import RevisionEntry

SITE = "branch-1"


def entry(
    document_id: str,
    revision: int,
    seq: int,
    *,
    current: bool = False,
    deleted: bool = False,
    origin: str = SITE,
    earlier_gone: bool = False,
) -> RevisionEntry:
    """One line of a log."""
    return RevisionEntry(
        document_id=document_id,
        document_key=document_id.encode(),
        origin=origin,
        revision=revision,
        seq=seq,
        at_unix_ms=seq,
        deleted=deleted,
        title="",
        chunks=1,
        current=current,
        earlier_gone=earlier_gone,
    )


def test_what_changed_since_is_restored_and_what_came_since_is_deleted() -> None:
    log = [
        entry("late", 9, 90, current=True),
        entry("edited", 8, 80, current=True),
        entry("edited", 4, 40),
        entry("same", 3, 30, current=True),
        entry("edited", 2, 20),
    ]
    steps = plan(log, 50, SITE)
    assert steps.restored == {"edited": Step(revision=4, over=8)}
    assert steps.deleted == ("late",)
    assert (steps.unchanged, steps.lost, steps.foreign, steps.changes) == (1, (), 0, 2)


def test_a_document_that_was_deleted_since_comes_back_and_one_that_was_deleted_then_goes() -> None:
    log = [
        entry("gone since", 9, 90, current=True, deleted=True),
        entry("back since", 8, 80, current=True),
        entry("back since", 4, 40, deleted=True),
        entry("gone since", 3, 30),
    ]
    steps = plan(log, 50, SITE)
    assert steps.restored == {"gone since": Step(revision=3, over=9)}
    assert steps.deleted == ("back since",)


def test_what_is_deleted_already_is_not_deleted_again() -> None:
    log = [entry("a", 9, 90, current=True, deleted=True), entry("a", 8, 80)]
    assert plan(log, 50, SITE).changes == 0


def test_a_document_whose_revision_of_then_is_not_held_stays_and_is_named() -> None:
    log = [entry("old", 9, 90, current=True), entry("old", 8, 80, earlier_gone=True)]
    steps = plan(log, 50, SITE)
    assert (steps.lost, steps.changes) == (("old",), 0)
    assert plan(log, 85, SITE).restored == {"old": Step(revision=8, over=9)}


def test_what_stood_in_an_earlier_log_counts_as_before_every_epoch() -> None:
    log = [entry("a", 9, 90, current=True), entry("a", 3, 0)]
    assert plan(log, 50, SITE).restored == {"a": Step(revision=3, over=9)}


def test_documents_of_other_places_are_counted_and_left_alone() -> None:
    log = [entry("a", 9, 90, current=True, origin="hub"), entry("a", 3, 30, origin="hub")]
    steps = plan(log, 50, SITE)
    assert (steps.foreign, steps.changes) == (1, 0)
