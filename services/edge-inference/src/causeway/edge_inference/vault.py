"""The truth on a site's disk: sealed chunks and manifests, committed together with the watermark of the log."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from causeway.edge_inference import schema
from causeway.edge_inference.announcements import Announcements
from causeway.edge_inference.envelope import BrokenSealError, Digest, Envelope, Kind, Slot
from causeway.edge_inference.errors import VaultVersionError
from causeway.edge_inference.keys import Keyring
from causeway.edge_inference.records import Chunk, DocumentRecord, Revision, pack_chunk, pack_document, unpack_document
from causeway.edge_inference.references import IdleChunk, References
from causeway.edge_inference.sealed_rows import SealedRows, tampering_named
from causeway.proto.chunks import Manifest

ChunkKey = tuple[str, bytes]
ClockMs = Callable[[], int]
STATE_ID = b"state"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How much of which log is in the vault, and the digest of the rows that came of it.

    `generation` counts how often the log began anew; sequences of different generations can not be compared.
    """

    seq: int = 0
    stream_created: int = 0
    generation: int = 0
    digest: bytes = Digest().to_bytes()
    commits: int = 0
    seals: int = 0


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Entries of the log in its order, and the position after the last of them."""

    chunks: Sequence[Chunk] = ()
    revisions: Sequence[Revision] = ()
    seq: int
    stream_created: int


@dataclass(kw_only=True)
class Change:
    """What a commit changed: chunks to index, to drop from the index, or not there; revisions that took effect."""

    indexed: set[ChunkKey] = field(default_factory=set)
    unindexed: set[ChunkKey] = field(default_factory=set)
    revisions: list[Manifest] = field(default_factory=list)
    missing: set[ChunkKey] = field(default_factory=set)


def read_state(rows: SealedRows) -> State:
    """The state that the last commit left."""
    held = rows.get(Kind.STATE, 0, STATE_ID)
    return State() if held is None else msgspec.msgpack.decode(held.record, type=State)


def wall_clock_ms() -> int:
    """Unix milliseconds."""
    return int(time.time() * 1000)


class Vault:
    """The one writer of a vault; readers have connections of their own (`VaultReader`). Threads take turns.

    Delivery guarantee: a batch is applied whole, with its watermark, or not at all; applied again, it changes nothing.
    """

    def __init__(self, folder: Path, ring: Keyring, clock_ms: ClockMs = wall_clock_ms) -> None:
        self.folder = folder
        self._clock_ms = clock_ms
        self._turn = threading.RLock()
        self._sql = schema.connect(folder, writes=True)
        self.ring = ring
        self._rows = SealedRows(self._sql, Envelope(ring))
        self._references = References(self._sql)
        self._announcements = Announcements(self._sql)
        with tampering_named(folder):
            self._check_layout()
            self._numbers = {name.decode(): slot.kb for slot, name in self._rows.each(Kind.KB)}
            self.state = read_state(self._rows)
        self._rows.digest = Digest.from_bytes(self.state.digest)
        self._rows.seals = self.state.seals

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        with self._turn:
            self.checkpoint()
            self._sql.close()

    @property
    def envelope(self) -> Envelope:
        """What readers open records with."""
        return self._rows.envelope

    @property
    def kb_numbers(self) -> dict[str, int]:
        """The number of each knowledge base in this vault."""
        return dict(self._numbers)

    def apply(self, batch: Batch) -> Change:
        """Commit a batch and its watermark as one transaction; the change is what the indexes must follow."""
        change = Change()
        touched: set[ChunkKey] = set()
        released: dict[ChunkKey, int] = {}
        with self._transaction():
            for chunk in batch.chunks:
                slot = Slot(Kind.CHUNK, self._number(chunk.kb), chunk.chunk_id, chunk.seq)
                self._rows.put(slot, pack_chunk(chunk.record))
                touched.add((chunk.kb, chunk.chunk_id))
            for revision in batch.revisions:
                gained, lost = self._put_revision(revision, change)
                touched |= gained
                released |= lost
            self._settle(touched, released, change)
            self._put_state(seq=batch.seq, stream_created=batch.stream_created)
        return change

    def restart_log(self, stream_created: int) -> None:
        """Follow a log that was created anew from its start. What is held stays: newer revisions replace it."""
        with self._transaction():
            self._put_state(seq=0, stream_created=stream_created, generation=self.state.generation + 1)

    def idle_chunks(self, *, dropped_before_ms: int, pending_before_ms: int, limit: int) -> list[IdleChunk]:
        """Chunks that no manifest names: dropped by one before a time, or waiting for one since before another."""
        with self._turn:
            names = {number: name for name, number in self._numbers.items()}
            found = self._references.idle(dropped_before_ms, pending_before_ms, limit)
            versions = [self._rows.version_of(Kind.CHUNK, kb, chunk) for kb, chunk, _ in found]
        return [
            IdleChunk(names[kb], chunk, version, below_seq or version + 1)
            for (kb, chunk, below_seq), version in zip(found, versions, strict=True)
            if version is not None
        ]

    def remove_idle(self, chunks: Sequence[IdleChunk]) -> int:
        """Erase chunks that are still idle at the version that was seen. Returns how many went."""
        with self._transaction():
            removed = sum(self._remove_if_idle(self._number(chunk.kb), chunk) for chunk in chunks)
            self._put_state()
        return removed

    def unannounced(self, limit: int) -> list[Manifest]:
        """Revisions that took effect and that nobody has been told of."""
        with self._turn, tampering_named(self.folder):
            held = [self._held_document(kb, key) for kb, key in self._announcements.first(limit)]
        return [record.manifest for record in held if record is not None]

    def announced(self, manifests: Sequence[Manifest]) -> None:
        """These have been told of. A newer revision that came meanwhile still waits."""
        with self._transaction():
            for manifest in manifests:
                self._announcements.remove(self._number(manifest.kb), manifest.document_key, manifest.revision)

    def verify(self) -> None:
        """Sum all rows and compare with the sealed digest, and the references with the manifests.

        Raises:
            VaultTamperedError: a row is missing, extra, old, moved or changed.
        """
        with self._turn, tampering_named(self.folder):
            if not self._rows.summed().same_as(self._rows.digest):
                raise BrokenSealError("the set of records")
            named = {
                (slot.kb, slot.id, place.chunk_id)
                for slot, packed in self._rows.each(Kind.DOCUMENT)
                for place in unpack_document(packed).manifest.places
            }
            if named != self._references.all():
                raise BrokenSealError("the table of references")

    def last_row(self) -> int:
        """The highest row number now: all rows after it are of the active key."""
        with self._turn:
            return self._rows.last_row()

    def reseal(self, after_row: int, rows_max: int) -> int:
        """Seal at most `rows_max` rows after `after_row` with the active key. Returns the row to go on from."""
        with self._transaction():
            last = self._rows.reseal(after_row, rows_max)
            self._put_state()
        return last

    def use_ring(self, ring: Keyring) -> None:
        """Seal what is new with the ring's active key."""
        with self._turn:
            if ring.active.kid != self.ring.active.kid:
                self._rows.seals = 0
            self.ring = ring
            self._rows.envelope = Envelope(ring)

    def count_seals(self, seals: int) -> None:
        """The active key made seals outside the database, which count against its limit too."""
        with self._turn:
            self._rows.seals += seals

    def checkpoint(self) -> None:
        """Put every commit where a power cut can not take it back."""
        with self._turn:
            self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def counts(self) -> tuple[int, int]:
        """Chunks and documents; tombstones are not counted."""
        with self._turn:
            return self._rows.count(Kind.CHUNK), self._rows.count(Kind.DOCUMENT)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._turn:
            before = (self.state, self._rows.digest, self._rows.seals, dict(self._numbers))
            self._sql.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._sql.execute("COMMIT")
            except BaseException:
                if self._sql.in_transaction:
                    self._sql.execute("ROLLBACK")
                self.state, self._rows.digest, self._rows.seals, self._numbers = before
                raise

    def _put_revision(self, revision: Revision, change: Change) -> tuple[set[ChunkKey], dict[ChunkKey, int]]:
        """Store a manifest unless a newer one is held.

        Returns the chunks that it names newly, and those that it names no longer, each with the sequence of the
        manifest that named it (0 when that was in another log).
        """
        manifest = revision.manifest
        kb, key = self._number(manifest.kb), manifest.document_key
        held = self._held_document(kb, key)
        if held is not None and held.manifest.revision > manifest.revision:
            return set(), {}
        kind, other = (Kind.TOMBSTONE, Kind.DOCUMENT) if manifest.deleted else (Kind.DOCUMENT, Kind.TOMBSTONE)
        self._rows.drop(other, kb, key)
        record = DocumentRecord(manifest=manifest, seq=revision.seq, generation=self.state.generation)
        self._rows.put(Slot(kind, kb, key, manifest.revision), pack_document(record))
        change.revisions.append(manifest)
        self._announcements.add(kb, key, manifest.revision)
        named = set() if manifest.deleted else {place.chunk_id for place in manifest.places}
        gained, lost = self._references.replace(kb, key, named)
        stood_at = held.seq if held is not None and held.generation == self.state.generation else 0
        return {(manifest.kb, chunk) for chunk in gained}, {(manifest.kb, chunk): stood_at for chunk in lost}

    def _held_document(self, kb: int, key: bytes) -> DocumentRecord | None:
        for kind in (Kind.DOCUMENT, Kind.TOMBSTONE):
            held = self._rows.get(kind, kb, key)
            if held is not None:
                return unpack_document(held.record)
        return None

    def _settle(self, touched: set[ChunkKey], released: dict[ChunkKey, int], change: Change) -> None:
        """Say of each chunk that the batch touched whether a manifest names it now."""
        for kb_name, chunk_id in touched | released.keys():
            kb = self._number(kb_name)
            version = self._rows.version_of(Kind.CHUNK, kb, chunk_id)
            named = self._references.names(kb, chunk_id)
            if named and version is not None:
                self._references.mark_named(kb, chunk_id)
                change.indexed.add((kb_name, chunk_id))
            elif named:
                change.missing.add((kb_name, chunk_id))
            elif version is not None:
                stood_at = released.get((kb_name, chunk_id), 0)
                # A copy after the manifest that named it was published for another one, which is still to come.
                below_seq = stood_at if version < stood_at else 0
                self._references.mark_idle(kb, chunk_id, self._clock_ms(), below_seq)
                change.unindexed.add((kb_name, chunk_id))

    def _remove_if_idle(self, kb: int, chunk: IdleChunk) -> bool:
        seen = self._rows.version_of(Kind.CHUNK, kb, chunk.chunk_id) == chunk.version
        if not seen or self._references.names(kb, chunk.chunk_id):
            return False
        self._references.mark_named(kb, chunk.chunk_id)
        return self._rows.drop(Kind.CHUNK, kb, chunk.chunk_id)

    def _number(self, kb: str) -> int:
        number = self._numbers.get(kb)
        if number is None:
            number = max(self._numbers.values(), default=0) + 1
            self._rows.put(Slot(Kind.KB, number, b"", 0), kb.encode())
            self._numbers[kb] = number
        return number

    def _put_state(self, **moved: int) -> None:
        state = msgspec.structs.replace(
            self.state,
            **moved,
            digest=self._rows.digest.to_bytes(),
            commits=self.state.commits + 1,
            seals=self._rows.seals + 1,
        )
        self._rows.put(Slot(Kind.STATE, 0, STATE_ID, state.commits), msgspec.msgpack.encode(state))
        self.state = state

    def _check_layout(self) -> None:
        found = schema.layout_of(self._sql)
        if found == 0:
            schema.create_tables(self._sql)
        elif found != schema.LAYOUT:
            raise VaultVersionError(vault=self.folder, found=found, expected=schema.LAYOUT)
