"""The text of documents as the site knows it: the chunks of their manifests, read from the KNOWLEDGE log."""

import asyncio

from causeway.bus import Bus, Delivery, Position
from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from causeway.proto.subjects import KNOWLEDGE_CHUNK, KNOWLEDGE_DOCUMENT

READ_TIMEOUT_S = 300.0


async def document_texts(bus: Bus, kb: str) -> dict[str, str]:
    """Document id to its chunks' contexts and texts, in the order of the manifest."""
    chunks: dict[bytes, ChunkEmbedded] = {}
    manifests: dict[str, Manifest] = {}
    caught_up = asyncio.Event()

    async def take(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            message = delivery.message
            if isinstance(message, ChunkEmbedded):
                chunks[message.chunk_id] = message
            elif isinstance(message, DocumentRevised):
                manifests[message.manifest.document_id] = message.manifest

    async def from_the_beginning() -> Position:
        return Position()

    async def done() -> None:
        caught_up.set()

    site = bus.settings.site
    following = bus.follow(
        "KNOWLEDGE",
        [KNOWLEDGE_CHUNK.at(site, kb), KNOWLEDGE_DOCUMENT.at(site, kb)],
        from_the_beginning,
        take,
        message_types=(ChunkEmbedded, DocumentRevised),
        on_caught_up=done,
    )
    async with asyncio.timeout(READ_TIMEOUT_S):
        await caught_up.wait()
    await following.stop()
    return {key: _text(manifest, chunks) for key, manifest in manifests.items() if not manifest.deleted}


def _text(manifest: Manifest, chunks: dict[bytes, ChunkEmbedded]) -> str:
    found = [chunks[place.chunk_id] for place in manifest.places if place.chunk_id in chunks]
    return "\n".join(f"{chunk.context}\n{chunk.text}" for chunk in found)
