"""Ingestor and embedder of a place in a few lines, and the sweep of a replica: what sync-delta lives beside."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np

from causeway.bus import NotPublished, WrongLastSequence
from causeway.proto import subjects
from causeway.proto.chunks import Manifest, Place
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from tests.simulation.observation import Logs, Write, records
from tests.simulation.simulated_bus import SimulatedBus
from tests.simulation.virtual_loop import pause
from tests.simulation.writers import Desk, keyed

DIMS = 4
DROPPED_AFTER_S = 60.0


def chunk_of(write: Write, text: str) -> ChunkEmbedded:
    """A paragraph with a vector that depends on its id alone."""
    chunk_id = keyed(write.place, write.kb, text)
    vector = np.frombuffer(chunk_id[:DIMS], dtype=np.int8).astype(np.float32) + 0.5
    return ChunkEmbedded(
        kb=write.kb,
        chunk_id=chunk_id,
        model="m",
        language="en",
        context="",
        text=text,
        dims=DIMS,
        vector_f16=(vector / np.linalg.norm(vector)).astype("<f2").tobytes(),
    )


def manifest_of(write: Write) -> Manifest:
    """The manifest of a write: paragraph n stands on page n."""
    return Manifest(
        kb=write.kb,
        document_id=write.document_id,
        document_key=write.document_key,
        revision=write.revision,
        deleted=write.deleted,
        title=write.title,
        residency=write.residency,
        pages=len(write.texts),
        places=[
            Place(chunk_id=keyed(write.place, write.kb, text), page_first=page, page_last=page)
            for page, text in enumerate(write.texts, start=1)
        ],
    )


@dataclass
class Embedder:
    """At least once: takes the oldest document, publishes its chunks, then its manifest, then forgets it."""

    desk: Desk
    bus: SimulatedBus
    turn: Callable[[str], Awaitable[None]]

    async def run(self) -> None:
        """For ever."""
        while True:
            if not self.desk.documents:
                await self.bus.more()
                continue
            write = self.desk.documents[0]
            with contextlib.suppress(NotPublished, WrongLastSequence):
                await self.turn("embedder")
                await self._take_in(write)
                if self.desk.documents and self.desk.documents[0] is write:
                    del self.desk.documents[0]

    async def _take_in(self, write: Write) -> None:
        manifest = manifest_of(write)
        subject = subjects.KNOWLEDGE_DOCUMENT.at(write.place, write.kb, manifest.document_key.hex())
        stored = await self.bus.last("KNOWLEDGE", subject)
        standing = stored.message.manifest if stored and isinstance(stored.message, DocumentRevised) else None
        if standing is not None and standing.revision >= write.revision:
            return
        vouched = {place.chunk_id for place in standing.places} if standing else set()
        chunks = [chunk_of(write, text) for text in dict.fromkeys(write.texts)]
        await self.bus.publish_many(
            [
                (subjects.KNOWLEDGE_CHUNK.at(write.place, write.kb, chunk.chunk_id.hex()), chunk, "")
                for chunk in chunks
                if chunk.chunk_id not in vouched
            ]
        )
        revised = DocumentRevised(manifest=manifest)
        await self.bus.publish(subject, revised, expected_last_subject_seq=stored.seq if stored else 0)


@dataclass
class Sweeper:
    """What a replica of edge-inference does to KNOWLEDGE: chunks that a manifest let go are purged after a minute."""

    place: str
    logs: Logs
    bus: SimulatedBus
    now_s: Callable[[], float]
    seen: dict[str, int] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    idle_since: dict[str, tuple[float, int]] = field(default_factory=dict)

    async def run(self) -> None:
        """Every so often, for ever."""
        while True:
            await pause(30.0)
            self._look()
            for subject, (since_s, below_seq) in list(self.idle_since.items()):
                if self.now_s() - since_s >= DROPPED_AFTER_S:
                    with contextlib.suppress(NotPublished):
                        await self.bus.purge("KNOWLEDGE", subject, below_seq)
                        self.idle_since.pop(subject, None)

    def _look(self) -> None:
        if self.logs[self.place, "KNOWLEDGE"].unsynced:
            # A replica follows the log, and so sees only what no crash takes back.
            return
        held = records(self.logs, self.place, "KNOWLEDGE")
        named = {
            subjects.KNOWLEDGE_CHUNK.at(each.origin, each.kb, place.chunk_id.hex())
            for each in held
            if isinstance(each.message, DocumentRevised)
            for place in each.message.manifest.places
        }
        chunks = {each.entry.subject: each.entry.seq for each in held if each.kind == "chunk"}
        # A chunk that was stored again waits for a manifest that is still to come.
        same = {subject for subject, seq in chunks.items() if self.seen.get(subject) == seq} - named
        dropped = sorted((self.named & same) | (self.idle_since.keys() & same))
        self.idle_since = {
            subject: self.idle_since.get(subject, (self.now_s(), chunks[subject] + 1)) for subject in dropped
        }
        self.seen, self.named = chunks, named
