"""What a place shares, what waits to be shared and what is being shared: rows to values and back."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import Stamp
from causeway.proto.outbox import Run
from causeway.reconciliation import Item
from causeway.sync_delta import ledger
from causeway.sync_delta.fingerprints import fingerprint_of
from causeway.sync_delta.numbering import Sharing
from causeway.sync_delta.residency import Decision

_VARIABLES_MAX = 500
_PUT_OFF_MS_MAX = 60_000
"""Nobody is put off for longer: what seems to be was put off before the clock was set back."""
_RUNS = msgspec.msgpack.Decoder(list[Run])
_NUMBERS = msgspec.msgpack.Decoder(list[int])


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A revision that may leave and waits for its turn. `again` sends all its chunks anew."""

    manifest: Manifest
    stamp: Stamp
    decision: Decision
    again: bool = False


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A revision whose numbers are given and whose publication has begun: it is finished before anything else."""

    manifest: Manifest
    stamp: Stamp
    runs: list[Run]
    send: list[tuple[int, bytes]]
    retired: list[int]


@dataclass(frozen=True, kw_only=True)
class Queued:
    """A row of the queue; `place` orders it within its class."""

    place: int
    since_ms: int
    chunks_new: int
    bytes_out: int
    decided: Decided
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What the outbox holds of a document, or is just being given."""

    document_id: str
    revision: int
    repair: int
    deleted: bool
    runs: list[Run]
    leftover: list[int]
    manifest_hash: bytes
    digest: bytes
    outbox_seq: int
    at_ms: int


@dataclass(frozen=True, kw_only=True)
class Flight:
    """What the other side has not applied yet: how much of it, and the moment its oldest part was published."""

    messages: int
    bytes: int
    since_ms: int


class NumberRows:
    """The numbering of one kb, as `numbering.share` reads it."""

    def __init__(self, database: sqlite3.Connection, kb: str, first: int) -> None:
        self._database = database
        self._kb = kb
        row = database.execute("SELECT next_number FROM numbering WHERE kb = ?", (kb,)).fetchone()
        self._next = int(row[0]) if row else first

    @property
    def next_number(self) -> int:
        """The smallest number that was never given."""
        return self._next

    def current(self, chunk_ids: Collection[bytes]) -> Mapping[bytes, int]:
        """The highest live number of each chunk that has one."""
        found: dict[bytes, int] = {}
        for some in _portions(list(chunk_ids)):
            found.update(
                self._database.execute(
                    f"SELECT chunk_id, max(number) FROM number WHERE kb = ? AND chunk_id IN ({_marks(some)})"  # noqa: S608  # Only question marks.
                    " GROUP BY chunk_id",
                    (self._kb, *some),
                ).fetchall()
            )
        return found

    def documents(self, numbers: Collection[int]) -> Mapping[int, int]:
        """How many documents name each of these numbers that is live."""
        found: dict[int, int] = {}
        for some in _portions(list(numbers)):
            found.update(
                self._database.execute(
                    f"SELECT number, documents FROM number WHERE kb = ? AND number IN ({_marks(some)})",  # noqa: S608  # Only question marks.
                    (self._kb, *some),
                ).fetchall()
            )
        return found


class Outbox:
    """The tables `queue`, `intent`, `shared`, `number`, `numbering`, `withheld` and `ledger`."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def numbers(self, kb: str, first: int) -> NumberRows:
        """The numbering of a kb; a new one begins at `first`."""
        return NumberRows(self._database, kb, first)

    def shared(self, kb: str, document_key: bytes) -> Shared | None:
        """What the outbox holds of a document."""
        row = self._database.execute(
            "SELECT document_id, revision, repair, deleted, runs, leftover, manifest_hash, digest, outbox_seq, at_ms"
            " FROM shared WHERE kb = ? AND document_key = ?",
            (kb, document_key),
        ).fetchone()
        if row is None:
            return None
        return Shared(
            document_id=row[0],
            revision=row[1],
            repair=row[2],
            deleted=bool(row[3]),
            runs=_RUNS.decode(row[4]),
            leftover=_NUMBERS.decode(row[5]),
            manifest_hash=row[6],
            digest=row[7],
            outbox_seq=row[8],
            at_ms=row[9],
        )

    def put_shared(self, kb: str, document_key: bytes, shared: Shared, size_bytes: int = 0) -> None:
        """Set what the outbox holds of a document."""
        self._database.execute(
            "INSERT OR REPLACE INTO shared VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                kb,
                document_key,
                shared.document_id,
                shared.revision,
                shared.repair,
                shared.deleted,
                msgspec.msgpack.encode(shared.runs),
                msgspec.msgpack.encode(shared.leftover),
                shared.manifest_hash,
                shared.digest,
                shared.outbox_seq,
                size_bytes,
                shared.at_ms,
            ),
        )

    def drop_shared(self, kb: str, document_key: bytes) -> None:
        """The outbox holds nothing of this document any more."""
        self._database.execute("DELETE FROM shared WHERE kb = ? AND document_key = ?", (kb, document_key))

    def document_published(self, kb: str, document_key: bytes, outbox_seq: int, size_bytes: int, at_ms: int) -> None:
        """Where the message of a document lies."""
        self._database.execute(
            "UPDATE shared SET outbox_seq = ?, bytes = ?, at_ms = ? WHERE kb = ? AND document_key = ?",
            (outbox_seq, size_bytes, at_ms, kb, document_key),
        )

    def tombstones(self, before_ms: int, limit: int = 1_000) -> list[tuple[str, bytes, int, int]]:
        """Kb, key, published at and outbox sequence of tombstones published before this moment."""
        return self._database.execute(
            "SELECT kb, document_key, at_ms, outbox_seq FROM shared WHERE deleted = 1 AND at_ms < ? AND outbox_seq > 0"
            " ORDER BY at_ms LIMIT ?",
            (before_ms, limit),
        ).fetchall()

    def items(self, kb: str) -> list[Item]:
        """All that is shared of a kb, for comparison; tombstones are not."""
        rows = self._database.execute("SELECT document_key, digest FROM shared WHERE kb = ? AND deleted = 0", (kb,))
        return [Item(key=key, digest=digest) for key, digest in rows]

    def fingerprint(self, kb: str) -> bytes:
        """Of all live documents of a kb, with their digests: equal where the same is shared."""
        rows = self._database.execute(
            "SELECT document_key, digest FROM shared WHERE kb = ? AND deleted = 0 ORDER BY document_key",
            (kb,),
        )
        return fingerprint_of(rows)

    def kbs(self) -> list[str]:
        """Those of which something is shared."""
        return [row[0] for row in self._database.execute("SELECT DISTINCT kb FROM shared ORDER BY kb")]

    def document_count(self) -> int:
        """Live documents that are shared."""
        return int(self._database.execute("SELECT count(*) FROM shared WHERE deleted = 0").fetchone()[0])

    def withhold(self, kb: str, document_key: bytes, withheld: bool) -> None:
        """Whether a document stays here."""
        if withheld:
            self._database.execute("INSERT OR IGNORE INTO withheld VALUES (?, ?)", (kb, document_key))
        else:
            self._database.execute("DELETE FROM withheld WHERE kb = ? AND document_key = ?", (kb, document_key))

    def withheld_count(self) -> int:
        """How many documents stay here."""
        return int(self._database.execute("SELECT count(*) FROM withheld").fetchone()[0])

    def enqueue(self, decided: Decided, class_: int, since_ms: int, chunks_new: int, bytes_out: int) -> None:
        """Wait for a turn; a document that waits already keeps its place."""
        manifest = decided.manifest
        self._database.execute(
            "INSERT INTO queue (kb, document_key, class, since_ms, chunks_new, bytes_out, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kb, document_key) DO UPDATE SET"
            " not_before_ms = 0, chunks_new = excluded.chunks_new, bytes_out = excluded.bytes_out,"
            " body = excluded.body, class = min(class, excluded.class)",
            (
                manifest.kb,
                manifest.document_key,
                class_,
                since_ms,
                chunks_new,
                bytes_out,
                msgspec.msgpack.encode(decided),
            ),
        )

    def enqueue_again(self, decided: Decided, class_: int, since_ms: int) -> None:
        """Wait for another turn, unless something newer of the document waits already."""
        manifest = decided.manifest
        self._database.execute(
            "INSERT INTO queue (kb, document_key, class, since_ms, chunks_new, bytes_out, body)"
            " VALUES (?, ?, ?, ?, 0, 0, ?) ON CONFLICT (kb, document_key) DO NOTHING",
            (manifest.kb, manifest.document_key, class_, since_ms, msgspec.msgpack.encode(decided)),
        )

    def dequeue(self, kb: str, document_key: bytes) -> None:
        """It is not to be shared any more."""
        self._database.execute("DELETE FROM queue WHERE kb = ? AND document_key = ?", (kb, document_key))

    def take(self, queued: Queued) -> bool:
        """Leave the queue, unless the document was decided anew since `queued` was read."""
        return (
            self._database.execute(
                "DELETE FROM queue WHERE place = ? AND body = ?", (queued.place, queued.body)
            ).rowcount
            == 1
        )

    def put_off(self, queued: Queued, not_before_ms: int) -> None:
        """Try again later."""
        self._database.execute("UPDATE queue SET not_before_ms = ? WHERE place = ?", (not_before_ms, queued.place))

    def heads(self, class_: int, now_ms: int, limit: int) -> list[Queued]:
        """The next in a class, oldest first."""
        rows = self._database.execute(
            "SELECT place, since_ms, chunks_new, bytes_out, body FROM queue WHERE class = ?"
            " AND (not_before_ms <= ? OR not_before_ms > ?)"
            " ORDER BY place LIMIT ?",
            (class_, now_ms, now_ms + _PUT_OFF_MS_MAX, limit),
        )
        return [
            Queued(
                place=place,
                since_ms=since_ms,
                chunks_new=chunks_new,
                bytes_out=bytes_out,
                decided=msgspec.msgpack.decode(body, type=Decided),
                body=body,
            )
            for place, since_ms, chunks_new, bytes_out, body in rows
        ]

    def queued_at_least(self, class_: int, count: int) -> bool:
        """Whether so many documents of a class wait."""
        rows = self._database.execute("SELECT 1 FROM queue WHERE class = ? LIMIT ?", (class_, count)).fetchall()
        return len(rows) >= count

    def queued_counts(self) -> dict[int, int]:
        """How many documents of each class wait."""
        return dict(self._database.execute("SELECT class, count(*) FROM queue GROUP BY class").fetchall())

    def begin(self, intent: Intent, sharing: Sharing, hashes: Mapping[bytes, bytes]) -> None:
        """Give the numbers; `hashes` has the content hash of each chunk to be sent."""
        kb, document_key = intent.manifest.kb, intent.manifest.document_key
        self._database.execute(
            "INSERT OR REPLACE INTO intent VALUES (?, ?, ?)", (kb, document_key, msgspec.msgpack.encode(intent))
        )
        self._database.execute("INSERT OR REPLACE INTO numbering VALUES (?, ?)", (kb, sharing.next_number))
        self._database.executemany(
            "INSERT INTO number (kb, number, chunk_id, documents, content_hash) VALUES (?, ?, ?, 0, ?)",
            [(kb, each.number, each.chunk_id, hashes[each.chunk_id]) for each in sharing.send],
        )
        self._database.executemany(
            "UPDATE number SET documents = ? WHERE kb = ? AND number = ?",
            [(documents, kb, number) for number, documents in sharing.counts.items()],
        )
        self.drop_numbers(kb, sharing.retired)

    def drop_numbers(self, kb: str, numbers: Iterable[int]) -> None:
        """These are never used again."""
        self._database.executemany("DELETE FROM number WHERE kb = ? AND number = ?", [(kb, n) for n in numbers])

    def put_number(self, kb: str, number: int, row: tuple[bytes, int, bytes, int, int, int]) -> None:
        """A number as OUTBOX shows it: chunk id, documents, content hash, outbox sequence, bytes, published at."""
        self._database.execute("INSERT OR REPLACE INTO number VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (kb, number, *row))

    def put_next(self, kb: str, next_number: int) -> None:
        """Where numbering goes on."""
        self._database.execute("INSERT OR REPLACE INTO numbering VALUES (?, ?)", (kb, next_number))

    def count_documents(self, kb: str, numbers: Iterable[int]) -> None:
        """One more document names each of these."""
        self._database.executemany(
            "UPDATE number SET documents = documents + 1 WHERE kb = ? AND number = ?", [(kb, n) for n in numbers]
        )

    def orphans(self, limit: int = 1_000) -> list[tuple[str, int]]:
        """Numbers in OUTBOX that no document names: what a lost state left behind."""
        return self._database.execute("SELECT kb, number FROM number WHERE documents = 0 LIMIT ?", (limit,)).fetchall()

    def chunk_published(self, kb: str, number: int, outbox_seq: int, size_bytes: int, at_ms: int) -> None:
        """Where the message of a chunk lies."""
        self._database.execute(
            "UPDATE number SET outbox_seq = ?, bytes = ?, at_ms = ? WHERE kb = ? AND number = ?",
            (outbox_seq, size_bytes, at_ms, kb, number),
        )

    def content_hashes(self, kb: str, chunk_ids: Sequence[bytes]) -> dict[bytes, bytes]:
        """The content hash of each chunk that is shared."""
        found: dict[bytes, bytes] = {}
        for some in _portions(list(dict.fromkeys(chunk_ids))):
            found.update(
                self._database.execute(
                    # Left to itself SQLite reads all numbers of the kb: it takes a kb for a few of them.
                    "SELECT chunk_id, content_hash FROM number INDEXED BY number_chunk"  # noqa: S608  # Only question marks.
                    f" WHERE kb = ? AND chunk_id IN ({_marks(some)})",
                    (kb, *some),
                ).fetchall()
            )
        return found

    def chunk_ids(self, kb: str, numbers: Sequence[int]) -> dict[int, bytes]:
        """The chunk of each live number."""
        found: dict[int, bytes] = {}
        for some in _portions(list(numbers)):
            found.update(
                self._database.execute(
                    f"SELECT number, chunk_id FROM number WHERE kb = ? AND number IN ({_marks(some)})",  # noqa: S608  # Only question marks.
                    (kb, *some),
                ).fetchall()
            )
        return found

    def intents(self) -> list[Intent]:
        """What has begun and is not finished."""
        rows = self._database.execute("SELECT body FROM intent ORDER BY kb, document_key")
        return [msgspec.msgpack.decode(row[0], type=Intent) for row in rows]

    def finish(self, kb: str, document_key: bytes) -> None:
        """Published, and what it no longer names is purged."""
        self._database.execute("DELETE FROM intent WHERE kb = ? AND document_key = ?", (kb, document_key))

    def flight(self, applied_seq: int) -> Flight:
        """What was published after `applied_seq`."""
        count, size, since_ms = self._database.execute(
            "SELECT count(*), total(bytes), min(at_ms) FROM ("
            "SELECT bytes, at_ms FROM number WHERE outbox_seq > ?"
            " UNION ALL SELECT bytes, at_ms FROM shared WHERE outbox_seq > ?)",
            (applied_seq, applied_seq),
        ).fetchone()
        return Flight(messages=int(count), bytes=int(size), since_ms=int(since_ms or 0))

    def last_seq(self) -> int:
        """The last sequence of OUTBOX that this state knows of."""
        query = "SELECT max(outbox_seq) FROM (SELECT outbox_seq FROM number UNION ALL SELECT outbox_seq FROM shared)"
        return int(self._database.execute(query).fetchone()[0] or 0)

    def clear(self) -> None:
        """Nothing is shared, nothing waits; the ledger and the numbering go on."""
        for table in ("number", "shared", "queue", "intent"):
            self._database.execute(f"DELETE FROM {table}")  # noqa: S608  # One of these four.

    def line_last(self) -> ledger.Line | None:
        """The last line of the egress ledger."""
        row = self._database.execute("SELECT line FROM ledger ORDER BY number DESC LIMIT 1").fetchone()
        return ledger.decode(row[0]) if row else None

    def append_line(self, line: ledger.Line) -> None:
        """One more line."""
        self._database.execute("INSERT INTO ledger VALUES (?, ?)", (line.number, ledger.encode(line)))

    def lines(self, after: int = 0) -> Iterator[ledger.Line]:
        """The lines after a number, in order."""
        for row in self._database.execute("SELECT line FROM ledger WHERE number > ? ORDER BY number", (after,)):
            yield ledger.decode(row[0])


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _portions(values: list[object] | Sequence[object]) -> Iterator[list[object]]:
    for begin in range(0, len(values), _VARIABLES_MAX):
        yield list(values[begin : begin + _VARIABLES_MAX])
