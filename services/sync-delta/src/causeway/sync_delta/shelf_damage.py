"""Which documents Milvus holds otherwise than the hub's log: read row by row, in bounded memory."""

import asyncio
import logging
from collections.abc import Mapping

from causeway.sync_delta.digests import ABSENT, content_hash, document_digest
from causeway.sync_delta.replicas import Replica
from causeway.sync_delta.shelf_plan import embedded_of
from causeway.sync_delta.shelving import HeldDocument, Name, Shelving

CAUGHT_UP_S_MAX = 60.0
_log = logging.getLogger(__name__)


class ShelfDamage:
    """For `Comparing`. What Milvus has and the log has not is nobody's to send again: it is removed at once."""

    def __init__(self, shelving: Shelving) -> None:
        self._shelving = shelving

    async def __call__(self, origin: str, kb: str, replica: Replica) -> set[bytes]:
        """The keys of the documents that are missing, stale or changed in Milvus."""
        async with asyncio.timeout(CAUGHT_UP_S_MAX):
            await self._shelving.caught_up.wait()
        missing, damaged, surplus = set(replica.documents), set[bytes](), list[Name]()
        async for held in self._shelving.held(origin, kb):
            key = held.document.key
            missing.discard(key)
            if key in replica.documents:
                if not same(held, replica):
                    damaged.add(key)
            elif not held.document.manifest.deleted or held.chunks:
                surplus.append(Name(origin=origin, kb=kb, key=key))
        if surplus:
            _log.warning("Milvus holds documents that the log has not", extra={"kb": kb, "documents": len(surplus)})
            await self._shelving.mend(surplus)
        return damaged | missing


def same(held: HeldDocument, replica: Replica) -> bool:
    """Whether the rows of a document say what the log says."""
    manifest = held.document.manifest
    named = {place.chunk_id for place in manifest.places}
    hashes: Mapping[bytes, bytes] = {chunk: content_hash(embedded_of(row)) for chunk, row in held.chunks.items()}
    digest = document_digest(manifest, held.document.repair, lambda chunk: hashes.get(chunk, ABSENT))
    return held.chunks.keys() == named and digest == replica.digest(replica.documents[manifest.document_key])
