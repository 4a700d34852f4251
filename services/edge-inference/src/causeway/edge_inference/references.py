"""Which document names which chunk, which of them are searched, and which chunks no document names: keys only."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN_AMONG = """SELECT DISTINCT chunk FROM reference WHERE kb = ? AND chunk IN ({}) AND NOT EXISTS
    (SELECT 1 FROM hidden WHERE hidden.kb = reference.kb AND hidden.document = reference.document)"""
_SHOWN_IN = """SELECT document FROM reference WHERE kb = ? AND chunk = ? AND NOT EXISTS
    (SELECT 1 FROM hidden WHERE hidden.kb = reference.kb AND hidden.document = reference.document)"""
_ALL_SHOWN = """SELECT DISTINCT chunk FROM reference WHERE kb = ? AND document NOT IN
    (SELECT document FROM hidden WHERE hidden.kb = ?)"""


@dataclass(frozen=True, slots=True)
class IdleChunk:
    """A chunk that no manifest names, as stored at `version` (its sequence in the log).

    `below_seq` bounds what may be purged from the log: a copy at or after it may be for a manifest still to come.
    `origin` empty: this place.
    """

    kb: str
    chunk_id: bytes
    version: int
    below_seq: int
    origin: str = ""


class References:
    """The tables `reference` and `idle` over one connection; a transaction is the caller's."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def replace(self, kb: int, document: bytes, named: set[bytes]) -> tuple[set[bytes], set[bytes]]:
        """Make `named` what the document names. Returns what it names newly and what it names no longer."""
        before = self.named_by(kb, document)
        gained, lost = named - before, before - named
        self._sql.executemany(
            "DELETE FROM reference WHERE kb = ? AND document = ? AND chunk = ?",
            [(kb, document, chunk) for chunk in lost],
        )
        self._sql.executemany(
            "INSERT INTO reference (kb, document, chunk) VALUES (?,?,?)", [(kb, document, chunk) for chunk in gained]
        )
        return gained, lost

    def named_by(self, kb: int, document: bytes) -> set[bytes]:
        """The chunks of a document."""
        rows = self._sql.execute("SELECT chunk FROM reference WHERE kb = ? AND document = ?", (kb, document))
        return {chunk for (chunk,) in rows}

    def documents_of(self, kb: int, chunk: bytes) -> list[bytes]:
        """The keys of the documents that name a chunk and are not hidden by a shadow."""
        return [document for (document,) in self._sql.execute(_SHOWN_IN, (kb, chunk))]

    def names(self, kb: int, chunk: bytes) -> bool:
        """Whether any document names the chunk."""
        query = "SELECT 1 FROM reference WHERE kb = ? AND chunk = ? LIMIT 1"
        return self._sql.execute(query, (kb, chunk)).fetchone() is not None

    def shows(self, kb: int, chunk: bytes) -> bool:
        """Whether any document names the chunk that no shadow hides."""
        return self._sql.execute(_SHOWN_IN, (kb, chunk)).fetchone() is not None

    def shown_among(self, kb: int, chunks: Sequence[bytes]) -> set[bytes]:
        """Those of at most some hundred chunks that some document names that no shadow hides."""
        query = _SHOWN_AMONG.format(",".join("?" * len(chunks)))
        return {chunk for (chunk,) in self._sql.execute(query, (kb, *chunks))}

    def shown_chunks(self, kb: int) -> set[bytes]:
        """All chunks of a knowledge base that some document names that no shadow hides."""
        return {chunk for (chunk,) in self._sql.execute(_ALL_SHOWN, (kb, kb))}

    def all(self) -> set[tuple[int, bytes, bytes]]:
        """Every (kb, document, chunk)."""
        return set(self._sql.execute("SELECT kb, document, chunk FROM reference"))

    def mark_idle(self, kb: int, chunk: bytes, now_ms: int, below_seq: int) -> None:
        """No document names the chunk. `below_seq` is 0 while it waits for a manifest that may come."""
        self._sql.execute(
            "INSERT OR REPLACE INTO idle (kb, chunk, since_ms, below_seq) VALUES (?,?,?,?)",
            (kb, chunk, now_ms, below_seq),
        )

    def mark_named(self, kb: int, chunk: bytes) -> None:
        """A document names the chunk, or it is gone."""
        self._sql.execute("DELETE FROM idle WHERE kb = ? AND chunk = ?", (kb, chunk))

    def idle(self, dropped_before_ms: int, pending_before_ms: int, limit: int) -> list[tuple[int, bytes, int]]:
        """Chunks idle for long enough, as (kb, chunk, below_seq)."""
        return self._sql.execute(
            "SELECT kb, chunk, below_seq FROM idle"
            " WHERE (below_seq > 0 AND since_ms <= ?) OR (below_seq = 0 AND since_ms <= ?) LIMIT ?",
            (dropped_before_ms, pending_before_ms, limit),
        ).fetchall()
