"""A vault that an earlier version of the software wrote is opened where it stands, with all that is in it.

`layout_1` was written by the first release: a document, a deleted one, and one of another knowledge base.
"""

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from causeway.edge_inference import schema
from causeway.edge_inference.errors import VaultVersionError
from causeway.edge_inference.history_reader import HistoryReader
from causeway.edge_inference.vault import Vault
from causeway.edge_inference.vault_reader import VaultReader
from causeway.proto.history import HistoryAsked, RevisionAsked
from tests.support.knowledge_builders import KB, batch, chunk_id, document, open_vault, revision, shadow

LAYOUT_1 = Path(__file__).parent / "layout_1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(LAYOUT_1, tmp_path / "vault")
    return tmp_path / "vault"


def layout(folder: Path) -> int:
    """The number in the file."""
    connection = sqlite3.connect(folder / "vault.db")
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(number)


def test_the_fixture_is_of_the_first_layout() -> None:
    connection = sqlite3.connect(f"{(LAYOUT_1 / 'vault.db').as_uri()}?mode=ro&immutable=1", uri=True)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_vault_of_layout_1_keeps_its_documents_its_watermark_and_what_waits(folder: Path) -> None:
    vault = open_vault(folder)
    vault.verify()
    assert layout(folder) == schema.LAYOUT == 2
    assert (vault.state.seq, vault.counts()) == (42, (5, 2))
    reader = VaultReader(vault)
    assert {chunk for chunk, _ in reader.named_chunks(KB)} == {chunk_id("Twelve days."), chunk_id("Ask your manager.")}
    (origin,) = reader.origins("plant", chunk_id("No dogs.", "plant"))
    assert (origin.manifest.document_id, origin.manifest.revision) == ("leave.pdf", 11)
    assert len(vault.unannounced(9)) == 3
    assert len(vault.idle_chunks(dropped_before_ms=1 << 60, pending_before_ms=0, limit=9)) == 1


def test_history_begins_with_what_the_vault_held(folder: Path) -> None:
    vault = open_vault(folder)
    reader = HistoryReader("branch-1", vault)
    found = reader.log(HistoryAsked(kb=KB))
    assert [(one.document_id, one.revision, one.seq, one.deleted) for one in found.revisions] == [
        ("gone.pdf", 9, 30, True),
        ("leave.pdf", 7, 12, False),
    ]
    assert found.complete_from == 42
    vault.apply(document("leave.pdf", ["Thirty days."], number=12, seq=50, at_ms=1_000))
    vault.remove_idle(vault.idle_chunks(dropped_before_ms=1 << 60, pending_before_ms=0, limit=9))
    old = reader.revision(RevisionAsked(kb=KB, document_id="leave.pdf", revision=7))
    assert [record.text for record in old.texts] == ["Twelve days.", "Ask your manager."]
    vault.verify()


def test_a_migrated_vault_lives_on_and_opens_again(folder: Path) -> None:
    vault = open_vault(folder)
    vault.apply(batch(revision("leave.pdf", [], 13, seq=60, deleted=True)))
    vault.close()
    again = open_vault(folder)
    again.verify()
    assert again.counts()[1] == 1


def test_a_migration_that_fails_leaves_layout_1_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / "vault.db").read_bytes()

    def explode(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("causeway.edge_inference.past.Past.adopt", explode)
        with pytest.raises(OSError, match="disk full"):
            open_vault(folder)
    assert layout(folder) == 1
    assert before[:100].startswith(b"SQLite format 3")
    open_vault(folder).verify()


def test_a_vault_of_a_newer_layout_is_refused_with_the_mend(folder: Path) -> None:
    connection = sqlite3.connect(folder / "vault.db")
    connection.execute("PRAGMA user_version=3")
    connection.close()
    with pytest.raises(VaultVersionError, match="layout 3"):
        open_vault(folder)


def test_a_shadow_in_a_migrated_vault_hides(folder: Path) -> None:
    vault: Vault = open_vault(folder)
    hiding = batch(revision("leave.pdf", ["Twelve days.", "Ask your manager."], 7, seq=70))
    vault.apply(hiding)
    vault.apply(replace(hiding, revisions=(), shadows=[shadow("leave.pdf", 7)], seq=71))
    assert list(VaultReader(vault).named_chunks(KB)) == []
