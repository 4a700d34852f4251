"""The SQLite layout of a vault and the connections to it. No column holds a text, a name, a document id or a vector."""

import os
import sqlite3
from pathlib import Path

LAYOUT = 2
DATABASE = "vault.db"
_APPLICATION_ID = 0x43415553

# `record` holds every sealed thing, `reference` which document names which chunk, `idle` which chunks none names,
# `announcement` which revisions took effect and have not been told of.
_TABLES_1 = """
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
# `known` holds the keyed hash of each document's name, `moment` when each revision took effect and when another took
# its place, `past` which chunks only earlier revisions of a document name. A document (kind 3) is `hidden` when its
# shadow (kind 7) is of the version that stands.
_TABLES_2 = """
CREATE TABLE known (
    kb INTEGER NOT NULL, document BLOB NOT NULL, tag BLOB NOT NULL, pruned INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (kb, document)) WITHOUT ROWID;
CREATE INDEX known_tag ON known (kb, tag);
CREATE TABLE moment (
    kb INTEGER NOT NULL, document BLOB NOT NULL, revision INTEGER NOT NULL, position INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, until_ms INTEGER, PRIMARY KEY (kb, document, revision)) WITHOUT ROWID;
CREATE INDEX moment_position ON moment (kb, position);
CREATE INDEX moment_until ON moment (until_ms) WHERE until_ms IS NOT NULL;
CREATE TABLE past (
    kb INTEGER NOT NULL, document BLOB NOT NULL, chunk BLOB NOT NULL, PRIMARY KEY (kb, document, chunk)) WITHOUT ROWID;
CREATE INDEX past_chunk ON past (kb, chunk);
CREATE VIEW hidden AS SELECT shadow.kb AS kb, shadow.id AS document FROM record shadow JOIN record stands
    ON stands.kind = 3 AND stands.kb = shadow.kb AND stands.id = shadow.id AND stands.version = shadow.version
    WHERE shadow.kind = 7;
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
        f"BEGIN IMMEDIATE; {_TABLES_1} {_TABLES_2} PRAGMA application_id={_APPLICATION_ID};"
        f" PRAGMA user_version={LAYOUT}; COMMIT;"
    )


def add_tables_2(connection: sqlite3.Connection) -> None:
    """What layout 2 has more than layout 1, and its number; the transaction is the caller's."""
    for statement in filter(str.strip, _TABLES_2.split(";")):
        connection.execute(statement)
    connection.execute("PRAGMA user_version=2")
