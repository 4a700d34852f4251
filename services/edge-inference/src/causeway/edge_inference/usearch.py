"""The vector index on usearch: HNSW over float16, in memory."""

import threading
from collections.abc import Collection, Sequence

import numpy as np
from usearch.index import Index

from causeway.edge_inference.ports import Hit, Vectors

_CONNECTIVITY = 16
_EXPANSION_ADD = 128
_EXPANSION_SEARCH = 64


class UsearchIndex:
    """Chunk ids are 16 bytes and usearch's keys are numbers, so the two are mapped here."""

    def __init__(self, dims: int) -> None:
        self._turn = threading.Lock()
        self._dims = dims
        self._index = _empty(dims)
        self._keys: dict[bytes, int] = {}
        self._ids: dict[int, bytes] = {}
        self._key_next = 0

    def upsert(self, ids: Sequence[bytes], vectors: Vectors) -> None:
        if not ids:
            return
        with self._turn:
            self._forget(ids)
            keys = np.arange(self._key_next, self._key_next + len(ids), dtype=np.uint64)
            self._key_next += len(ids)
            self._index.add(keys, np.ascontiguousarray(vectors), threads=1)
            for chunk_id, key in zip(ids, keys.tolist(), strict=True):
                self._keys[chunk_id] = key
                self._ids[key] = chunk_id

    def delete(self, ids: Sequence[bytes]) -> None:
        with self._turn:
            self._forget(ids)

    def search(self, vector: Vectors, k: int, allowed: Collection[bytes] | None = None) -> list[Hit]:
        with self._turn:
            if allowed is not None:
                return self._search_among(vector, k, allowed)
            if not self._ids:
                return []
            matches = self._index.search(vector, min(k, len(self._ids)), threads=1)
            return [
                Hit(self._ids[key], 1.0 - float(distance))
                for key, distance in zip(matches.keys.tolist(), matches.distances.tolist(), strict=True)
            ]

    def __len__(self) -> int:
        return len(self._ids)

    def close(self) -> None:
        with self._turn:
            self._index, self._keys, self._ids = _empty(self._dims), {}, {}

    def _search_among(self, vector: Vectors, k: int, allowed: Collection[bytes]) -> list[Hit]:
        # The graph has no filter; the vectors of a chosen few are compared one by one.
        known = [chunk for chunk in allowed if chunk in self._keys]
        if not known:
            return []
        vectors = np.asarray(self._index.get(np.array([self._keys[chunk] for chunk in known], np.uint64)), np.float32)
        scores = vectors @ vector
        return [Hit(known[place], float(scores[place])) for place in np.argsort(-scores, kind="stable")[:k]]

    def _forget(self, ids: Sequence[bytes]) -> None:
        for chunk_id in ids:
            key = self._keys.pop(chunk_id, None)
            if key is not None:
                self._index.remove(key)
                del self._ids[key]


def _empty(dims: int) -> Index:
    return Index(
        ndim=dims,
        metric="ip",
        dtype="f16",
        connectivity=_CONNECTIVITY,
        expansion_add=_EXPANSION_ADD,
        expansion_search=_EXPANSION_SEARCH,
    )
