"""What the vault keeps of earlier revisions: one sealed record a document, and the tables that find and prune them."""

import sqlite3
from collections.abc import Sequence

from causeway.edge_inference.envelope import Kind, Slot
from causeway.edge_inference.history_rule import HistoryRule
from causeway.edge_inference.records import (
    DocumentRecord,
    PastRevision,
    pack_chunk,
    pack_history,
    unpack_chunk,
    unpack_history,
)
from causeway.edge_inference.sealed_rows import SealedRows

_TOO_OLD = "SELECT DISTINCT kb, document FROM moment WHERE until_ms < ? LIMIT ?"
_TOO_MANY = """SELECT kb, document FROM moment WHERE until_ms IS NOT NULL
    GROUP BY kb, document HAVING count(*) > ? LIMIT ?"""


class Past:
    """The tables `known`, `moment` and `past` over one connection; a transaction is the caller's.

    The text of a chunk that only earlier revisions name is kept without its vector, and in no index.
    """

    def __init__(self, connection: sqlite3.Connection, rows: SealedRows, rule: HistoryRule) -> None:
        self.rule = rule
        self._counted = False
        self._sql = connection
        self._rows = rows

    def of(self, kb: int, document: bytes) -> list[PastRevision]:
        """The earlier revisions of a document, oldest first."""
        held = self._rows.get(Kind.HISTORY, kb, document)
        return [] if held is None else unpack_history(held.record)

    def revise(
        self, kb: int, held: DocumentRecord | None, new: DocumentRecord, named_now: set[bytes], now_ms: int
    ) -> None:
        """`new` takes effect where `held` stood. Keeps that, as far as the rule says, unless it is the same again."""
        manifest = new.manifest
        key = manifest.document_key
        self._met(kb, key, manifest.document_id)
        self._sql.execute(
            "INSERT OR REPLACE INTO moment (kb, document, revision, position, at_ms) VALUES (?,?,?,?,?)",
            (kb, key, manifest.revision, new.position, new.at_ms),
        )
        past = self.of(kb, key)
        if held is not None and new.is_numbered(held.manifest.revision):
            if held.manifest.revision != manifest.revision:
                self._untell(kb, key, [held])
        elif held is not None:
            self._sql.execute(
                "UPDATE moment SET until_ms = ? WHERE kb = ? AND document = ? AND revision = ?",
                (new.at_ms, kb, key, held.manifest.revision),
            )
            past = self._keep(kb, key, [*past, PastRevision(document=held, until_ms=new.at_ms)], now_ms)
        self._name_chunks(kb, key, past, named_now)

    def prune(self, kb: int, document: bytes, named_now: set[bytes], now_ms: int) -> None:
        """Erase what the rule keeps no longer of a document's past."""
        past = self._keep(kb, document, self.of(kb, document), now_ms)
        self._name_chunks(kb, document, past, named_now)
        kept = {revision.document.manifest.revision for revision in past}
        self._sql.executemany(
            "DELETE FROM moment WHERE kb = ? AND document = ? AND revision = ?",
            [(kb, document, revision) for revision in self._told(kb, document) if revision not in kept],
        )

    def overdue(self, now_ms: int, limit: int) -> list[tuple[int, bytes]]:
        """Some documents of which the rule keeps less than there is, as (kb, document)."""
        after_ms = self.rule.replaced_after_ms(now_ms) if self.rule.keeps else 1 << 62
        found = self._sql.execute(_TOO_OLD, (after_ms, limit)).fetchall()
        if not found and not self._counted:
            found = self._sql.execute(_TOO_MANY, (self.rule.revisions_max, limit)).fetchall()
            # Every new revision is counted when it comes: only those from before a change of the rule can be too many.
            self._counted = not found
        return found

    def adopt(self, kb: int, record: DocumentRecord) -> None:
        """A document that was held before there was a history."""
        key = record.manifest.document_key
        self._met(kb, key, record.manifest.document_id)
        self._sql.execute(
            "INSERT OR REPLACE INTO moment (kb, document, revision, position, at_ms) VALUES (?,?,?,?,?)",
            (kb, key, record.manifest.revision, record.position, record.at_ms),
        )

    def keep_text(self, kb: int, chunk: bytes) -> None:
        """A chunk is about to leave the vault: keep its text if an earlier revision names it."""
        if not self._names(kb, chunk):
            return
        held = self._rows.get(Kind.CHUNK, kb, chunk)
        if held is not None:
            text = unpack_chunk(held.record).without_vector()
            self._rows.put(Slot(Kind.TEXT, kb, chunk, held.version), pack_chunk(text))

    def _met(self, kb: int, document: bytes, document_id: str) -> None:
        tag = self._rows.envelope.tag_of(kb, document_id)
        self._sql.execute("INSERT OR IGNORE INTO known (kb, document, tag) VALUES (?,?,?)", (kb, document, tag))

    def _keep(self, kb: int, document: bytes, past: Sequence[PastRevision], now_ms: int) -> list[PastRevision]:
        kept = self.rule.kept(past, now_ms)
        if len(kept) < len(past):
            self._forget(kb, document, past[: len(past) - len(kept)])
        if kept:
            slot = Slot(Kind.HISTORY, kb, document, kept[-1].document.manifest.revision)
            self._rows.put(slot, pack_history(kept))
        else:
            self._rows.drop(Kind.HISTORY, kb, document)
        return kept

    def _untell(self, kb: int, document: bytes, records: Sequence[DocumentRecord]) -> None:
        self._sql.executemany(
            "DELETE FROM moment WHERE kb = ? AND document = ? AND revision = ?",
            [(kb, document, record.manifest.revision) for record in records],
        )

    def _forget(self, kb: int, document: bytes, revisions: Sequence[PastRevision]) -> None:
        self._untell(kb, document, [revision.document for revision in revisions])
        self._sql.execute("UPDATE known SET pruned = 1 WHERE kb = ? AND document = ?", (kb, document))

    def _name_chunks(self, kb: int, document: bytes, past: Sequence[PastRevision], named_now: set[bytes]) -> None:
        """Write down which chunks only the past names; the texts of those that it names no longer go."""
        before = {
            chunk
            for (chunk,) in self._sql.execute("SELECT chunk FROM past WHERE kb = ? AND document = ?", (kb, document))
        }
        named = {place.chunk_id for revision in past for place in revision.document.manifest.places} - named_now
        self._sql.executemany(
            "INSERT INTO past (kb, document, chunk) VALUES (?,?,?)", [(kb, document, chunk) for chunk in named - before]
        )
        for chunk in before - named:
            self._sql.execute("DELETE FROM past WHERE kb = ? AND document = ? AND chunk = ?", (kb, document, chunk))
            if not self._names(kb, chunk):
                self._rows.drop(Kind.TEXT, kb, chunk)

    def _told(self, kb: int, document: bytes) -> list[int]:
        rows = self._sql.execute(
            "SELECT revision FROM moment WHERE kb = ? AND document = ? AND until_ms IS NOT NULL", (kb, document)
        )
        return [revision for (revision,) in rows]

    def _names(self, kb: int, chunk: bytes) -> bool:
        query = "SELECT 1 FROM past WHERE kb = ? AND chunk = ? LIMIT 1"
        return self._sql.execute(query, (kb, chunk)).fetchone() is not None
