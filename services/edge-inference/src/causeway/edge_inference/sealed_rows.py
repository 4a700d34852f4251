"""The sealed rows of a vault: put, get, drop, and the digest that follows every one of these."""

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from causeway.edge_inference.envelope import TAG_BYTES, BrokenSealError, Digest, Envelope, Kind, Slot
from causeway.edge_inference.errors import VaultTamperedError

_SCAN_ROWS = 500
_IDS_PER_QUERY = 500
_MANY_OF_KB = "SELECT id, version, kid, sealed FROM record WHERE kind = ? AND kb = ? AND id IN ({})"
_ALL_OF_KIND = "SELECT kb, id, version, kid, sealed FROM record WHERE kind = ?"
_ALL_OF_KB = f"{_ALL_OF_KIND} AND kb = ?"


@dataclass(frozen=True, slots=True)
class Held:
    """An opened record and the version that it was sealed at."""

    version: int
    record: bytes


@contextmanager
def tampering_named(folder: Path) -> Iterator[None]:
    """Turn a seal that does not open, or a file that SQLite can not read, into an error that an operator can act on."""
    try:
        yield
    except BrokenSealError as error:
        raise VaultTamperedError(what=str(error), vault=folder) from error
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        raise VaultTamperedError(what="the database file", vault=folder) from error


class SealedRows:
    """Rows over one connection. A transaction is the caller's; so is putting the old digest back after a rollback."""

    def __init__(self, connection: sqlite3.Connection, envelope: Envelope) -> None:
        self.envelope = envelope
        self.digest = Digest()
        self.seals = 0
        self._sql = connection

    def put(self, slot: Slot, record: bytes) -> None:
        """Seal a record in its place, over what was there."""
        self._forget(slot.kind, slot.kb, slot.id)
        sealed = self.envelope.seal(slot, record)
        self.seals += 1
        self._sql.execute(
            "INSERT INTO record (kind, kb, id, version, kid, sealed) VALUES (?,?,?,?,?,?) ON CONFLICT (kind, kb, id)"
            " DO UPDATE SET version = excluded.version, kid = excluded.kid, sealed = excluded.sealed",
            (slot.kind, slot.kb, slot.id, slot.version, self.envelope.kid, sealed),
        )
        self._count(slot, self.envelope.kid, sealed[-TAG_BYTES:])

    def get(self, kind: Kind, kb: int, row_id: bytes) -> Held | None:
        """The record in a place, or None. Raises BrokenSealError when it is not what was sealed."""
        row = self._sql.execute(
            "SELECT version, kid, sealed FROM record WHERE kind = ? AND kb = ? AND id = ?", (kind, kb, row_id)
        ).fetchone()
        if row is None:
            return None
        version, kid, sealed = row
        return Held(version, self.envelope.open(Slot(kind, kb, row_id, version), kid, sealed))

    def get_many(self, kind: Kind, kb: int, row_ids: Sequence[bytes]) -> dict[bytes, bytes]:
        """The records of those places that hold one. Raises BrokenSealError when one is not what was sealed."""
        opened: dict[bytes, bytes] = {}
        for start in range(0, len(row_ids), _IDS_PER_QUERY):
            part = row_ids[start : start + _IDS_PER_QUERY]
            query = _MANY_OF_KB.format(",".join("?" * len(part)))
            for row_id, version, kid, sealed in self._sql.execute(query, (kind, kb, *part)):
                opened[row_id] = self.envelope.open(Slot(kind, kb, row_id, version), kid, sealed)
        return opened

    def version_of(self, kind: Kind, kb: int, row_id: bytes) -> int | None:
        """The version in a place, without opening it."""
        row = self._sql.execute(
            "SELECT version FROM record WHERE kind = ? AND kb = ? AND id = ?", (kind, kb, row_id)
        ).fetchone()
        return None if row is None else int(row[0])

    def tag_of(self, kind: Kind, kb: int, row_id: bytes) -> bytes | None:
        """The tag of the seal in a place: another one with each put, also of the same version."""
        row = self._sql.execute(
            "SELECT substr(sealed, ?) FROM record WHERE kind = ? AND kb = ? AND id = ?", (-TAG_BYTES, kind, kb, row_id)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def drop(self, kind: Kind, kb: int, row_id: bytes) -> bool:
        """Erase a record. Returns whether it was there."""
        if not self._forget(kind, kb, row_id):
            return False
        self._sql.execute("DELETE FROM record WHERE kind = ? AND kb = ? AND id = ?", (kind, kb, row_id))
        return True

    def each(self, kind: Kind, kb: int | None = None) -> Iterator[tuple[Slot, bytes]]:
        """Every record of a kind (of one knowledge base), opened."""
        cursor = self._sql.execute(*((_ALL_OF_KIND, (kind,)) if kb is None else (_ALL_OF_KB, (kind, kb))))
        while rows := cursor.fetchmany(_SCAN_ROWS):
            for row_kb, row_id, version, kid, sealed in rows:
                slot = Slot(kind, row_kb, row_id, version)
                yield slot, self.envelope.open(slot, kid, sealed)

    def count(self, kind: Kind) -> int:
        """How many records of a kind there are."""
        (number,) = self._sql.execute("SELECT count(*) FROM record WHERE kind = ?", (kind,)).fetchone()
        return int(number)

    def summed(self) -> Digest:
        """The digest of what is in the file now."""
        total = 0
        cursor = self._sql.execute("SELECT kind, kb, id, version, kid, substr(sealed, ?) FROM record", (-TAG_BYTES,))
        while rows := cursor.fetchmany(_SCAN_ROWS):
            for kind, kb, row_id, version, kid, tag in rows:
                if kind != Kind.STATE:
                    total += self.envelope.print_of(Slot(kind, kb, row_id, version), kid, tag)
        return Digest().plus(total)

    def last_row(self) -> int:
        """The highest row number; a row keeps its number when it is put again."""
        (row,) = self._sql.execute("SELECT coalesce(max(rowid), 0) FROM record").fetchone()
        return int(row)

    def reseal(self, after_row: int, rows_max: int) -> int:
        """Seal again those of the next `rows_max` rows that an older key sealed.

        Returns the row to go on after, `sys.maxsize` at the end.
        """
        rows = self._sql.execute(
            "SELECT rowid, kind, kb, id, version, kid, sealed FROM record WHERE rowid > ? ORDER BY rowid LIMIT ?",
            (after_row, rows_max),
        ).fetchall()
        for row, kind, kb, row_id, version, kid, sealed in rows:
            if kid != self.envelope.kid:
                self._reseal_row(row, Slot(Kind(kind), kb, row_id, version), kid, sealed)
        return int(rows[-1][0]) if len(rows) == rows_max else sys.maxsize

    def _reseal_row(self, row: int, slot: Slot, kid: str, sealed: bytes) -> None:
        again = self.envelope.seal(slot, self.envelope.open(slot, kid, sealed))
        self.seals += 1
        self._sql.execute("UPDATE record SET kid = ?, sealed = ? WHERE rowid = ?", (self.envelope.kid, again, row))
        if slot.kind != Kind.STATE:
            self.digest = self.digest.minus(self.envelope.print_of(slot, kid, sealed[-TAG_BYTES:]))
        self._count(slot, self.envelope.kid, again[-TAG_BYTES:])

    def _forget(self, kind: Kind, kb: int, row_id: bytes) -> bool:
        row = self._sql.execute(
            "SELECT version, kid, substr(sealed, ?) FROM record WHERE kind = ? AND kb = ? AND id = ?",
            (-TAG_BYTES, kind, kb, row_id),
        ).fetchone()
        if row is None:
            return False
        version, kid, tag = row
        if kind != Kind.STATE:
            self.digest = self.digest.minus(self.envelope.print_of(Slot(kind, kb, row_id, version), kid, tag))
        return True

    def _count(self, slot: Slot, kid: str, tag: bytes) -> None:
        # The state holds the digest, so it can not be part of it.
        if slot.kind != Kind.STATE:
            self.digest = self.digest.plus(self.envelope.print_of(slot, kid, tag))
