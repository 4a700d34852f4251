"""What the hub needs of a vector database. `shelf.py` does it with Milvus; a fake in the tests does it in memory."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from causeway.milvus.values import Hit, ShelfPosition, ShelvedChunk, ShelvedDocument, Vector


class Shelf(Protocol):
    """Writes are acknowledged when they are kept, and reads see every write that was acknowledged before.

    Every method may raise ShelfUnavailable (ask again later) or ShelfRefused (do not). All writes are idempotent.
    """

    async def start(self) -> None:
        """Connect and make what is not there."""

    async def close(self) -> None:
        """Let go of the connection."""

    async def position(self) -> ShelfPosition:
        """How far the log is applied."""

    async def put_position(self, position: ShelfPosition) -> None:
        """Call after the effects."""

    async def clear(self) -> None:
        """Drop every document, chunk and embedding space; the position stays."""

    async def documents(self, keys: Sequence[bytes]) -> dict[bytes, ShelvedDocument]:
        """Those of the documents that are held whole."""

    async def named(self, kb: str, origin: str, document_ids: Sequence[str]) -> list[ShelvedDocument]:
        """Those of the documents of an origin, by their producer's ids, that are held whole; tombstones too."""

    async def put_documents(self, documents: Sequence[ShelvedDocument]) -> None:
        """Write or replace."""

    async def remove_documents(self, keys: Sequence[bytes]) -> None:
        """Forget documents; their chunks are deleted apart from this."""

    async def chunks(self, keys: Sequence[bytes], *, vectors: bool = False) -> list[ShelvedChunk]:
        """All rows of these documents, of every embedding space."""

    async def upsert_chunks(self, chunks: Sequence[ShelvedChunk]) -> None:
        """Write or replace; a new embedding space is made."""

    async def delete_chunks(self, chunks: Sequence[ShelvedChunk]) -> None:
        """Delete by document, chunk and model."""

    def scan(self, origin: str = "", kb: str = "") -> AsyncIterator[list[ShelvedDocument]]:
        """All documents (of an origin, of a kb) in pages, tombstones too."""

    async def spaces(self) -> dict[str, int]:
        """The embedding spaces, with how many rows each has."""

    async def drop_space(self, model: str) -> None:
        """Drop an embedding space with all its rows."""

    async def dense_search(self, model: str, kb: str, vector: Vector, k: int) -> list[Hit]:
        """The k live chunks of a kb that are nearest by cosine."""

    async def hybrid_search(self, model: str, kb: str, vector: Vector, text: str, k: int) -> list[Hit]:
        """The k best live chunks of a kb by the ranks of meaning and of words together."""
