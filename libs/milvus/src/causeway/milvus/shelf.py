"""The shelf on Milvus: embedded, standalone or distributed, by its address alone. Imports pymilvus, so adapters only.

Guarantee: what a write method returned from is kept by the server; all reads ask for strong consistency.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pymilvus import MilvusClient

from causeway.milvus import rows as rowwise
from causeway.milvus.collections import ensure, has_words
from causeway.milvus.connection import Capabilities, Connection, capabilities_of
from causeway.milvus.schema import (
    DOCUMENTS,
    DOCUMENTS_COLLECTION,
    ROWS_PER_CALL_MAX,
    STATE,
    STATE_COLLECTION,
    Collection,
    chunks,
    chunks_name,
)
from causeway.milvus.searching import Searching
from causeway.milvus.values import Hit, ShelfPosition, ShelvedChunk, ShelvedDocument, Vector

T = TypeVar("T")
THREADS = 4
KEYS_PER_CALL_MAX = 100
# They are text of up to 4 kB each, and stand in one expression.
IDS_PER_CALL_MAX = 50
QUERY_ROWS_MAX = 10_000
PAGE_ROWS = 64
_SPACE = "space:"
_STRONG = {"consistency_level": "Strong"}


class MilvusShelf:
    """See `Shelf` in `port.py`. Writes go one at a time; reads beside them."""

    def __init__(self, uri: str, *, token: str = "", timeout_s: float = 10.0) -> None:
        self._connection = Connection(uri, token, timeout_s)
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(THREADS, "milvus")
        self._writing = asyncio.Lock()
        self._starting = threading.Lock()
        self._started = False
        self._spaces: dict[str, bool] = {}
        self._searching = Searching(timeout_s)
        self.capabilities = Capabilities(version="", hybrid=False, partitions=False)

    async def start(self) -> None:
        def start(client: MilvusClient) -> None:
            with self._starting:
                self._ensure_all(client)

        await self._write(start)

    async def close(self) -> None:
        await asyncio.to_thread(self._connection.close)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def position(self) -> ShelfPosition:
        return rowwise.position_of((await self._read(self._state)).get("position"))

    async def put_position(self, position: ShelfPosition) -> None:
        await self._write(lambda client: self._upsert(client, STATE, [rowwise.position_row(position)]))

    async def clear(self) -> None:
        await self._write(self._clear)

    async def documents(self, keys: Sequence[bytes]) -> dict[bytes, ShelvedDocument]:
        return await self._read(lambda client: rowwise.documents_of(self._document_rows(client, keys)))

    async def named(self, kb: str, origin: str, document_ids: Sequence[str]) -> list[ShelvedDocument]:
        return await self._read(lambda client: self._named(client, kb, origin, document_ids))

    async def put_documents(self, documents: Sequence[ShelvedDocument]) -> None:
        await self._write(lambda client: self._put_documents(client, documents))

    async def remove_documents(self, keys: Sequence[bytes]) -> None:
        def remove(client: MilvusClient) -> None:
            ids = [row["id"] for row in self._document_rows(client, keys)]
            self._delete(client, DOCUMENTS, ids)

        await self._write(remove)

    async def chunks(self, keys: Sequence[bytes], *, vectors: bool = False) -> list[ShelvedChunk]:
        fields = [*rowwise.CHUNK_FIELDS, "dense"] if vectors else rowwise.CHUNK_FIELDS
        return await self._read(lambda client: self._chunks(client, keys, fields))

    async def upsert_chunks(self, chunks: Sequence[ShelvedChunk]) -> None:
        await self._write(lambda client: self._upsert_chunks(client, chunks))

    async def delete_chunks(self, chunks: Sequence[ShelvedChunk]) -> None:
        def delete(client: MilvusClient) -> None:
            for model in {chunk.model for chunk in chunks} & set(self._known_spaces(client)):
                ids = [rowwise.chunk_row_id(*chunk.key) for chunk in chunks if chunk.model == model]
                self._delete(client, chunks_name(model), ids)

        await self._write(delete)

    async def scan(self, origin: str = "", kb: str = "") -> AsyncIterator[list[ShelvedDocument]]:
        terms = ["part == 0"]
        terms += [f'origin == "{origin}"'] if origin else []
        terms += [f'kb == "{kb}"'] if kb else []
        fields = ["document_key"]
        iterator = await self._read(
            lambda client: self._iterator(client, DOCUMENTS, " and ".join(terms), fields, PAGE_ROWS)
        )
        while page := await self._read(lambda _: iterator.next()):
            # The pages are only keys: what stands under them is read whole, with all its parts.
            found = await self.documents([bytes.fromhex(row["document_key"]) for row in page])
            yield list(found.values())
        iterator.close()

    async def spaces(self) -> dict[str, int]:
        return await self._read(self._count_spaces)

    async def drop_space(self, model: str) -> None:
        await self._write(lambda client: self._drop_space(client, model))

    async def dense_search(self, model: str, kb: str, vector: Vector, k: int) -> list[Hit]:
        return await self._search(model, lambda client: self._searching.dense(client, model, kb, vector, k))

    async def hybrid_search(self, model: str, kb: str, vector: Vector, text: str, k: int) -> list[Hit]:
        def act(client: MilvusClient) -> list[Hit]:
            words = self._spaces[model]
            return self._searching.hybrid(client, model, kb, vector, text, k, words=words)

        return await self._search(model, act)

    async def _search(self, model: str, act: Callable[[MilvusClient], list[Hit]]) -> list[Hit]:
        def among_known(client: MilvusClient) -> list[Hit]:
            return act(client) if self._knows(client, model) else []

        return await self._read(among_known)

    async def _read(self, act: Callable[[MilvusClient], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._connection.call, act)

    async def _write(self, act: Callable[[MilvusClient], T]) -> T:
        async with self._writing:
            return await self._read(act)

    def _ensure_all(self, client: MilvusClient) -> None:
        capabilities = capabilities_of(str(client.get_server_version(timeout=self._timeout_s)))
        ensure(client, STATE_COLLECTION, self._timeout_s)
        ensure(client, DOCUMENTS_COLLECTION, self._timeout_s)
        self.capabilities = capabilities
        spaces = {}
        for key, value in self._state(client).items():
            if key.startswith(_SPACE):
                spaces[value["model"]] = self._ensure_space(client, value["model"], value["dims"])
        self._spaces = spaces
        self._started = True

    def _ensure_space(self, client: MilvusClient, model: str, dims: int) -> bool:
        """Returns whether it can be searched by words."""
        wanted = self._space(model, dims)
        # Known before it is made: a collection that nobody knows of would never be dropped.
        value = {"model": model, "dims": dims}
        self._upsert(client, STATE, [rowwise.state_row(_SPACE + wanted.name, value)])
        return self._open_space(client, wanted)

    def _open_space(self, client: MilvusClient, wanted: Collection) -> bool:
        ensure(client, wanted, self._timeout_s)
        return has_words(client, wanted.name, self._timeout_s)

    def _space(self, model: str, dims: int) -> Collection:
        return chunks(model, dims, hybrid=self.capabilities.hybrid, partitions=self.capabilities.partitions)

    def _known_spaces(self, client: MilvusClient) -> list[str]:
        with self._starting:
            if not self._started:
                self._ensure_all(client)
        return list(self._spaces)

    def _knows(self, client: MilvusClient, model: str) -> bool:
        """Whether there is such a space; another process may have made it since the last look."""
        if model not in self._known_spaces(client):
            space = self._state(client).get(_SPACE + chunks_name(model))
            if space is not None:
                self._spaces[model] = self._open_space(client, self._space(model, space["dims"]))
        return model in self._spaces

    def _state(self, client: MilvusClient) -> dict[str, dict[str, Any]]:
        found = self._all(client, STATE, 'id != ""', ["id", "value"])
        return {row["id"]: json.loads(row["value"]) for row in found}

    def _put_documents(self, client: MilvusClient, documents: Sequence[ShelvedDocument]) -> None:
        written = [row for document in documents for row in rowwise.document_rows(document)]
        # Heads last, so that a write that is cut off leaves a document that does not fit together.
        for head in (False, True):
            self._upsert(client, DOCUMENTS, [row for row in written if (row["part"] == 0) is head])

    def _document_rows(self, client: MilvusClient, keys: Sequence[bytes]) -> list[rowwise.Row]:
        found: list[rowwise.Row] = []
        for some in rowwise.batched(keys, KEYS_PER_CALL_MAX):
            among = rowwise.any_of("document_key", [key.hex() for key in some])
            found += self._all(client, DOCUMENTS, among, rowwise.DOCUMENT_FIELDS)
        return found

    def _named(self, client: MilvusClient, kb: str, origin: str, document_ids: Sequence[str]) -> list[ShelvedDocument]:
        found: list[rowwise.Row] = []
        # Every part of a document has its name.
        of_origin = f"{rowwise.any_of('kb', [kb])} and {rowwise.any_of('origin', [origin])}"
        for some in rowwise.batched(document_ids, IDS_PER_CALL_MAX):
            among = f"{of_origin} and {rowwise.any_of('document_id', some)}"
            found += self._all(client, DOCUMENTS, among, rowwise.DOCUMENT_FIELDS)
        return list(rowwise.documents_of(found).values())

    def _chunks(self, client: MilvusClient, keys: Sequence[bytes], fields: list[str]) -> list[ShelvedChunk]:
        found: list[ShelvedChunk] = []
        for model in self._known_spaces(client):
            for some in rowwise.batched(keys, KEYS_PER_CALL_MAX):
                among = rowwise.any_of("document_key", [key.hex() for key in some])
                held = self._all(client, chunks_name(model), among, fields)
                found += [rowwise.chunk_of(row, model) for row in held]
        return found

    def _upsert_chunks(self, client: MilvusClient, some: Sequence[ShelvedChunk]) -> None:
        by_model: dict[str, list[rowwise.Row]] = {}
        for chunk in some:
            by_model.setdefault(chunk.model, []).append(rowwise.chunk_row(chunk))
        for model, written in by_model.items():
            if model not in self._known_spaces(client):
                self._spaces[model] = self._ensure_space(client, model, len(written[0]["dense"]))
            self._upsert(client, chunks_name(model), written)

    def _upsert(self, client: MilvusClient, name: str, written: Sequence[rowwise.Row]) -> None:
        for some in rowwise.batched(written, ROWS_PER_CALL_MAX):
            client.upsert(name, some, timeout=self._timeout_s)

    def _delete(self, client: MilvusClient, name: str, ids: Sequence[str]) -> None:
        for some in rowwise.batched(ids, ROWS_PER_CALL_MAX):
            client.delete(name, ids=some, timeout=self._timeout_s)

    def _iterator(self, client: MilvusClient, name: str, among: str, fields: list[str], rows_max: int) -> Any:
        return client.query_iterator(
            name, batch_size=rows_max, filter=among, output_fields=fields, timeout=self._timeout_s, **_STRONG
        )

    def _all(self, client: MilvusClient, name: str, among: str, fields: list[str]) -> list[rowwise.Row]:
        found: list[rowwise.Row] = client.query(
            name, filter=among, output_fields=fields, limit=QUERY_ROWS_MAX, timeout=self._timeout_s, **_STRONG
        )
        if len(found) < QUERY_ROWS_MAX:
            return found
        iterator = self._iterator(client, name, among, fields, ROWS_PER_CALL_MAX)
        found = []
        while page := iterator.next():
            found += page
        iterator.close()
        return found

    def _count_spaces(self, client: MilvusClient) -> dict[str, int]:
        counts = {}
        for model in self._known_spaces(client):
            (row,) = client.query(
                chunks_name(model), filter="", output_fields=["count(*)"], timeout=self._timeout_s, **_STRONG
            )
            counts[model] = int(row["count(*)"])
        return counts

    def _drop_space(self, client: MilvusClient, model: str) -> None:
        client.drop_collection(chunks_name(model), timeout=self._timeout_s)
        self._delete(client, STATE, [_SPACE + chunks_name(model)])
        self._spaces.pop(model, None)

    def _clear(self, client: MilvusClient) -> None:
        for model in self._known_spaces(client):
            self._drop_space(client, model)
        client.drop_collection(DOCUMENTS, timeout=self._timeout_s)
        ensure(client, DOCUMENTS_COLLECTION, self._timeout_s)
