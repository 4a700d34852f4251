"""sync-delta of both roles over linked servers, and documents as the embedder writes them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry

from causeway.bus import Bus
from causeway.proto import streams, subjects
from causeway.proto.chunks import Manifest, Place
from causeway.proto.documents import Residency
from causeway.proto.identity import chunk_id, document_key
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised, DocumentShadowed
from causeway.sync_delta.metrics import Metrics
from causeway.sync_delta.service import Limits, SyncDelta
from causeway.sync_delta.state import State
from tests.support.hashed_encoder import HashedEncoder
from tests.support.linked_servers import LinkedServers
from tests.support.waiting import until_async

FAST = Limits(report_every_s=0.3, upkeep_every_s=0.5)
BOUND_S = 30.0


def key_of(place: str) -> bytes:
    """The chunk key of a place: each has its own."""
    return hashlib.blake2b(place.encode(), digest_size=32).digest()


@dataclass
class PlaceLog:
    """What is written and read at a place, whoever runs its sync-delta."""

    name: str
    app: Bus
    link: Bus
    revisions: dict[str, int] = field(default_factory=dict)

    async def write(
        self,
        document_id: str,
        texts: Sequence[str],
        *,
        kb: str = "k",
        residency: Residency = Residency.PUBLIC,
        revision: int = 0,
        deleted: bool = False,
    ) -> int:
        """A revision as the embedder writes it: its chunks, then its manifest. Returns the revision."""
        revision = revision or self.revisions.get(document_id, 0) + 1
        self.revisions[document_id] = revision
        key = key_of(self.name)
        ids = [chunk_id(key, kb, HashedEncoder().model_id, text) for text in texts]
        for text, name in zip(texts, ids, strict=True):
            subject = subjects.KNOWLEDGE_CHUNK.at(self.name, kb, name.hex())
            chunk = embedded(kb, name, text)
            await self.app.publish(subject, chunk, msg_id=f"{name.hex()}:{document_id}:{revision}")
        manifest = Manifest(
            kb=kb,
            document_id=document_id,
            document_key=document_key(key, kb, document_id),
            revision=revision,
            deleted=deleted,
            title=f"Title of {document_id}",
            residency=residency,
            model=HashedEncoder().model_id,
            places=[Place(chunk_id=name, page_first=1, page_last=1) for name in ids],
        )
        subject = subjects.KNOWLEDGE_DOCUMENT.at(self.name, kb, manifest.document_key.hex())
        await self.app.publish(subject, DocumentRevised(manifest=manifest), msg_id=f"{document_id}:{revision}")
        return revision

    async def revised(self, origin: str, document_id: str, kb: str = "k") -> DocumentRevised | None:
        """What this place's KNOWLEDGE holds of an origin's document."""
        key = document_key(key_of(origin), kb, document_id)
        subject = subjects.KNOWLEDGE_DOCUMENT.at(origin, kb, key.hex())
        stored = await self.app.last(streams.KNOWLEDGE.name, subject)
        if stored is None:
            return None
        assert isinstance(stored.message, DocumentRevised)
        return stored.message

    async def texts(self, origin: str, document_id: str, kb: str = "k") -> list[str] | None:
        """The texts of a document as this place's KNOWLEDGE holds them, or None while it has none."""
        revised = await self.revised(origin, document_id, kb)
        if revised is None or revised.manifest.deleted:
            return None
        names = [subjects.KNOWLEDGE_CHUNK.at(origin, kb, place.chunk_id.hex()) for place in revised.manifest.places]
        stored = await self.app.last_many(streams.KNOWLEDGE.name, names)
        messages = [stored[name].message for name in names]
        return [message.text for message in messages if isinstance(message, ChunkEmbedded)]

    async def shadow(self, origin: str, document_id: str, kb: str = "k") -> DocumentShadowed | None:
        """The shadow over an origin's document here."""
        key = document_key(key_of(origin), kb, document_id)
        stored = await self.app.last(streams.KNOWLEDGE.name, subjects.KNOWLEDGE_SHADOW.at(origin, kb, key.hex()))
        if stored is None:
            return None
        assert isinstance(stored.message, DocumentShadowed)
        return stored.message

    async def until_revision(
        self, origin: str, document_id: str, revision: int, kb: str = "k", bound_s: float = BOUND_S
    ) -> DocumentRevised:
        """Return once this place holds that revision of an origin's document."""

        async def there() -> bool:
            held = await self.revised(origin, document_id, kb)
            return held is not None and held.manifest.revision >= revision

        await until_async(there, bound_s)
        found = await self.revised(origin, document_id, kb)
        assert found is not None
        return found


@dataclass(kw_only=True)
class RunningPlace(PlaceLog):
    """sync-delta of one place with its buses."""

    sync: SyncDelta

    async def until_quiet(self, bound_s: float = BOUND_S) -> None:
        """Return once the hub has applied all that this site decided to share."""
        await until_async(self.sync.quiet, bound_s)


def embedded(kb: str, name: bytes, text: str) -> ChunkEmbedded:
    """A chunk with a vector that its text determines."""
    encoder = HashedEncoder()
    return ChunkEmbedded(
        kb=kb,
        chunk_id=name,
        model=encoder.model_id,
        language="en",
        context="",
        text=text,
        dims=encoder.dims,
        vector_f16=encoder.encode_passages([text])[0].astype("<f2").tobytes(),
    )


@asynccontextmanager
async def running(fleet: LinkedServers, place: str, folder: Path, limits: Limits = FAST) -> AsyncIterator[RunningPlace]:
    """sync-delta of a place. Its state is in `folder`."""
    state = State(folder / f"sync-delta-{place}", place)
    try:
        async with fleet.bus(place) as app, fleet.bus(place, "link") as other:
            link = app if place == subjects.HUB else other
            sync = SyncDelta(place, app, link, state, key_of(place), limits, Metrics(CollectorRegistry()))
            try:
                await sync.start()
                yield RunningPlace(place, app, link, sync=sync)
            finally:
                async with asyncio.timeout(20):
                    await sync.stop()
    finally:
        state.close()


@asynccontextmanager
async def writer(fleet: LinkedServers, place: str) -> AsyncIterator[PlaceLog]:
    """The logs of a place whose sync-delta runs elsewhere."""
    async with fleet.bus(place, service="writer") as app, fleet.bus(place, "link", service="writer") as link:
        yield PlaceLog(place, app, link)
