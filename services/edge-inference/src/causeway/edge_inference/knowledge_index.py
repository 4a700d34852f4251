"""The disposable indexes of a site: for each knowledge base its vectors and its terms, made from the vault."""

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from causeway.edge_inference.ports import VectorIndex
from causeway.edge_inference.records import ChunkRecord
from causeway.edge_inference.swapping import SwappingIndex
from causeway.edge_inference.vault_reader import VaultReader, unit_vectors
from causeway.language import terms
from causeway.retrieval import LexicalIndex

_LOAD_ROWS = 1_000
Entry = tuple[bytes, ChunkRecord]


class KnowledgeIndex:
    """One knowledge base. Chunks of another embedding model are found by their terms only."""

    def __init__(self, model_id: str, dims: int, successor: Callable[[], VectorIndex]) -> None:
        self.lexical = LexicalIndex()
        self.dense = SwappingIndex(dims, successor)
        self.foreign: set[bytes] = set()
        self._model_id = model_id
        self._dims = dims

    def __len__(self) -> int:
        return len(self.lexical)

    def put(self, entries: Sequence[Entry]) -> None:
        """Index chunks, over what was there."""
        own = [(chunk, record) for chunk, record in entries if self._comparable(record)]
        if own:
            self.dense.upsert([chunk for chunk, _ in own], unit_vectors([record for _, record in own]))
        self.foreign -= {chunk for chunk, _ in own}
        self.foreign |= {chunk for chunk, record in entries if not self._comparable(record)}
        for chunk, record in entries:
            self.lexical.upsert(chunk, terms(f"{record.context}\n{record.text}", record.language))

    def drop(self, chunks: Sequence[bytes]) -> None:
        """Forget chunks."""
        self.dense.delete(chunks)
        self.foreign.difference_update(chunks)
        for chunk in chunks:
            self.lexical.delete(chunk)

    def _comparable(self, record: ChunkRecord) -> bool:
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

    def load(self, kb: str, entries: Iterable[Entry]) -> None:
        """Fill a knowledge base's index from the vault."""
        index, source = self._opened(kb), iter(entries)
        while part := list(islice(source, _LOAD_ROWS)):
            index.put(part)

    def follow(
        self, reader: VaultReader, indexed: Iterable[tuple[str, bytes]], unindexed: Iterable[tuple[str, bytes]]
    ) -> None:
        """Bring the indexes to where a commit has brought the vault."""
        for kb, chunks in _grouped(unindexed).items():
            if (index := self._by_kb.get(kb)) is not None:
                index.drop(chunks)
        for kb, chunks in _grouped(indexed).items():
            records = ((chunk, reader.chunk(kb, chunk)) for chunk in chunks)
            self.load(kb, ((chunk, record) for chunk, record in records if record is not None))

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
