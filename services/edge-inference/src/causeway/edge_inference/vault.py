"""The truth on a site's disk: sealed chunks and manifests, committed together with the watermark of the log."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from causeway.edge_inference import schema
from causeway.edge_inference.announcements import Announcements
from causeway.edge_inference.envelope import BrokenSealError, Digest, Envelope, Kind, Slot
from causeway.edge_inference.errors import VaultVersionError
from causeway.edge_inference.history_rule import HistoryRule
from causeway.edge_inference.keys import Keyring
from causeway.edge_inference.past import Past
from causeway.edge_inference.records import (
    Chunk,
    DocumentRecord,
    Revision,
    pack_chunk,
    pack_document,
    pack_second_vector,
    position,
    unpack_chunk,
    unpack_document,
)
from causeway.edge_inference.references import IdleChunk, References
from causeway.edge_inference.sealed_rows import SealedRows, tampering_named
from causeway.edge_inference.shadows import Shadows
from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import ChunkReembedded, DocumentShadowed

ChunkKey = tuple[str, bytes]
ClockMs = Callable[[], int]
STATE_ID = b"state"


class VectorsPosition(msgspec.Struct, frozen=True, kw_only=True):
    """How much of which VECTORS is in the vault, for one space."""

    space: str = ""
    seq: int = 0
    stream_created: int = 0


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How much of which log is in the vault, and the digest of the rows that came of it.

    `generation` counts how often the log began anew; sequences of different generations can not be compared.
    `watermarks` holds, per other origin, how much of what it shares has come. From the position `complete_from` on,
    every revision was seen as it came; it is -1 before the log's end was first reached.
    """

    seq: int = 0
    stream_created: int = 0
    generation: int = 0
    digest: bytes = Digest().to_bytes()
    commits: int = 0
    seals: int = 0
    watermarks: dict[str, int] = {}
    complete_from: int = -1
    vectors: VectorsPosition = VectorsPosition()


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Entries of the log in its order, and the position after the last of them."""

    chunks: Sequence[Chunk] = ()
    revisions: Sequence[Revision] = ()
    shadows: Sequence[DocumentShadowed] = ()
    watermarks: Mapping[str, int] = field(default_factory=dict)
    seq: int
    stream_created: int


@dataclass(kw_only=True)
class Change:
    """What a commit changed: chunks to index, to drop from the index, or not there, with their origin; revisions that
    took effect."""

    indexed: set[ChunkKey] = field(default_factory=set)
    unindexed: set[ChunkKey] = field(default_factory=set)
    revisions: list[Manifest] = field(default_factory=list)
    missing: dict[ChunkKey, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Touched:
    """A chunk that a batch has to do with; `stood_at` is where the manifest stood that names it no longer."""

    origin: str
    stood_at: int = 0


def read_state(rows: SealedRows) -> State:
    """The state that the last commit left."""
    held = rows.get(Kind.STATE, 0, STATE_ID)
    return State() if held is None else msgspec.msgpack.decode(held.record, type=State)


def wall_clock_ms() -> int:
    """Unix milliseconds."""
    return int(time.time() * 1000)


class Vault:
    """The one writer of a vault; readers have connections of their own (`VaultReader`). Threads take turns.

    `space` is the model whose vectors its readers want, where a chunk has two.

    Delivery guarantee: a batch is applied whole, with its watermark, or not at all; applied again, it changes nothing.
    """

    def __init__(
        self, folder: Path, ring: Keyring, clock_ms: ClockMs = wall_clock_ms, rule: HistoryRule | None = None
    ) -> None:
        self.folder = folder
        self.space = ""
        self._clock_ms = clock_ms
        self._turn = threading.RLock()
        self._sql = schema.connect(folder, writes=True)
        self.ring = ring
        self._rows = SealedRows(self._sql, Envelope(ring))
        self._references = References(self._sql)
        self._announcements = Announcements(self._sql)
        self._shadows = Shadows(self._rows)
        self._past = Past(self._sql, self._rows, rule or HistoryRule())
        with tampering_named(folder):
            layout = self._check_layout()
            self._numbers = {name.decode(): slot.kb for slot, name in self._rows.each(Kind.KB)}
            self.state = read_state(self._rows)
            self._rows.digest = Digest.from_bytes(self.state.digest)
            self._rows.seals = self.state.seals
            if layout == 1:
                self._migrate_from_1()

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
        touched: dict[ChunkKey, _Touched] = {}
        with self._transaction():
            for chunk in batch.chunks:
                self._put_chunk(chunk)
                touched[chunk.kb, chunk.chunk_id] = _Touched(chunk.record.origin)
            for revision in batch.revisions:
                self._put_revision(revision, change, touched)
            for shadow in batch.shadows:
                self._put_shadow(shadow, touched)
            self._settle(touched, change)
            watermarks = {**self.state.watermarks, **batch.watermarks}
            self._put_state(seq=batch.seq, stream_created=batch.stream_created, watermarks=watermarks)
        return change

    def apply_vectors(self, vectors: Sequence[ChunkReembedded], after: VectorsPosition) -> set[ChunkKey]:
        """Commit vectors of another space than their chunks' and the position after them. Returns their chunks."""
        with self._transaction():
            for vector in vectors:
                slot = Slot(Kind.VECTOR, self._number(vector.kb), vector.chunk_id, after.seq)
                self._rows.put(slot, pack_second_vector(vector.model, vector.vector_f16))
            self._put_state(vectors=after)
        return {(vector.kb, vector.chunk_id) for vector in vectors}

    def restart_log(self, stream_created: int) -> None:
        """Follow a log that was created anew from its start. What is held stays: newer revisions replace it."""
        with self._transaction():
            self._put_state(seq=0, stream_created=stream_created, generation=self.state.generation + 1)

    def begin_history(self) -> None:
        """The log's end is reached: from here on, no revision is missed that this vault lives to see."""
        if self.state.complete_from < 0:
            with self._transaction():
                self._put_state(complete_from=position(self.state.generation, self.state.seq))

    def prune_past(self, documents_max: int) -> int:
        """Erase what the rule for history keeps no longer, of so many documents. Returns of how many."""
        now_ms = self._clock_ms()
        with self._turn, tampering_named(self.folder):
            overdue = self._past.overdue(now_ms, documents_max)
            if overdue:
                with self._transaction():
                    for kb, document in overdue:
                        self._past.prune(kb, document, self._references.named_by(kb, document), now_ms)
                    self._put_state()
        return len(overdue)

    def hides(self, manifest: Manifest) -> bool:
        """Whether a document gives way to another origin's as it stands."""
        with self._turn:
            return self._shadows.hides(self._number(manifest.kb), manifest.document_key)

    def idle_chunks(self, *, dropped_before_ms: int, pending_before_ms: int, limit: int) -> list[IdleChunk]:
        """Chunks that no manifest names: dropped by one before a time, or waiting for one since before another."""
        with self._turn, tampering_named(self.folder):
            names = {number: name for name, number in self._numbers.items()}
            found = self._references.idle(dropped_before_ms, pending_before_ms, limit)
            held = [self._rows.get(Kind.CHUNK, kb, chunk) for kb, chunk, _ in found]
        return [
            IdleChunk(names[kb], chunk, row.version, below_seq or row.version + 1, unpack_chunk(row.record).origin)
            for (kb, chunk, below_seq), row in zip(found, held, strict=True)
            if row is not None
        ]

    def remove_idle(self, chunks: Sequence[IdleChunk]) -> int:
        """Erase chunks that are still idle at the version that was seen. Returns how many went."""
        with self._transaction():
            removed = sum(self._remove_if_idle(self._number(chunk.kb), chunk) for chunk in chunks)
            self._put_state()
        return removed

    def unannounced(self, limit: int) -> list[DocumentRecord]:
        """Revisions that took effect and that nobody has been told of."""
        with self._turn, tampering_named(self.folder):
            held = [self._held_document(kb, key) for kb, key in self._announcements.first(limit)]
        return [record for record in held if record is not None]

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

    def _put_chunk(self, chunk: Chunk) -> None:
        kb = self._number(chunk.kb)
        self._rows.put(Slot(Kind.CHUNK, kb, chunk.chunk_id, chunk.seq), pack_chunk(chunk.record))
        self._rows.drop(Kind.TEXT, kb, chunk.chunk_id)

    def _put_revision(self, revision: Revision, change: Change, touched: dict[ChunkKey, _Touched]) -> None:
        """Store a manifest unless a newer one is held, and keep that which stood there as history."""
        manifest = revision.manifest
        kb, key = self._number(manifest.kb), manifest.document_key
        held = self._held_document(kb, key)
        if held is not None and held.manifest.revision > manifest.revision:
            return
        was_hidden = self._shadows.hides(kb, key)
        kind, other = (Kind.TOMBSTONE, Kind.DOCUMENT) if manifest.deleted else (Kind.DOCUMENT, Kind.TOMBSTONE)
        self._rows.drop(other, kb, key)
        again = held is not None and (held.manifest.revision == manifest.revision or held.says_the_same_as(manifest))
        same = held if again else None
        record = DocumentRecord(
            manifest=manifest,
            seq=revision.seq,
            generation=self.state.generation,
            origin=revision.origin,
            at_ms=revision.at_ms if same is None else same.at_ms,
            first_position=0 if same is None else same.position,
            first_revision=0 if same is None else same.first_revision or same.manifest.revision,
        )
        self._rows.put(Slot(kind, kb, key, manifest.revision), pack_document(record))
        change.revisions.append(manifest)
        self._announcements.add(kb, key, manifest.revision)
        named = set() if manifest.deleted else {place.chunk_id for place in manifest.places}
        gained, lost = self._references.replace(kb, key, named)
        self._past.revise(kb, held, record, named, self._clock_ms())
        stood_at = held.seq if held is not None and held.generation == self.state.generation else 0
        touched |= {(manifest.kb, chunk): _Touched(revision.origin, stood_at) for chunk in lost}
        if was_hidden != self._shadows.hides(kb, key):
            gained = self._references.named_by(kb, key)
        for chunk in gained:
            touched.setdefault((manifest.kb, chunk), _Touched(revision.origin))

    def _put_shadow(self, shadow: DocumentShadowed, touched: dict[ChunkKey, _Touched]) -> None:
        kb, key = self._number(shadow.kb), shadow.document_key
        was_hidden = self._shadows.hides(kb, key)
        self._shadows.put(kb, shadow)
        held = self._held_document(kb, key)
        if held is not None and was_hidden != self._shadows.hides(kb, key):
            for chunk in self._references.named_by(kb, key):
                touched.setdefault((shadow.kb, chunk), _Touched(held.origin))

    def _held_document(self, kb: int, key: bytes) -> DocumentRecord | None:
        for kind in (Kind.DOCUMENT, Kind.TOMBSTONE):
            held = self._rows.get(kind, kb, key)
            if held is not None:
                return unpack_document(held.record)
        return None

    def _settle(self, touched: Mapping[ChunkKey, _Touched], change: Change) -> None:
        """Say of each chunk that the batch touched whether a manifest names it now, and whether it is searched."""
        for (kb_name, chunk_id), about in touched.items():
            kb = self._number(kb_name)
            version = self._rows.version_of(Kind.CHUNK, kb, chunk_id)
            named = self._references.names(kb, chunk_id)
            if named and version is not None:
                self._references.mark_named(kb, chunk_id)
                shown = self._references.shows(kb, chunk_id)
                (change.indexed if shown else change.unindexed).add((kb_name, chunk_id))
            elif named:
                change.missing[kb_name, chunk_id] = about.origin
            elif version is not None:
                # A copy after the manifest that named it was published for another one, which is still to come.
                below_seq = about.stood_at if version < about.stood_at else 0
                self._references.mark_idle(kb, chunk_id, self._clock_ms(), below_seq)
                change.unindexed.add((kb_name, chunk_id))

    def _remove_if_idle(self, kb: int, chunk: IdleChunk) -> bool:
        seen = self._rows.version_of(Kind.CHUNK, kb, chunk.chunk_id) == chunk.version
        if not seen or self._references.names(kb, chunk.chunk_id):
            return False
        self._references.mark_named(kb, chunk.chunk_id)
        self._past.keep_text(kb, chunk.chunk_id)
        self._rows.drop(Kind.VECTOR, kb, chunk.chunk_id)
        return self._rows.drop(Kind.CHUNK, kb, chunk.chunk_id)

    def _number(self, kb: str) -> int:
        number = self._numbers.get(kb)
        if number is None:
            number = max(self._numbers.values(), default=0) + 1
            self._rows.put(Slot(Kind.KB, number, b"", 0), kb.encode())
            self._numbers[kb] = number
        return number

    def _put_state(self, **moved: object) -> None:
        state = msgspec.structs.replace(
            self.state,
            **moved,
            digest=self._rows.digest.to_bytes(),
            commits=self.state.commits + 1,
            seals=self._rows.seals + 1,
        )
        self._rows.put(Slot(Kind.STATE, 0, STATE_ID, state.commits), msgspec.msgpack.encode(state))
        self.state = state

    def _check_layout(self) -> int:
        found = schema.layout_of(self._sql)
        if found == 0:
            schema.create_tables(self._sql)
        elif not 1 <= found <= schema.LAYOUT:
            raise VaultVersionError(vault=self.folder, found=found, expected=schema.LAYOUT)
        return found

    def _migrate_from_1(self) -> None:
        """Layout 1 had no history: it begins with what is held now. A crash leaves layout 1, whole."""
        with self._transaction():
            schema.add_tables_2(self._sql)
            for kind in (Kind.DOCUMENT, Kind.TOMBSTONE):
                for slot, packed in self._rows.each(kind):
                    self._past.adopt(slot.kb, unpack_document(packed))
            self._put_state(complete_from=position(self.state.generation, self.state.seq))
