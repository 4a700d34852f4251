"""The SQLite layout of a vault and the connections to it. No column holds a text, a name, a document id or a vector."""

import os
import sqlite3
from pathlib import Path

LAYOUT = 1
DATABASE = "vault.db"
_APPLICATION_ID = 0x43415553

# `record` holds every sealed thing, `reference` which document names which chunk, `idle` which chunks none names,
# `announcement` which revisions took effect and have not been told of.
_TABLES = """
CREATE TABLE record (
    kind INTEGER NOT NULL, kb INTEGER NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, kid TEXT NOT NULL,
    sealed BLOB NOT NULL, PRIMARY KEY (kind, kb, id));
CREATE TABLE reference (
    kb INTEGER NOT NULL, document BLOB NOT NULL, chunk BLOB NOT NULL, PRIMARY KEY (kb, document, chunk)) WITHOUT ROWID;
CREATE INDEX reference_chunk ON reference (kb, chunk);
CREATE TABLE idle (
    kb INTEGER NOT NULL, chunk BLOB NOT NULL, since_ms INTEGER NOT NULL, below_seq INTEGER NOT NULL,
    PRIMARY KEY (kb, chunk)) WITHOUT ROWID;
CREATE TABLE announcement (kb INTEGER NOT NULL, document BLOB NOT NULL, revision INTEGER NOT NULL,
    PRIMARY KEY (kb, document)) WITHOUT ROWID;
"""


def connect(folder: Path, *, writes: bool) -> sqlite3.Connection:
    """A connection to an existing or new database; its user takes care that one thread uses it at a time."""
    # SQLite gives its side files the mode of the database.
    os.close(os.open(folder / DATABASE, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None, check_same_thread=False, timeout=10)
    # A column that should be bytes and is text after damage must reach the seal's check, not fail before it.
    connection.text_factory = lambda text: text.decode(errors="replace")
    for pragma in (
        "journal_mode=WAL",
        # A power cut may lose the last commits, whole, with their watermark: the log then gives them again.
        "synchronous=NORMAL",
        "secure_delete=ON",
        "temp_store=MEMORY",
        "journal_size_limit=67108864",
        f"query_only={'OFF' if writes else 'ON'}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def layout_of(connection: sqlite3.Connection) -> int:
    """The layout that the file was written with; 0 for a new file."""
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    return int(layout)


def create_tables(connection: sqlite3.Connection) -> None:
    """All tables and the layout's number, in one transaction."""
    connection.executescript(
        f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id={_APPLICATION_ID}; PRAGMA user_version={LAYOUT}; COMMIT;"
    )
