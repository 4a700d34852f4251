"""The shelf in memory, for tests of what writes to one; it can be made to fail."""

import dataclasses
from collections.abc import AsyncIterator, Sequence

from causeway.milvus.errors import ShelfUnavailable
from causeway.milvus.fusion import by_words, reciprocal_ranks
from causeway.milvus.rows import chunk_row
from causeway.milvus.values import Hit, ShelfPosition, ShelvedChunk, ShelvedDocument, Vector

PAGE = 64


class MemoryShelf:
    """See `Shelf`. `away` makes every call fail as if the server were gone; `writes` counts rows of chunks written."""

    def __init__(self) -> None:
        self.away = False
        self.writes = 0
        self._position = ShelfPosition()
        self._documents: dict[bytes, ShelvedDocument] = {}
        self._chunks: dict[str, dict[tuple[bytes, bytes], ShelvedChunk]] = {}

    async def start(self) -> None:
        self._check()

    async def close(self) -> None:
        pass

    async def position(self) -> ShelfPosition:
        self._check()
        return self._position

    async def put_position(self, position: ShelfPosition) -> None:
        self._check()
        self._position = position

    async def clear(self) -> None:
        self._check()
        self._documents.clear()
        self._chunks.clear()

    async def documents(self, keys: Sequence[bytes]) -> dict[bytes, ShelvedDocument]:
        self._check()
        return {key: self._documents[key] for key in keys if key in self._documents}

    async def named(self, kb: str, origin: str, document_ids: Sequence[str]) -> list[ShelvedDocument]:
        self._check()
        wanted = (kb, origin)
        return [
            document
            for document in self._documents.values()
            if (document.manifest.kb, document.origin) == wanted and document.manifest.document_id in document_ids
        ]

    async def put_documents(self, documents: Sequence[ShelvedDocument]) -> None:
        self._check()
        self._documents |= {document.key: document for document in documents}

    async def remove_documents(self, keys: Sequence[bytes]) -> None:
        self._check()
        for key in keys:
            self._documents.pop(key, None)

    async def chunks(self, keys: Sequence[bytes], *, vectors: bool = False) -> list[ShelvedChunk]:
        self._check()
        wanted = set(keys)
        held = [chunk for space in self._chunks.values() for chunk in space.values()]
        return [
            chunk if vectors else dataclasses.replace(chunk, vector=None)
            for chunk in held
            if chunk.document_key in wanted
        ]

    async def upsert_chunks(self, chunks: Sequence[ShelvedChunk]) -> None:
        self._check()
        for chunk in chunks:
            chunk_row(chunk)  # Refuses what Milvus refuses.
            self._chunks.setdefault(chunk.model, {})[chunk.key] = chunk
        self.writes += len(chunks)

    async def delete_chunks(self, chunks: Sequence[ShelvedChunk]) -> None:
        self._check()
        for chunk in chunks:
            self._chunks.get(chunk.model, {}).pop(chunk.key, None)

    async def scan(self, origin: str = "", kb: str = "") -> AsyncIterator[list[ShelvedDocument]]:
        self._check()
        found = [
            document
            for document in self._documents.values()
            if origin in ("", document.origin) and kb in ("", document.manifest.kb)
        ]
        for start in range(0, len(found), PAGE):
            yield found[start : start + PAGE]

    async def spaces(self) -> dict[str, int]:
        self._check()
        return {model: len(space) for model, space in self._chunks.items()}

    async def drop_space(self, model: str) -> None:
        self._check()
        self._chunks.pop(model, None)

    async def dense_search(self, model: str, kb: str, vector: Vector, k: int) -> list[Hit]:
        self._check()
        hits = [Hit(chunk=chunk, score=_cosine(chunk, vector)) for chunk in self._live(model, kb)]
        return sorted(hits, key=lambda hit: -hit.score)[:k]

    async def hybrid_search(self, model: str, kb: str, vector: Vector, text: str, k: int) -> list[Hit]:
        near = [_name(hit.chunk) for hit in await self.dense_search(model, kb, vector, 10_000)]
        chunks = {_name(chunk): chunk for chunk in self._live(model, kb)}
        alike = by_words(text, [(name, chunk.text) for name, chunk in chunks.items()])
        return [Hit(chunk=chunks[name], score=score) for name, score in reciprocal_ranks(near, alike)[:k]]

    def _live(self, model: str, kb: str) -> list[ShelvedChunk]:
        return [chunk for chunk in self._chunks.get(model, {}).values() if chunk.live and chunk.kb == kb]

    def _check(self) -> None:
        if self.away:
            raise ShelfUnavailable("memory: away")


def _name(chunk: ShelvedChunk) -> str:
    return f"{chunk.document_key.hex()}:{chunk.chunk_id.hex()}"


def _cosine(chunk: ShelvedChunk, vector: Vector) -> float:
    assert chunk.vector is not None
    return float(chunk.vector @ vector)
