"""One replica's read model: the vault and the indexes, moved together along the KNOWLEDGE log. Knows no bus."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from causeway.edge_inference.knowledge_index import KnowledgeIndexes
from causeway.edge_inference.records import Chunk, DocumentRecord, Revision, chunk_of
from causeway.edge_inference.references import IdleChunk
from causeway.edge_inference.snapshots import Snapshots
from causeway.edge_inference.vault import Batch, ChunkKey, Vault, VectorsPosition
from causeway.edge_inference.vault_reader import VaultReader
from causeway.proto.codec import Message
from causeway.proto.knowledge import ChunkEmbedded, ChunkReembedded, DocumentRevised, DocumentShadowed, Watermark

ANNOUNCEMENTS_PER_STEP = 500
SWEPT_PER_STEP = 500
PRUNED_PER_STEP = 50
CUT_PER_STEP = 500
# Their terms take half a second: so long a start may be, for the sake of whole answers from the first.
BEHIND_AT_START_MAX = 2_500
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LogEntry:
    """A message of the log at its sequence. `origin` empty: this place."""

    seq: int
    message: Message
    origin: str = ""
    at_ms: int = 0


@dataclass(frozen=True, kw_only=True)
class SweepRule:
    """How long a chunk that no manifest names is kept: after one dropped it, and while it waits for its first.

    The second is long, because a draft may wait for hours while the embedder is down.
    """

    dropped_after_s: float = 60.0
    waiting_after_s: float = 7 * 86_400.0


class Replica:
    """Every method but `vault.state` blocks on disk: call from the storage thread."""

    def __init__(self, vault: Vault, indexes: KnowledgeIndexes, rule: SweepRule, clock_ms: Callable[[], int]) -> None:
        self.vault = vault
        self.indexes = indexes
        self.snapshots = Snapshots(vault)
        self._loaded = False
        self._rule = rule
        self._clock_ms = clock_ms
        self._reader = VaultReader(vault)
        self._builder: threading.Thread | None = None

    def load(self) -> None:
        """Check the vault, whole, and fill the indexes from it. `catch_up` does what is too long for a start.

        Raises:
            VaultTamperedError: a row is missing, extra, old, moved or changed.
        """
        began = time.perf_counter()
        self.vault.verify()
        for kb in self.vault.kb_numbers:
            self.indexes.load(kb, self.snapshots.load(kb), self._reader.named_vectors(kb))
        self._loaded = True
        while 0 < self.indexes.behind <= BEHIND_AT_START_MAX:
            self.catch_up()
        chunks, documents = self.vault.counts()
        took = {"seconds": round(time.perf_counter() - began, 3), "seq": self.vault.state.seq}
        took["chunks_behind"] = self.indexes.behind
        _log.info("the vault is loaded", extra={"chunks": chunks, "documents": documents, **took})

    def catch_up(self) -> bool:
        """Index the terms of some chunks that have none since the start. Returns whether more are waiting."""
        self.indexes.catch_up(self._reader, CUT_PER_STEP)
        return self.indexes.behind > 0

    def apply(self, entries: Sequence[LogEntry], stream_created: int) -> dict[ChunkKey, str]:
        """Commit entries with their watermark, then the indexes. Returns chunks that are named and never came, with
        their origin.

        At least once: after a crash in between, the same entries come again or the indexes are filled from the vault.
        """
        if not entries:
            return {}
        change = self.vault.apply(
            Batch(
                chunks=_chunks(entries),
                revisions=_revisions(entries),
                shadows=[entry.message for entry in entries if isinstance(entry.message, DocumentShadowed)],
                watermarks=_watermarks(entries),
                seq=entries[-1].seq,
                stream_created=stream_created,
            )
        )
        self.indexes.follow(self._reader, change.indexed, change.unindexed)
        return change.missing

    def add_missing(self, entries: Sequence[LogEntry]) -> None:
        """Commit chunks that a manifest named and that were read from the log by themselves; the watermark stays."""
        state = self.vault.state
        change = self.vault.apply(Batch(chunks=_chunks(entries), seq=state.seq, stream_created=state.stream_created))
        self.indexes.follow(self._reader, change.indexed, change.unindexed)

    def apply_vectors(self, vectors: Sequence[ChunkReembedded], after: VectorsPosition) -> None:
        """Commit vectors of this space for chunks of another, then the indexes."""
        self.indexes.follow_vectors(self._reader, self.vault.apply_vectors(vectors, after))

    def build_indexes(self) -> None:
        """Build the faster indexes in a thread of their own, while exact search answers.

        Not while terms are being indexed: these are missed more, and both at once would slow every ask down.
        """
        if self.indexes.behind:
            return
        if self._builder is None or not self._builder.is_alive():
            self._builder = threading.Thread(target=self.indexes.build, name="build-index", daemon=True)
            self._builder.start()

    def save_snapshot(self, kb: str) -> bool:
        """Copy the terms of a knowledge base to disk. Any thread may; returns whether it worked."""
        index = self.indexes.of(kb)
        return index is not None and index.save(self.snapshots, kb)

    def unannounced(self) -> list[DocumentRecord]:
        """Revisions that are searchable (or gone) and that nobody has been told of."""
        return self.vault.unannounced(ANNOUNCEMENTS_PER_STEP)

    def prune_past(self) -> bool:
        """Erase earlier revisions that are too old or too many, a few documents a step. Returns whether more are."""
        return self.vault.prune_past(PRUNED_PER_STEP) == PRUNED_PER_STEP

    def sweepable(self) -> list[IdleChunk]:
        """Chunks that may be erased now."""
        now_ms = self._clock_ms()
        return self.vault.idle_chunks(
            dropped_before_ms=now_ms - int(self._rule.dropped_after_s * 1000),
            pending_before_ms=now_ms - int(self._rule.waiting_after_s * 1000),
            limit=SWEPT_PER_STEP,
        )

    def close(self) -> None:
        """Keep a copy of the terms for the next start; let go of memory and files."""
        for kb, index in self.indexes.items():
            if self._loaded and index.uncopied:
                self.save_snapshot(kb)
        self._reader.close()
        self.indexes.close()
        self.vault.close()


def _chunks(entries: Sequence[LogEntry]) -> list[Chunk]:
    return [
        chunk_of(entry.message, entry.seq, entry.origin)
        for entry in entries
        if isinstance(entry.message, ChunkEmbedded)
    ]


def _revisions(entries: Sequence[LogEntry]) -> list[Revision]:
    return [
        Revision(seq=entry.seq, manifest=entry.message.manifest, origin=entry.origin, at_ms=entry.at_ms)
        for entry in entries
        if isinstance(entry.message, DocumentRevised)
    ]


def _watermarks(entries: Sequence[LogEntry]) -> dict[str, int]:
    return {entry.message.origin: entry.message.outbox_seq for entry in entries if isinstance(entry.message, Watermark)}
