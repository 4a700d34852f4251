"""The vector index on Chroma, in memory: one collection, which holds ids and vectors and never a text."""

import itertools
import threading
from collections.abc import Collection, Sequence
from typing import Any

from causeway.edge_inference.ports import Hit, Vectors

_serial = itertools.count()


class ChromaIndex:
    """A collection of its own name, because in-memory clients of one process share what they hold."""

    def __init__(self, dims: int) -> None:
        # Two to three seconds and 80 MB: whoever uses another backend shall not pay for them.
        import chromadb
        from chromadb.config import Settings
        from chromadb.errors import InternalError

        self._internal_error = InternalError
        self._dims = dims
        self._client = chromadb.EphemeralClient(Settings(anonymized_telemetry=False, is_persistent=False))
        # Chroma wants 3 to 512 characters; the kb's own name may be shorter, and would be one more copy of it.
        self._name = f"chunks-{next(_serial)}"
        self._collection: Any = self._client.create_collection(
            self._name,
            embedding_function=None,
            configuration={"hnsw": {"space": "ip", "ef_construction": 128, "ef_search": 64, "max_neighbors": 16}},
        )
        self._batch_max = self._client.get_max_batch_size()
        # Chroma fails on a filter that names an id which is not there, and counting by it costs a query.
        self._ids: set[bytes] = set()
        self._turn = threading.Lock()

    def upsert(self, ids: Sequence[bytes], vectors: Vectors) -> None:
        # `add` would silently keep the old vector of an id that is there.
        for start in range(0, len(ids), self._batch_max):
            part = slice(start, start + self._batch_max)
            with self._turn:
                self._collection.upsert(ids=[chunk.hex() for chunk in ids[part]], embeddings=vectors[part])
                self._ids.update(ids[part])

    def delete(self, ids: Sequence[bytes]) -> None:
        for start in range(0, len(ids), self._batch_max):
            part = ids[start : start + self._batch_max]
            with self._turn:
                self._ids.difference_update(part)
                self._collection.delete(ids=[chunk.hex() for chunk in part])

    def search(self, vector: Vectors, k: int, allowed: Collection[bytes] | None = None) -> list[Hit]:
        # No lock: an ask must not wait for a batch that goes in.
        if allowed is None:
            return self._query(vector, k, None) if self._ids else []
        try:
            return self._query_among(vector, k, allowed)
        except self._internal_error:
            return self._query_among(vector, k, allowed)  # One of them was deleted in between.

    def __len__(self) -> int:
        return len(self._ids)

    def close(self) -> None:
        self._client.delete_collection(self._name)

    def _query_among(self, vector: Vectors, k: int, allowed: Collection[bytes]) -> list[Hit]:
        among = [chunk.hex() for chunk in allowed if chunk in self._ids]
        return self._query(vector, k, among) if among else []

    def _query(self, vector: Vectors, k: int, among: list[str] | None) -> list[Hit]:
        found = self._collection.query(query_embeddings=vector[None, :], n_results=k, ids=among, include=["distances"])
        return [
            Hit(bytes.fromhex(chunk), 1.0 - float(distance))
            for chunk, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        ]
