"""A vector index that answers exactly while its faster successor is built, and then gives way to it."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from causeway.edge_inference.exact import ExactIndex
from causeway.edge_inference.ports import Hit, VectorIndex, Vectors

_SLICE_ROWS = 1_000
# Searches wait while a graph takes rows: 500 at once held them for 0.6 s (Chroma), 32 for some 50 ms.
_LIVE_SLICE_ROWS = 32
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Upsert:
    ids: Sequence[bytes]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class _Delete:
    ids: Sequence[bytes]


class SwappingIndex:
    """Exact until `build` is done. What changes meanwhile goes to both, in order: nothing is lost or revived."""

    def __init__(self, dims: int, successor: Callable[[], VectorIndex]) -> None:
        self._turn = threading.Lock()
        self._exact: ExactIndex | None = ExactIndex(dims)
        self._live: VectorIndex = self._exact
        self._successor = successor
        self._journal: list[_Upsert | _Delete] | None = None
        self._closed = False

    @property
    def exact(self) -> bool:
        """Whether the exact index still answers."""
        return self._exact is not None

    def upsert(self, ids: Sequence[bytes], vectors: Vectors) -> None:
        start = 0
        while start < len(ids):
            # Exact search takes a thousand rows in the time that a graph takes for one.
            part = slice(start, start + (_SLICE_ROWS if self.exact else _LIVE_SLICE_ROWS))
            self._upsert(ids[part], vectors[part])
            if not self.exact:
                time.sleep(0)  # Lets a search that waits for the index in.
            start = part.stop

    def delete(self, ids: Sequence[bytes]) -> None:
        with self._turn:
            self._live.delete(ids)
            if self._journal is not None:
                self._journal.append(_Delete(list(ids)))

    def search(self, vector: Vectors, k: int, allowed: Collection[bytes] | None = None) -> list[Hit]:
        return self._live.search(vector, k, allowed)

    def __len__(self) -> int:
        return len(self._live)

    def close(self) -> None:
        with self._turn:
            self._closed = True
            self._live.close()

    def build(self) -> None:
        """Build the successor from what is held now, catch up with what changed meanwhile, and swap. Runs once."""
        with self._turn:
            if self._exact is None or self._journal is not None or self._closed:
                return
            ids, vectors = self._exact.copy()
            self._journal = []
        successor = self._successor()
        for start in range(0, len(ids), _SLICE_ROWS):
            if self._closed:
                break
            successor.upsert(ids[start : start + _SLICE_ROWS], vectors[start : start + _SLICE_ROWS])
        while not self._swapped(successor):
            pass

    def _upsert(self, ids: Sequence[bytes], vectors: Vectors) -> None:
        with self._turn:
            self._live.upsert(ids, vectors)
            if self._journal is not None:
                self._journal.append(_Upsert(list(ids), np.array(vectors)))

    def _swapped(self, successor: VectorIndex) -> bool:
        """Replay what the journal has; when it has nothing more, swap under the lock that keeps new entries out."""
        with self._turn:
            journal, self._journal = self._journal or [], []
            if not journal or self._closed:
                self._journal = None
                self._take(successor)
                return True
        for entry in journal:
            if isinstance(entry, _Upsert):
                successor.upsert(entry.ids, entry.vectors)
            else:
                successor.delete(entry.ids)
        return False

    def _take(self, successor: VectorIndex) -> None:
        if self._closed:
            successor.close()
            return
        # A search that has begun keeps the old index alive until it ends.
        self._live, self._exact = successor, None
        _log.info("the index is built", extra={"chunks": len(successor)})
