"""The vault commits the log's entries with their watermark, and forgets what no manifest names."""

from pathlib import Path

import numpy as np
import pytest

from causeway.edge_inference.vault_reader import VaultReader
from tests.support.knowledge_builders import (
    CREATED,
    KB,
    batch,
    chunk,
    chunk_id,
    document,
    open_vault,
    revision,
    unit_vector,
)


def test_a_document_is_there_after_its_batch_with_its_watermark(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    change = vault.apply(document("leave.pdf", ["Twelve days.", "Ask your manager."], number=7, seq=10))

    reader = VaultReader(vault)
    held = reader.chunk(KB, chunk_id("Twelve days."))
    assert held is not None
    assert held.text == "Twelve days."
    np.testing.assert_allclose(held.vector(), unit_vector("Twelve days."), atol=1e-3)
    (origin,) = reader.origins(KB, chunk_id("Ask your manager."))
    assert (origin.manifest.document_id, origin.manifest.revision, origin.place.page_first) == ("leave.pdf", 7, 2)
    assert (vault.state.seq, vault.state.stream_created) == (12, CREATED)
    assert change.indexed == {(KB, chunk_id("Twelve days.")), (KB, chunk_id("Ask your manager."))}


def test_the_watermark_and_the_rows_outlive_the_process(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["one"], number=1, seq=1))
    vault.close()

    again = open_vault(tmp_path)
    again.verify()
    assert again.state.seq == 2
    assert [chunk for chunk, _ in VaultReader(again).named_chunks(KB)] == [chunk_id("one")]


def test_the_same_batch_again_changes_nothing(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    entries = document("a", ["one", "two"], number=1, seq=1)
    first = vault.apply(entries)
    counts, state = vault.counts(), vault.state
    second = vault.apply(entries)

    assert vault.counts() == counts == (2, 1)
    assert second.indexed == first.indexed
    assert (vault.state.seq, vault.state.stream_created) == (state.seq, state.stream_created)
    vault.verify()


def test_a_chunk_is_indexed_only_when_a_manifest_names_it(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    early = vault.apply(batch(chunk("one", 1)))
    assert early.indexed == set()
    named = vault.apply(batch(revision("a", ["one"], 1, seq=2)))
    assert named.indexed == {(KB, chunk_id("one"))}


def test_an_older_revision_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["new"], number=2, seq=1))
    change = vault.apply(document("a", ["old"], number=1, seq=5))
    assert change.revisions == []
    assert change.indexed == set()
    (origin,) = VaultReader(vault).origins(KB, chunk_id("new"))
    assert origin.manifest.revision == 2


def test_a_tombstone_drops_the_document_and_stands_against_older_revisions(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["one"], number=1, seq=1))
    change = vault.apply(batch(revision("a", [], 2, seq=5, deleted=True)))
    assert change.unindexed == {(KB, chunk_id("one"))}
    assert vault.counts() == (1, 0)

    vault.apply(document("a", ["one"], number=1, seq=6))
    assert VaultReader(vault).origins(KB, chunk_id("one")) == []
    vault.apply(document("a", ["one"], number=3, seq=8))
    assert len(VaultReader(vault).origins(KB, chunk_id("one"))) == 1
    vault.verify()


def test_a_chunk_that_two_documents_share_stays_until_both_drop_it(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["shared", "only a"], number=1, seq=1))
    vault.apply(document("b", ["shared"], number=2, seq=5))
    first = vault.apply(batch(revision("a", [], 3, seq=10, deleted=True)))
    assert first.unindexed == {(KB, chunk_id("only a"))}
    second = vault.apply(batch(revision("b", [], 4, seq=11, deleted=True)))
    assert second.unindexed == {(KB, chunk_id("shared"))}


def test_a_manifest_that_names_a_chunk_that_never_came_says_which(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    change = vault.apply(batch(chunk("one", 1), revision("a", ["one", "lost"], 1, seq=3)))
    assert change.missing == {(KB, chunk_id("lost")): ""}
    assert vault.apply(batch(chunk("lost", 4))).indexed == {(KB, chunk_id("lost"))}


def test_only_chunks_idle_for_long_enough_are_swept(tmp_path: Path) -> None:
    vault = open_vault(tmp_path, clock_ms=1_000)
    vault.apply(document("a", ["dropped", "kept"], number=1, seq=1))
    vault.apply(batch(revision("a", ["kept"], 2, seq=5)))
    vault.apply(batch(chunk("waits", 6)))

    assert vault.idle_chunks(dropped_before_ms=999, pending_before_ms=999, limit=10) == []
    idle = vault.idle_chunks(dropped_before_ms=1_000, pending_before_ms=0, limit=10)
    assert [found.chunk_id for found in idle] == [chunk_id("dropped")]
    assert vault.remove_idle(idle) == 1
    assert VaultReader(vault).chunk(KB, chunk_id("dropped")) is None
    late = vault.idle_chunks(dropped_before_ms=0, pending_before_ms=1_000, limit=10)
    assert [found.chunk_id for found in late] == [chunk_id("waits")]
    vault.verify()


def test_a_chunk_that_came_again_or_was_named_again_is_not_swept(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["one", "two"], number=1, seq=1))
    vault.apply(batch(revision("a", [], 2, seq=5, deleted=True)))
    idle = vault.idle_chunks(dropped_before_ms=1_000, pending_before_ms=0, limit=10)
    assert len(idle) == 2
    vault.apply(batch(chunk("one", 6)))
    vault.apply(batch(revision("b", ["two"], 3, seq=7)))
    assert vault.remove_idle(idle) == 0
    assert vault.counts() == (2, 1)


def test_a_dropped_chunk_may_be_purged_from_the_log_below_the_manifest_that_named_it(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["one"], number=1, seq=1))
    vault.apply(batch(revision("a", [], 2, seq=9)))
    (idle,) = vault.idle_chunks(dropped_before_ms=1_000, pending_before_ms=0, limit=10)
    assert (idle.version, idle.below_seq) == (1, 2)


def test_a_dropped_chunk_that_was_published_again_after_its_manifest_waits_for_another(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["one"], number=1, seq=1))
    vault.apply(batch(chunk("one", 5)))
    vault.apply(batch(revision("a", [], 2, seq=9)))
    assert vault.idle_chunks(dropped_before_ms=1_000, pending_before_ms=0, limit=10) == []
    (late,) = vault.idle_chunks(dropped_before_ms=0, pending_before_ms=1_000, limit=10)
    assert (late.version, late.below_seq) == (5, 6)


def test_a_manifest_of_another_log_says_nothing_about_what_may_be_purged_from_this_one(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["one"], number=1, seq=500))
    vault.restart_log(CREATED + 1)
    vault.apply(batch(revision("a", [], 2, seq=3), created=CREATED + 1))
    assert vault.idle_chunks(dropped_before_ms=1_000, pending_before_ms=0, limit=10) == []


def test_knowledge_bases_do_not_see_each_other(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["same"], number=1, seq=1, kb="plant"))
    vault.apply(document("a", ["same"], number=2, seq=3, kb="office"))
    reader = VaultReader(vault)
    assert [chunk for chunk, _ in reader.named_chunks("plant")] == [chunk_id("same", "plant")]
    assert reader.origins("office", chunk_id("same", "plant")) == []
    assert reader.chunk("nowhere", chunk_id("same", "plant")) is None


def test_a_log_that_was_made_anew_is_read_from_its_start_and_what_is_held_stays(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["one"], number=1, seq=100))
    vault.restart_log(CREATED + 1)
    assert (vault.state.seq, vault.state.stream_created) == (0, CREATED + 1)
    assert vault.counts() == (1, 1)
    vault.verify()


def test_a_failed_batch_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["one"], number=1, seq=1))
    state = vault.state

    def explode(*_: object, **__: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(vault, "_settle", explode)
        with pytest.raises(OSError, match="disk full"):
            vault.apply(document("b", ["two"], number=2, seq=5, kb="other"))
    assert vault.state == state
    assert vault.counts() == (1, 1)
    assert list(vault.kb_numbers) == [KB]
    vault.verify()
    vault.apply(document("b", ["two"], number=2, seq=5, kb="other"))
    vault.verify()
