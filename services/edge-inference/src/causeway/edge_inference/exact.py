"""Exact search over one matrix: right by construction, and fast enough to answer alone up to some 100,000 chunks."""

import threading
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from causeway.edge_inference.ports import Hit, Vectors

_ROWS_MIN = 256


class ExactIndex:
    """Rows of a float32 matrix that doubles as it fills; a deleted row is filled with the last one."""

    def __init__(self, dims: int) -> None:
        self._turn = threading.Lock()
        self._matrix: Vectors = np.zeros((_ROWS_MIN, dims), np.float32)
        self._ids: list[bytes] = []
        self._rows: dict[bytes, int] = {}

    def upsert(self, ids: Sequence[bytes], vectors: Vectors) -> None:
        with self._turn:
            self._make_room(len(ids))
            for chunk_id in ids:
                if chunk_id not in self._rows:
                    self._rows[chunk_id] = len(self._ids)
                    self._ids.append(chunk_id)
            self._matrix[[self._rows[chunk_id] for chunk_id in ids]] = vectors

    def delete(self, ids: Sequence[bytes]) -> None:
        with self._turn:
            for chunk_id in ids:
                row = self._rows.pop(chunk_id, None)
                if row is None:
                    continue
                last = self._ids.pop()
                if last != chunk_id:
                    self._matrix[row] = self._matrix[len(self._ids)]
                    self._ids[row] = last
                    self._rows[last] = row

    def search(self, vector: Vectors, k: int, allowed: Collection[bytes] | None = None) -> list[Hit]:
        with self._turn:
            if allowed is None:
                return self._best(self._matrix[: len(self._ids)] @ vector, None, k)
            rows = np.array(sorted(self._rows[chunk] for chunk in allowed if chunk in self._rows), np.intp)
            return self._best(self._matrix[rows] @ vector, rows, k)

    def __len__(self) -> int:
        return len(self._ids)

    def close(self) -> None:
        with self._turn:
            self._ids, self._rows = [], {}
            self._matrix = np.zeros((0, self._matrix.shape[1]), np.float32)

    def copy(self) -> tuple[list[bytes], Vectors]:
        """All ids and their vectors at one moment."""
        with self._turn:
            return list(self._ids), self._matrix[: len(self._ids)].copy()

    def _best(self, scores: Vectors, rows: NDArray[np.intp] | None, k: int) -> list[Hit]:
        best = np.argpartition(-scores, k - 1)[:k] if k < len(scores) else np.arange(len(scores))
        best = best[np.argsort(-scores[best], kind="stable")]
        return [Hit(self._ids[place if rows is None else rows[place]], float(scores[place])) for place in best]

    def _make_room(self, more: int) -> None:
        needed = len(self._ids) + more
        if needed > len(self._matrix):
            grown = np.zeros((max(needed, 2 * len(self._matrix)), self._matrix.shape[1]), np.float32)
            grown[: len(self._ids)] = self._matrix[: len(self._ids)]
            self._matrix = grown
