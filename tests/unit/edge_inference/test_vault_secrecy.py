"""Nothing in the vault's folder can be read without the key, and nothing in it can be changed without notice."""

import sqlite3
from pathlib import Path

import pytest

from causeway.edge_inference.chunk_terms import terms_of
from causeway.edge_inference.errors import VaultTamperedError
from causeway.edge_inference.snapshots import Snapshots
from causeway.edge_inference.vault import Vault
from causeway.edge_inference.vault_reader import VaultReader
from causeway.retrieval import LexicalIndex
from tests.support.knowledge_builders import KB, batch, chunk, chunk_id, document, open_vault, revision, unit_vector

TEXTS = ["The safe combination is written in the blue ledger.", "年假为十二天，须提前申请。"]
DOCUMENT_ID = "contracts/employee-handbook-2026.pdf"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    vault = open_vault(tmp_path)
    vault.apply(document(DOCUMENT_ID, TEXTS, number=1, seq=1))
    return vault


def edit(vault: Vault, *statements: str) -> None:
    """Change the file behind the vault's back."""
    connection = sqlite3.connect(vault.folder / "vault.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_no_file_of_the_vault_holds_text_ids_names_or_vectors_in_clear(vault: Vault) -> None:
    vault.apply(batch(revision(DOCUMENT_ID, TEXTS[:1], 2, seq=9)))
    index = LexicalIndex()
    for text in TEXTS:
        index.upsert(chunk_id(text), terms_of(chunk(text, 1).record))
    assert index.search(["combination"], 1)
    assert Snapshots(vault).save(KB, index)
    files = sorted(vault.folder.iterdir())
    assert {"vault.db", "vault.db-wal", "keyring.json", "lexical-1.snapshot"} <= {file.name for file in files}
    vectors = [unit_vector(text) for text in TEXTS]
    secrets = [
        *(text.encode()[start : start + 12] for text in TEXTS for start in (0, 12, 24)),
        *(term.encode() for term in ("combin", "ledger", "handbook", "written", "年假", "申请")),
        b"employee-handbook",
        b"Title of",
        b"Handbook",
        KB.encode(),
        b"test-model",
        *(vector.astype("<f2").tobytes()[at : at + 16] for vector in vectors for at in (0, 100, 400)),
        *(vector.tobytes()[at : at + 16] for vector in vectors for at in (0, 100, 400)),
    ]
    for file in files:
        body = file.read_bytes()
        assert [secret for secret in secrets if secret in body] == [], file.name


def test_a_changed_byte_is_noticed_on_reading(vault: Vault) -> None:
    edit(vault, "UPDATE record SET sealed = CAST(sealed AS BLOB) || x'00' WHERE kind = 2")
    with pytest.raises(VaultTamperedError, match="Move the folder away"):
        VaultReader(vault).chunk(KB, chunk_id(TEXTS[0]))


def test_two_swapped_records_are_noticed_on_reading(vault: Vault) -> None:
    first, second = (chunk_id(text).hex() for text in TEXTS)
    edit(
        vault,
        f"UPDATE record SET id = x'00' WHERE id = x'{first}'",
        f"UPDATE record SET id = x'{first}' WHERE id = x'{second}'",
        f"UPDATE record SET id = x'{second}' WHERE id = x'00'",
    )
    with pytest.raises(VaultTamperedError, match="chunk does not open"):
        VaultReader(vault).chunk(KB, chunk_id(TEXTS[0]))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM record WHERE kind = 2 AND rowid = (SELECT min(rowid) FROM record WHERE kind = 2)",
        "DELETE FROM record WHERE kind = 0",
        "UPDATE record SET version = version + 1 WHERE kind = 3",
        "DELETE FROM reference WHERE rowid_of_none IS NULL",
        "UPDATE reference SET chunk = x'11' WHERE chunk = (SELECT min(chunk) FROM reference)",
    ],
    ids=["a missing chunk", "a missing state", "another version", "missing references", "another reference"],
)
def test_a_missing_or_changed_row_is_noticed_at_the_start(vault: Vault, statement: str) -> None:
    edit(vault, statement.replace("rowid_of_none IS NULL", "1"))
    with pytest.raises(VaultTamperedError, match="is not what was sealed"):
        open_vault(vault.folder).verify()


def test_a_row_that_was_put_back_to_its_older_self_is_noticed_at_the_start(vault: Vault) -> None:
    connection = sqlite3.connect(vault.folder / "vault.db")
    old = connection.execute("SELECT * FROM record WHERE kind = 3").fetchone()
    vault.apply(batch(revision(DOCUMENT_ID, TEXTS, 2, seq=9)))
    connection.execute("DELETE FROM record WHERE kind = 3")
    connection.execute("INSERT INTO record VALUES (?,?,?,?,?,?)", old)
    connection.commit()
    with pytest.raises(VaultTamperedError, match="the set of records"):
        open_vault(vault.folder).verify()


def test_an_added_row_from_another_vault_is_noticed(vault: Vault, tmp_path: Path) -> None:
    other = open_vault(tmp_path / "other")
    other.apply(batch(chunk("planted", 1)))
    row = sqlite3.connect(other.folder / "vault.db").execute("SELECT * FROM record WHERE kind = 2").fetchone()
    connection = sqlite3.connect(vault.folder / "vault.db")
    connection.execute("INSERT INTO record VALUES (?,?,?,?,?,?)", row)
    connection.commit()
    with pytest.raises(VaultTamperedError):
        open_vault(vault.folder).verify()
    with pytest.raises(VaultTamperedError):
        VaultReader(vault).chunk(KB, chunk_id("planted"))


def test_a_deleted_chunk_leaves_no_sealed_bytes_in_the_file_after_a_checkpoint(vault: Vault) -> None:
    connection = sqlite3.connect(vault.folder / "vault.db")
    (sealed,) = connection.execute(f"SELECT sealed FROM record WHERE id = x'{chunk_id(TEXTS[0]).hex()}'").fetchone()
    connection.close()
    vault.apply(batch(revision(DOCUMENT_ID, TEXTS[1:], 2, seq=9)))
    vault.remove_idle(vault.idle_chunks(dropped_before_ms=1_000, pending_before_ms=0, limit=9))
    vault.checkpoint()
    for file in vault.folder.iterdir():
        assert sealed[:32] not in file.read_bytes()
