"""The disposable indexes of a site: for each knowledge base its vectors and its terms, made from the vault."""

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from causeway.edge_inference.chunk_terms import terms_of
from causeway.edge_inference.ports import VectorIndex
from causeway.edge_inference.records import ChunkRecord, ChunkVector
from causeway.edge_inference.snapshots import Snapshots
from causeway.edge_inference.swapping import SwappingIndex
from causeway.edge_inference.vault_reader import VaultReader, unit_vectors
from causeway.retrieval import LexicalIndex

_LOAD_ROWS = 1_000
_FOLLOWED_ROWS = 500
Entry = tuple[bytes, ChunkRecord]


class KnowledgeIndex:
    """One knowledge base. Chunks of another embedding model are found by their terms only.

    After a start without a usable snapshot, the terms of the chunks in `behind` are still to be indexed.
    """

    def __init__(self, model_id: str, dims: int, successor: Callable[[], VectorIndex]) -> None:
        self.lexical = LexicalIndex()
        self.dense = SwappingIndex(dims, successor)
        self.foreign: set[bytes] = set()
        # A dict, because the first few of it are asked for again and again.
        self.behind: dict[bytes, None] = {}
        # Two counters, because the thread that copies is not the one that changes.
        self._terms_changed = 0
        self._terms_copied = 0
        self._model_id = model_id
        self._dims = dims

    def __len__(self) -> int:
        return len(self.dense) + len(self.foreign)

    @property
    def uncopied(self) -> int:
        """How many chunks came or went since the terms were last copied to disk."""
        return self._terms_changed - self._terms_copied

    def put(self, entries: Sequence[Entry]) -> None:
        """Index chunks, over what was there."""
        self.put_vectors(entries)
        self.put_terms(entries)

    def put_vectors(self, entries: Sequence[tuple[bytes, ChunkRecord | ChunkVector]]) -> None:
        """The half for dense search."""
        own = [(chunk, record) for chunk, record in entries if self.comparable(record)]
        if own:
            self.dense.upsert([chunk for chunk, _ in own], unit_vectors([record for _, record in own]))
        self.foreign -= {chunk for chunk, _ in own}
        self.foreign |= {chunk for chunk, record in entries if not self.comparable(record)}

    def put_terms(self, entries: Sequence[Entry]) -> None:
        """The half for lexical search: some 0.15 ms a chunk, nearly all of what indexing costs."""
        for chunk, record in entries:
            self.lexical.upsert(chunk, terms_of(record))
            self.behind.pop(chunk, None)
        self._terms_changed += len(entries)

    def drop(self, chunks: Sequence[bytes]) -> None:
        """Forget chunks."""
        self.dense.delete(chunks)
        self.foreign.difference_update(chunks)
        for chunk in chunks:
            self.lexical.delete(chunk)
            self.behind.pop(chunk, None)
        self._terms_changed += len(chunks)

    def adopt(self, lexical: LexicalIndex, chunks: Sequence[bytes]) -> None:
        """Take over an index of terms from another time, less what is not among `chunks`; the rest is behind."""
        known = lexical.ids()
        for chunk in known.difference(chunks):
            self._terms_changed += lexical.delete(chunk)
        self.lexical = lexical
        self.behind = {chunk: None for chunk in chunks if chunk not in known}

    def save(self, snapshots: Snapshots, kb: str) -> bool:
        """Copy the terms to disk. May run beside changes: what comes meanwhile counts for the next copy."""
        changed = self._terms_changed
        saved = snapshots.save(kb, self.lexical)
        if saved:
            self._terms_copied = changed
        return saved

    def comparable(self, record: ChunkRecord | ChunkVector) -> bool:
        """Whether a record's vector is of this index's space. A snapshot of the vault may be older than the index."""
        return record.model == self._model_id and len(record.vector_f16) == 2 * self._dims


class KnowledgeIndexes:
    """The indexes of all knowledge bases. One thread changes them, any may search."""

    def __init__(self, model_id: str, dims: int, successor: Callable[[], VectorIndex]) -> None:
        self._model_id = model_id
        self._dims = dims
        self._successor = successor
        self._by_kb: dict[str, KnowledgeIndex] = {}
        self._turn = threading.Lock()

    def of(self, kb: str) -> KnowledgeIndex | None:
        """The index of a knowledge base that has had a chunk, or None."""
        return self._by_kb.get(kb)

    @property
    def names(self) -> list[str]:
        """The knowledge bases that hold something."""
        return sorted(kb for kb, index in self._by_kb.items() if len(index))

    def items(self) -> list[tuple[str, KnowledgeIndex]]:
        """Every knowledge base and its index."""
        return sorted(self._by_kb.items())

    @property
    def behind(self) -> int:
        """How many chunks lexical search does not know yet."""
        return sum(len(index.behind) for index in self._by_kb.copy().values())

    @property
    def lacking(self) -> int:
        """How many chunks have no vector of this space."""
        return sum(len(index.foreign) for index in self._by_kb.copy().values())

    def load(self, kb: str, lexical: LexicalIndex, vectors: Iterable[tuple[bytes, ChunkVector]]) -> None:
        """Fill a knowledge base's index from the vault and a copy of its terms, which may be of any time, or empty."""
        index, source = self._opened(kb), iter(vectors)
        chunks: list[bytes] = []
        while part := list(islice(source, _LOAD_ROWS)):
            index.put_vectors(part)
            chunks += [chunk for chunk, _ in part]
        index.adopt(lexical, chunks)

    def catch_up(self, reader: VaultReader, chunks_max: int) -> None:
        """Index the terms of at most so many chunks that are behind."""
        for kb, index in self.items():
            part = list(islice(index.behind, chunks_max))
            index.put_terms(list(reader.named_records(kb, part).items()))
            for chunk in part:
                index.behind.pop(chunk, None)
            chunks_max -= len(part)

    def follow(
        self, reader: VaultReader, indexed: Iterable[tuple[str, bytes]], unindexed: Iterable[tuple[str, bytes]]
    ) -> None:
        """Bring the indexes to where a commit has brought the vault: what is new first, so that a document whose chunks
        are all replaced is found at any moment."""
        for kb, chunks in _grouped(indexed).items():
            index = self._opened(kb)
            for start in range(0, len(chunks), _FOLLOWED_ROWS):
                index.put(list(reader.named_records(kb, chunks[start : start + _FOLLOWED_ROWS]).items()))

        for kb, chunks in _grouped(unindexed).items():
            if kb in self._by_kb:
                self._by_kb[kb].drop(chunks)

    def follow_vectors(self, reader: VaultReader, chunks: Iterable[tuple[str, bytes]]) -> None:
        """Take over the vectors of these chunks, in so far as they are searched; their terms are as they were."""
        for kb, ids in _grouped(chunks).items():
            for start in range(0, len(ids), _FOLLOWED_ROWS):
                self._opened(kb).put_vectors(
                    list(reader.named_records(kb, ids[start : start + _FOLLOWED_ROWS]).items())
                )

    def build(self) -> None:
        """Build what answers faster than exact search, for every knowledge base that has none yet."""
        for index in self._by_kb.copy().values():
            index.dense.build()

    def close(self) -> None:
        """Let go of memory."""
        for index in self._by_kb.copy().values():
            index.dense.close()

    def _opened(self, kb: str) -> KnowledgeIndex:
        with self._turn:
            if kb not in self._by_kb:
                self._by_kb[kb] = KnowledgeIndex(self._model_id, self._dims, self._successor)
            return self._by_kb[kb]


def _grouped(keys: Iterable[tuple[str, bytes]]) -> dict[str, list[bytes]]:
    grouped: dict[str, list[bytes]] = {}
    for kb, chunk in keys:
        grouped.setdefault(kb, []).append(chunk)
    return grouped
