"""What a shelf must hold, by the log, for tests that compare the two; and a follower that fills one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from causeway.bus import Bus
from causeway.milvus.port import Shelf
from causeway.proto import subjects
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from causeway.sync_delta.digests import ABSENT, content_hash, document_digest
from causeway.sync_delta.shelf_plan import embedded_of
from causeway.sync_delta.shelving import HeldDocument, Shelving

Digests = dict[tuple[str, str], bytes]


@asynccontextmanager
async def shelving(bus: Bus, shelf: Shelf, registry: CollectorRegistry | None = None) -> AsyncIterator[Shelving]:
    """A running follower."""
    follower = Shelving(bus, shelf, registry=registry or CollectorRegistry())
    try:
        yield follower
    finally:
        await follower.stop()


async def digests_of_log(bus: Bus) -> Digests:
    """By origin and document id."""
    manifests: list[tuple[str, DocumentRevised]] = []
    hashes: dict[bytes, bytes] = {}
    filters = [subjects.KNOWLEDGE_CHUNK.at("*"), subjects.KNOWLEDGE_DOCUMENT.at("*")]
    async for delivery in bus.scan("KNOWLEDGE", filters):
        if isinstance(delivery.message, ChunkEmbedded):
            hashes[delivery.message.chunk_id] = content_hash(delivery.message)
        elif isinstance(delivery.message, DocumentRevised):
            manifests.append((delivery.subject.split(".")[1], delivery.message))
    return {
        (origin, revised.manifest.document_id): document_digest(
            revised.manifest,
            revised.stamp.repair if revised.stamp else 0,
            lambda chunk_id: hashes.get(chunk_id, ABSENT),
        )
        for origin, revised in manifests
    }


def digest_of_held(held: HeldDocument) -> bytes:
    """Of what Milvus has."""

    def hashed(chunk_id: bytes) -> bytes:
        row = held.chunks.get(chunk_id)
        return ABSENT if row is None else content_hash(embedded_of(row))

    return document_digest(held.document.manifest, held.document.repair, hashed)


async def digests_of_shelf(follower: Shelving, *origins: str, kb: str) -> Digests:
    """By origin and document id; a row that no manifest names is an error."""
    found: Digests = {}
    for origin in origins:
        async for held in follower.held(origin, kb):
            named = {place.chunk_id for place in held.document.manifest.places}
            assert set(held.chunks) <= named, held.document.manifest.document_id
            found[origin, held.document.manifest.document_id] = digest_of_held(held)
    return found
