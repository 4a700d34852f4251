"""Folding manifests: stamps of one's own, who gives way, and that hearing again changes nothing."""

from causeway.merge import ZERO, Timestamp
from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import Stamp
from causeway.sync_delta.versions import Folded, Heard, Known, fold


def heard(
    origin: str, revision: int, *, time_ms: int = 1_000, stamp: Stamp | None = None, deleted: bool = False
) -> Heard:
    manifest = Manifest(
        kb="k", document_id="d", document_key=origin.encode().ljust(16), revision=revision, deleted=deleted
    )
    return Heard(origin=origin, manifest=manifest, stamp=stamp, time_ms=time_ms)


def foreign(origin: str, revision: int, wall_ms: int, seen: dict[str, int] | None = None, repair: int = 0) -> Heard:
    stamp = Stamp(wall_ms=wall_ms, counter=0, origin=origin, seen=seen or {}, repair=repair)
    return heard(origin, revision, stamp=stamp)


def folded(*entries: Heard) -> Folded:
    known, clock = Known(), ZERO
    for entry in entries:
        outcome = fold(known, clock, entry)
        known, clock = outcome.known, outcome.clock
    return outcome


def test_a_document_of_this_place_gets_a_stamp_by_the_time_of_the_log() -> None:
    outcome = folded(heard("a", 1, time_ms=5_000))
    assert outcome.version.written == Timestamp(5_000, 0, "a")
    assert outcome.version.seen == {}
    assert outcome.shadowed == ()


def test_a_stamp_says_what_stood_in_the_log_before_and_comes_after_it_whatever_the_clocks_say() -> None:
    outcome = folded(foreign("hub", 7, wall_ms=9_000_000), heard("a", 1, time_ms=5_000))
    assert outcome.version.seen == {"hub": 7}
    assert outcome.version.written > Timestamp(9_000_000, 0, "hub")
    ((loser, shadow),) = outcome.shadowed
    assert (loser, shadow.winner, shadow.revision, shadow.concurrent) == ("hub", "a", 7, False)


def test_two_versions_that_did_not_know_of_each_other_are_siblings_and_the_later_stands() -> None:
    outcome = folded(heard("a", 1, time_ms=5_000), foreign("hub", 7, wall_ms=6_000))
    ((loser, shadow),) = outcome.shadowed
    assert (loser, shadow.winner, shadow.winner_revision, shadow.concurrent) == ("a", "hub", 7, True)


def test_hearing_a_manifest_again_keeps_its_stamp_and_casts_no_new_shadow() -> None:
    once = folded(heard("a", 1, time_ms=5_000), foreign("hub", 7, wall_ms=6_000))
    again = fold(once.known, once.clock, heard("a", 1, time_ms=99_000))
    assert again.known == once.known
    assert again.shadowed == ()


def test_a_shadow_is_lifted_when_the_loser_writes_again_knowing_the_winner() -> None:
    outcome = folded(heard("a", 1, time_ms=5_000), foreign("hub", 7, wall_ms=6_000), heard("a", 2, time_ms=7_000))
    changed = dict(outcome.shadowed)
    assert changed["a"].revision == 0
    assert (changed["hub"].winner, changed["hub"].concurrent) == ("a", False)


def test_a_deleted_loser_needs_no_shadow() -> None:
    outcome = folded(heard("a", 1, time_ms=5_000, deleted=True), foreign("hub", 7, wall_ms=6_000))
    assert outcome.shadowed == ()


def test_a_repair_of_a_revision_replaces_it_and_an_older_one_does_not_come_back() -> None:
    outcome = folded(foreign("hub", 7, wall_ms=6_000, repair=1), foreign("hub", 7, wall_ms=6_000))
    assert outcome.known.versions["hub"].repair == 1
    outcome = folded(foreign("hub", 8, wall_ms=6_000), foreign("hub", 7, wall_ms=6_000))
    assert outcome.known.versions["hub"].revision == 8


def test_a_document_that_was_taken_back_elsewhere_is_no_tombstone_here() -> None:
    taken_back = Stamp(wall_ms=5_000, counter=0, origin="a")
    before = fold(Known(), ZERO, heard("a", 3, stamp=taken_back, deleted=True))
    outcome = fold(before.known, before.clock, heard("a", 3, time_ms=9_000))
    assert not outcome.version.deleted
    assert outcome.version.written == Timestamp(5_000, 0, "a")
