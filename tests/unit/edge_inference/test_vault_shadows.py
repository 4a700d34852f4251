"""Documents of several origins stand beside each other, and one that gives way is held and not searched."""

from pathlib import Path

import pytest

from causeway.edge_inference.history_reader import HistoryReader
from causeway.edge_inference.vault import Batch, Vault
from causeway.edge_inference.vault_reader import VaultReader
from causeway.proto.history import HistoryAsked, RevisionAsked
from causeway.proto.knowledge import DocumentShadowed
from tests.support.knowledge_builders import CREATED, KB, batch, chunk_id, document, open_vault, revision, shadow

OWN = "Leave is twelve days."
HUB = "Leave is thirty days."


def cast(vault: Vault, *shadows: DocumentShadowed, seq: int = 50) -> Batch:
    """Apply shadows; returns what the indexes must follow as the vault says."""
    return Batch(shadows=shadows, seq=seq, stream_created=CREATED)


def searched(vault: Vault) -> set[bytes]:
    """The chunks that an index loads."""
    return {chunk for chunk, _ in VaultReader(vault).named_chunks(KB)}


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """The same document id from this place and from the hub."""
    vault = open_vault(tmp_path)
    vault.apply(document("leave.md", [OWN], number=1, seq=1))
    vault.apply(document("leave.md", [HUB], number=1, seq=5, origin="hub"))
    return vault


def test_the_same_id_of_two_origins_is_two_documents(vault: Vault) -> None:
    assert searched(vault) == {chunk_id(OWN), chunk_id(HUB, place="hub")}
    entries = HistoryReader("branch-1", vault).log(HistoryAsked(kb=KB, document_id="leave.md")).revisions
    assert [(one.origin, one.current) for one in entries] == [("hub", True), ("branch-1", True)]


def test_a_shadowed_document_is_held_and_not_searched_until_the_shadow_is_lifted(vault: Vault) -> None:
    change = vault.apply(cast(vault, shadow("leave.md", 1)))
    assert change.unindexed == {(KB, chunk_id(OWN))}
    assert searched(vault) == {chunk_id(HUB, place="hub")}
    assert VaultReader(vault).origins(KB, chunk_id(OWN)) == []
    assert VaultReader(vault).named_records(KB, [chunk_id(OWN)]) == {}
    assert vault.idle_chunks(dropped_before_ms=1 << 60, pending_before_ms=1 << 60, limit=9) == []

    change = vault.apply(cast(vault, shadow("leave.md", 0), seq=51))
    assert change.indexed == {(KB, chunk_id(OWN))}
    assert len(searched(vault)) == 2
    vault.verify()


def test_a_shadow_outlives_the_process(vault: Vault) -> None:
    vault.apply(cast(vault, shadow("leave.md", 1)))
    vault.close()
    again = open_vault(vault.folder)
    again.verify()
    assert searched(again) == {chunk_id(HUB, place="hub")}


def test_a_newer_revision_stands_in_the_light_again(vault: Vault) -> None:
    vault.apply(cast(vault, shadow("leave.md", 1)))
    change = vault.apply(batch(revision("leave.md", [OWN], 2, seq=60)))
    assert change.indexed == {(KB, chunk_id(OWN))}
    assert len(searched(vault)) == 2


def test_a_shadow_that_comes_before_its_revision_hides_it_from_the_start(vault: Vault) -> None:
    vault.apply(cast(vault, shadow("late.md", 7)))
    change = vault.apply(document("late.md", ["Late."], number=7, seq=60))
    assert change.indexed == set()
    assert chunk_id("Late.") not in searched(vault)


def test_a_chunk_that_a_shown_document_names_too_is_searched_and_cited_from_that_one(vault: Vault) -> None:
    vault.apply(batch(revision("copy.md", [OWN], 3, seq=40)))
    change = vault.apply(cast(vault, shadow("leave.md", 1)))
    assert change.unindexed == set()
    (origin,) = VaultReader(vault).origins(KB, chunk_id(OWN))
    assert origin.manifest.document_id == "copy.md"


def test_a_shadow_over_a_tombstone_changes_nothing_and_a_later_revision_is_shown(vault: Vault) -> None:
    vault.apply(batch(revision("leave.md", [], 2, seq=60, deleted=True)))
    vault.apply(cast(vault, shadow("leave.md", 2), seq=61))
    vault.apply(document("leave.md", [OWN], number=3, seq=70))
    assert chunk_id(OWN) in searched(vault)
    vault.verify()


def test_siblings_and_replaced_versions_are_told_apart_in_the_log(vault: Vault) -> None:
    vault.apply(cast(vault, shadow("leave.md", 1, winner="hub", concurrent=True)))
    entries = HistoryReader("branch-1", vault).log(HistoryAsked(kb=KB)).revisions
    assert {(one.origin, one.sibling_of, one.shadowed_by) for one in entries} == {
        ("hub", "", ""),
        ("branch-1", "hub", "hub"),
    }
    vault.apply(cast(vault, shadow("leave.md", 1, winner="hub"), seq=52))
    entries = HistoryReader("branch-1", vault).log(HistoryAsked(kb=KB)).revisions
    assert ("branch-1", "", "hub") in {(one.origin, one.sibling_of, one.shadowed_by) for one in entries}


def test_without_an_origin_the_version_that_is_searched_is_recalled(vault: Vault) -> None:
    reader = HistoryReader("branch-1", vault)
    asked = RevisionAsked(kb=KB, document_id="leave.md")
    assert reader.revision(asked).texts[0].text == OWN
    vault.apply(cast(vault, shadow("leave.md", 1)))
    assert reader.revision(asked).texts[0].text == HUB
    named = RevisionAsked(kb=KB, document_id="leave.md", origin="branch-1")
    assert reader.revision(named).texts[0].text == OWN


def test_a_chunk_of_another_origin_is_swept_under_the_subject_of_that_origin(vault: Vault) -> None:
    vault.apply(batch(revision("leave.md", [], 2, seq=60, deleted=True, origin="hub")))
    (idle,) = vault.idle_chunks(dropped_before_ms=1 << 60, pending_before_ms=0, limit=9)
    assert (idle.origin, idle.chunk_id) == ("hub", chunk_id(HUB, place="hub"))


def test_a_chunk_of_another_origin_that_never_came_says_where_it_is_from(vault: Vault) -> None:
    change = vault.apply(batch(revision("new.md", ["lost"], 1, seq=70, origin="hub")))
    assert change.missing == {(KB, chunk_id("lost", place="hub")): "hub"}


def test_watermarks_are_committed_with_their_effects(vault: Vault) -> None:
    vault.apply(Batch(watermarks={"hub": 40}, seq=80, stream_created=CREATED))
    vault.apply(Batch(watermarks={"branch-2": 7}, seq=81, stream_created=CREATED))
    vault.close()
    with VaultReader(open_vault(vault.folder)).snapshot() as state:
        assert (state.seq, state.watermarks) == (81, {"hub": 40, "branch-2": 7})
