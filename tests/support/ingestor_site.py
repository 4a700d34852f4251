"""A site's streams on a real nats-server with an ingestor's handler on it, for integration tests."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nats.js.errors import NotFoundError
from prometheus_client import CollectorRegistry

from causeway.bus import Bus, BusSettings
from causeway.bus.streams import declare
from causeway.ingestor.app import rules
from causeway.ingestor.archive import ReplicaArchive
from causeway.ingestor.bodies import StoredBodies
from causeway.ingestor.handlers import Ingestion
from causeway.ingestor.metrics import Metrics
from causeway.ingestor.ports import Extractor
from causeway.ingestor.revision import Naming
from causeway.ingestor.settings import Settings
from causeway.ingestor.worker import Bounds, Pool
from causeway.proto import Message, decode_any, headers, subjects
from causeway.proto.chunks import ChunkCut, RevisionDrafted
from causeway.proto.documents import Document, DocumentStatus, State
from causeway.proto.identity import document_key
from causeway.proto.knowledge import DocumentRevised

SITE = "branch"
KB = "handbook"
MODEL = "test-model/int8@00000000"
KEY = bytes(range(32))
BOUND_S = 30.0


def bus_settings(url: str, service: str) -> BusSettings:
    """A connection of one service of the test's site."""
    return BusSettings(url=url, site=SITE, service=service, drain_timeout_s=5.0)


@dataclass
class IngestorSite:
    """What a test publishes with, and what it sees arrive."""

    bus: Bus
    naming: Naming = field(default_factory=lambda: Naming(key=KEY, model=MODEL))

    async def publish(self, document_id: str, body: bytes | None, filename: str = "a.txt", **more: object) -> int:
        """Publish one state of a document; returns its revision."""
        message = Document(kb=KB, document_id=document_id, filename=filename, body=body, **more)  # type: ignore[arg-type]
        ack = await self.bus.publish(
            subjects.DOCUMENT.at(SITE, KB), message, msg_id=f"{document_id}-{time.monotonic_ns()}"
        )
        return ack.seq

    def key(self, document_id: str) -> str:
        """The key of a document in subjects."""
        return document_key(KEY, KB, document_id).hex()

    async def statuses(self, document_id: str) -> list[DocumentStatus]:
        """All that STATUS keeps of a document, oldest first."""
        found = await self.all("STATUS", subjects.STATUS.at(SITE, KB, self.key(document_id)))
        return [message for message in found if isinstance(message, DocumentStatus)]

    async def until(self, document_id: str, state: State, revision: int) -> DocumentStatus:
        """The status of a revision once it has come to `state`."""
        async with asyncio.timeout(BOUND_S):
            while True:
                for status in await self.statuses(document_id):
                    if status.state == state and status.revision == revision:
                        return status
                await asyncio.sleep(0.02)

    async def chunks(self) -> list[ChunkCut]:
        """Chunks that wait in CHUNKS, in order."""
        return [m for m in await self.all("CHUNKS", subjects.CHUNK.at(SITE, KB)) if isinstance(m, ChunkCut)]

    async def drafts(self) -> list[RevisionDrafted]:
        """Drafts that wait in CHUNKS, in order."""
        return [m for m in await self.all("CHUNKS", subjects.CHUNK.at(SITE, KB)) if isinstance(m, RevisionDrafted)]

    async def last_draft(self, document_id: str) -> RevisionDrafted | None:
        """What DRAFTS holds of a document."""
        stored = await self.bus.last("DRAFTS", subjects.DRAFT.at(SITE, KB, self.key(document_id)))
        return stored.message if stored is not None and isinstance(stored.message, RevisionDrafted) else None

    async def embed(self, document_id: str) -> None:
        """Publish the last draft as knowledge, as the embedder does once its chunks are there."""
        draft = await self.last_draft(document_id)
        assert draft is not None
        subject = subjects.KNOWLEDGE_DOCUMENT.at(SITE, KB, self.key(document_id))
        revision = draft.manifest.revision
        await self.bus.publish(subject, DocumentRevised(manifest=draft.manifest), msg_id=f"{document_id}:{revision}:r")

    async def all(self, stream: str, subject: str) -> list[Message]:
        """Every message of a subject that a stream holds, read by direct gets."""
        js = self.bus.broker.js
        state = (await js.stream_info(stream)).state
        row = next(row for row in subjects.ALL if row.stream == stream)
        found: list[Message] = []
        for seq in range(state.first_seq, state.last_seq + 1) if state.messages else ():
            try:
                raw = await js.get_msg(stream, seq=seq)
            except NotFoundError:
                continue
            if raw.subject == subject:
                found.append(decode_any(raw.data or b"", headers.message_type(raw.headers), row.carries))
        return found

    async def messages(self, stream: str) -> int:
        """How many messages a stream holds."""
        return int((await self.bus.broker.js.stream_info(stream)).state.messages)

    async def until_empty(self, stream: str, bound_s: float = BOUND_S) -> None:
        """Return once every message of a work queue is done with."""
        await self.until_at_most(stream, 0, bound_s)

    async def until_at_most(self, stream: str, count: int, bound_s: float = BOUND_S) -> None:
        """Return once a work queue holds no more than `count` messages."""
        async with asyncio.timeout(bound_s):
            while await self.messages(stream) > count:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def declared_site(url: str) -> AsyncIterator[IngestorSite]:
    """The streams of a new site, and a producer's connection."""
    async with Bus(bus_settings(url, "producer")) as bus:
        await declare(bus, fresh=True)
        yield IngestorSite(bus)


def ingestion(bus: Bus, extractor: Extractor, folder: Path, **changes: object) -> Ingestion:
    """The handler as the service builds it."""
    settings = Settings(site=SITE, chunk_key_file=folder / "unused", tesseract="off", **changes)  # type: ignore[arg-type]
    return Ingestion(
        site=SITE,
        log=bus,
        bodies=StoredBodies(bus, folder, settings.body_bytes_max),
        extractor=extractor,
        archive=ReplicaArchive(bus, SITE),
        naming=Naming(key=KEY, model=MODEL),
        rules=rules(settings),
        metrics=Metrics(CollectorRegistry()),
        unix_ms=lambda: time.time_ns() // 1_000_000,
    )


@asynccontextmanager
async def running_ingestor(
    url: str,
    folder: Path,
    *,
    lanes: int = 2,
    bounds: Bounds | None = None,
    command: Sequence[str] = (),
    **changes: object,
) -> AsyncIterator[tuple[Ingestion, Pool]]:
    """An ingestor with its own connection and workers."""
    bus = Bus(bus_settings(url, "ingestor"))
    pool = Pool(bounds or Bounds(workers=1, timeout_s=60.0), *([command] if command else []))
    handler = ingestion(bus, pool, folder, **changes)
    for _ in range(lanes):
        bus.consume(
            subjects.DOCUMENT.stream,
            subjects.DOCUMENT.at(SITE),
            handler.handle,
            message_types=subjects.DOCUMENT.carries,
            batch_max=1,
            backoff_s=(0.1,),
        )
    async with pool, bus:
        yield handler, pool
