"""What came over the link: numbers and their chunks, documents and their digests, and those that wait for a chunk."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from causeway.proto.outbox import Run
from causeway.reconciliation import Item
from causeway.sync_delta.fingerprints import fingerprint_of

_VARIABLES_MAX = 500
_RUNS = msgspec.msgpack.Decoder(list[Run])


@dataclass(frozen=True, kw_only=True)
class Received:
    """A document of another place as it stands here."""

    document_id: str
    revision: int
    repair: int
    deleted: bool
    runs: list[Run]
    digest: bytes


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A document that can not stand yet, and why."""

    origin: str
    kb: str
    document_key: bytes
    since_ms: int
    reason: str


class Inbox:
    """The tables `received_number`, `received`, `waiting` and `released`."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def put_chunks(self, rows: Iterable[tuple[str, str, int, bytes, bytes, int]]) -> None:
        """Origin, kb, number, chunk id, content hash and outbox sequence of chunks that are in KNOWLEDGE."""
        self._database.executemany(
            "INSERT INTO received_number (origin, kb, number, chunk_id, content_hash, outbox_seq)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET chunk_id = excluded.chunk_id,"
            " content_hash = excluded.content_hash, outbox_seq = excluded.outbox_seq",
            rows,
        )

    def kbs(self, origin: str) -> list[str]:
        """Those of which chunks came."""
        rows = self._database.execute("SELECT DISTINCT kb FROM received_number WHERE origin = ?", (origin,))
        return [row[0] for row in rows]

    def unnamed(self, origin: str, kb: str, up_to_seq: int, limit: int) -> list[int]:
        """Numbers that came up to this sequence of their outbox, and that no document here names."""
        rows = self._database.execute(
            "SELECT number FROM received_number WHERE documents = 0 AND origin = ? AND kb = ? AND outbox_seq <= ?"
            " LIMIT ?",
            (origin, kb, up_to_seq, limit),
        )
        return [row[0] for row in rows]

    def forget(self, origin: str, kb: str, numbers: Iterable[int]) -> None:
        """These are never named again."""
        self._database.executemany(
            "DELETE FROM received_number WHERE origin = ? AND kb = ? AND number = ?",
            [(origin, kb, number) for number in numbers],
        )

    def chunks(self, origin: str, kb: str, numbers: Sequence[int]) -> dict[int, tuple[bytes, bytes]]:
        """Chunk id and content hash of each of these numbers that came."""
        found: dict[int, tuple[bytes, bytes]] = {}
        for begin in range(0, len(numbers), _VARIABLES_MAX):
            some = numbers[begin : begin + _VARIABLES_MAX]
            marks = ",".join("?" * len(some))
            rows = self._database.execute(
                f"SELECT number, chunk_id, content_hash FROM received_number"  # noqa: S608  # Only question marks.
                f" WHERE origin = ? AND kb = ? AND number IN ({marks})",
                (origin, kb, *some),
            )
            found |= {number: (chunk_id, content_hash) for number, chunk_id, content_hash in rows}
        return found

    def received(self, origin: str, kb: str, document_key: bytes) -> Received | None:
        """What stands here of a document."""
        row = self._database.execute(
            "SELECT document_id, revision, repair, deleted, runs, digest FROM received"
            " WHERE origin = ? AND kb = ? AND document_key = ?",
            (origin, kb, document_key),
        ).fetchone()
        if row is None:
            return None
        return Received(
            document_id=row[0],
            revision=row[1],
            repair=row[2],
            deleted=bool(row[3]),
            runs=_RUNS.decode(row[4]),
            digest=row[5],
        )

    def put_received(
        self,
        origin: str,
        kb: str,
        document_key: bytes,
        received: Received,
        named: Iterable[int],
        let_go: Iterable[int],
    ) -> None:
        """A document stands: it names `named` anew and lets `let_go` go.

        A number that no document names now may be named by one that is still on its way, until its origin has closed
        it (`Incoming.close`).
        """
        self._database.execute(
            "INSERT OR REPLACE INTO received VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                origin,
                kb,
                document_key,
                received.document_id,
                received.revision,
                received.repair,
                received.deleted,
                msgspec.msgpack.encode(received.runs),
                received.digest,
            ),
        )
        self._add(origin, kb, named, 1)
        gone = list(let_go)
        self._add(origin, kb, gone, -1)
        self._database.executemany(
            "UPDATE received_number SET documents = 0 WHERE origin = ? AND kb = ? AND number = ? AND documents < 0",
            [(origin, kb, number) for number in gone],
        )

    def _add(self, origin: str, kb: str, numbers: Iterable[int], change: int) -> None:
        self._database.executemany(
            "UPDATE received_number SET documents = documents + ? WHERE origin = ? AND kb = ? AND number = ?",
            [(change, origin, kb, number) for number in numbers],
        )

    def release(self, subjects: Iterable[str], below_seq: int) -> None:
        """Messages of INBOX that are not needed any more."""
        self._database.executemany(
            "INSERT OR REPLACE INTO released VALUES (?, ?)", [(subject, below_seq) for subject in subjects]
        )

    def released(self, up_to_seq: int, limit: int) -> list[tuple[str, int]]:
        """Subjects to purge from INBOX up to some sequence, and the sequence below which."""
        rows = self._database.execute(
            "SELECT subject, below_seq FROM released WHERE below_seq <= ? + 1 LIMIT ?", (up_to_seq, limit)
        )
        return rows.fetchall()

    def purged(self, rows: Iterable[tuple[str, int]]) -> None:
        """These are gone from INBOX."""
        self._database.executemany("DELETE FROM released WHERE subject = ? AND below_seq = ?", rows)

    def wait(self, waiting: Waiting) -> None:
        """A document that can not stand yet."""
        self._database.execute(
            "INSERT INTO waiting VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET reason = excluded.reason",
            (waiting.origin, waiting.kb, waiting.document_key, waiting.since_ms, waiting.reason),
        )

    def stands(self, origin: str, kb: str, document_key: bytes) -> None:
        """It waits no more."""
        self._database.execute(
            "DELETE FROM waiting WHERE origin = ? AND kb = ? AND document_key = ?", (origin, kb, document_key)
        )

    def waiting(self, limit: int) -> list[Waiting]:
        """Those that wait, the oldest first."""
        rows = self._database.execute(
            "SELECT origin, kb, document_key, since_ms, reason FROM waiting ORDER BY since_ms LIMIT ?", (limit,)
        )
        return [
            Waiting(origin=origin, kb=kb, document_key=key, since_ms=since_ms, reason=reason)
            for origin, kb, key, since_ms, reason in rows
        ]

    def waiting_count(self) -> int:
        """How many wait."""
        return int(self._database.execute("SELECT count(*) FROM waiting").fetchone()[0])

    def items(self, origin: str, kb: str) -> list[Item]:
        """All that stands here of an origin's kb, for comparison; tombstones are not."""
        rows = self._database.execute(
            "SELECT document_key, digest FROM received WHERE origin = ? AND kb = ? AND deleted = 0", (origin, kb)
        )
        return [Item(key=key, digest=digest) for key, digest in rows]

    def fingerprint(self, origin: str, kb: str) -> bytes:
        """Of all live documents of a kb, with their digests: equal where the same stands."""
        rows = self._database.execute(
            "SELECT document_key, digest FROM received WHERE origin = ? AND kb = ? AND deleted = 0"
            " ORDER BY document_key",
            (origin, kb),
        )
        return fingerprint_of(rows)

    def documents(self, origin: str) -> Iterator[tuple[str, bytes, Received]]:
        """Every document of an origin that is known here: kb, key and what stands."""
        keys = self._database.execute("SELECT kb, document_key FROM received WHERE origin = ?", (origin,)).fetchall()
        for kb, key in keys:
            received = self.received(origin, kb, key)
            if received is not None:
                yield kb, key, received
