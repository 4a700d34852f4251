"""The tables of a place's state. All but the ledger can be read again from OUTBOX, INBOX and KNOWLEDGE."""

import sqlite3
from pathlib import Path

VERSION = 2
BUSY_TIMEOUT_S = 30.0

TABLES = """
CREATE TABLE mark (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE version (
  identity BLOB NOT NULL, origin TEXT NOT NULL, document_key BLOB NOT NULL,
  revision INTEGER NOT NULL, repair INTEGER NOT NULL, wall_ms INTEGER NOT NULL, counter INTEGER NOT NULL,
  seen BLOB NOT NULL, deleted INTEGER NOT NULL,
  PRIMARY KEY (identity, origin)) WITHOUT ROWID;

CREATE TABLE shadow (
  identity BLOB NOT NULL, origin TEXT NOT NULL, body BLOB NOT NULL,
  sibling INTEGER NOT NULL, published INTEGER NOT NULL,
  PRIMARY KEY (identity, origin)) WITHOUT ROWID;
CREATE INDEX shadow_waiting ON shadow (published) WHERE published = 0;
CREATE INDEX shadow_sibling ON shadow (sibling) WHERE sibling = 1;

CREATE TABLE withheld (kb TEXT NOT NULL, document_key BLOB NOT NULL, PRIMARY KEY (kb, document_key)) WITHOUT ROWID;

CREATE TABLE numbering (kb TEXT PRIMARY KEY, next_number INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE number (
  kb TEXT NOT NULL, number INTEGER NOT NULL, chunk_id BLOB NOT NULL, documents INTEGER NOT NULL,
  content_hash BLOB NOT NULL DEFAULT x'', outbox_seq INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
  at_ms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kb, number)) WITHOUT ROWID;
CREATE INDEX number_chunk ON number (kb, chunk_id, number);
CREATE INDEX number_seq ON number (outbox_seq, bytes, at_ms);

CREATE TABLE shared (
  kb TEXT NOT NULL, document_key BLOB NOT NULL, document_id TEXT NOT NULL, revision INTEGER NOT NULL,
  repair INTEGER NOT NULL, deleted INTEGER NOT NULL, runs BLOB NOT NULL, leftover BLOB NOT NULL,
  manifest_hash BLOB NOT NULL, digest BLOB NOT NULL,
  outbox_seq INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0, at_ms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kb, document_key)) WITHOUT ROWID;
CREATE INDEX shared_seq ON shared (outbox_seq, bytes, at_ms);
CREATE INDEX shared_tombstone ON shared (at_ms) WHERE deleted = 1;

CREATE TABLE queue (
  place INTEGER PRIMARY KEY AUTOINCREMENT, kb TEXT NOT NULL, document_key BLOB NOT NULL, class INTEGER NOT NULL,
  since_ms INTEGER NOT NULL, not_before_ms INTEGER NOT NULL DEFAULT 0, chunks_new INTEGER NOT NULL,
  bytes_out INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (kb, document_key));
CREATE INDEX queue_class ON queue (class, place);

CREATE TABLE intent (
  kb TEXT NOT NULL, document_key BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kb, document_key)) WITHOUT ROWID;

CREATE TABLE ledger (number INTEGER PRIMARY KEY, line BLOB NOT NULL);

CREATE TABLE received_number (
  origin TEXT NOT NULL, kb TEXT NOT NULL, number INTEGER NOT NULL, chunk_id BLOB NOT NULL,
  content_hash BLOB NOT NULL, outbox_seq INTEGER NOT NULL, documents INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (origin, kb, number)) WITHOUT ROWID;
CREATE INDEX received_unnamed ON received_number (origin, kb, outbox_seq) WHERE documents = 0;

CREATE TABLE received (
  origin TEXT NOT NULL, kb TEXT NOT NULL, document_key BLOB NOT NULL, document_id TEXT NOT NULL,
  revision INTEGER NOT NULL, repair INTEGER NOT NULL, deleted INTEGER NOT NULL, runs BLOB NOT NULL,
  digest BLOB NOT NULL, PRIMARY KEY (origin, kb, document_key)) WITHOUT ROWID;

CREATE TABLE waiting (
  origin TEXT NOT NULL, kb TEXT NOT NULL, document_key BLOB NOT NULL, since_ms INTEGER NOT NULL,
  reason TEXT NOT NULL, PRIMARY KEY (origin, kb, document_key)) WITHOUT ROWID;

CREATE TABLE released (subject TEXT PRIMARY KEY, below_seq INTEGER NOT NULL) WITHOUT ROWID;
"""


class ForeignStateError(RuntimeError):
    """The state folder was made by another version of sync-delta, or for another place: give the service its own
    folder, or an empty one; it is filled again from OUTBOX, INBOX and KNOWLEDGE."""


def open_database(path: Path) -> sqlite3.Connection:
    """The database, with its tables. To be used from one thread at a time.

    Raises:
        ForeignStateError: another version's.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    # A position that is ahead of its effects after a power cut would lose documents.
    database.execute("PRAGMA synchronous = FULL")
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        database.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    elif version != VERSION:
        raise ForeignStateError(f"{path} has version {version}, this program {VERSION}: {ForeignStateError.__doc__}")
    return database
