"""After a change of the embedding model: own documents in KNOWLEDGE get the chunk ids and vectors of the new space.

Nothing is parsed or embedded again: texts are in KNOWLEDGE, vectors in VECTORS. At least once: the new chunks are there
before the manifest that names them, which keeps its revision and is put by compare-and-set, so that a newer revision is
never overwritten; a crash repeats the document to the same ids. The old chunks are then named by nothing, and swept.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

import msgspec
from prometheus_client import Gauge

from causeway.bus import BusError, Delivery, PubAck, Stored, WrongLastSequence
from causeway.ingestor.chunking import embed_text
from causeway.ingestor.revision import Naming
from causeway.proto import Message, identity, subjects
from causeway.proto.chunks import Manifest, RevisionDrafted
from causeway.proto.knowledge import ChunkEmbedded, ChunkReembedded, DocumentRevised

AGAIN_S = (1.0, 5.0, 30.0, 300.0)
KNOWLEDGE, VECTORS = subjects.KNOWLEDGE_CHUNK.stream, subjects.VECTOR.stream
log = logging.getLogger(__name__)


class SpacesLog(Protocol):
    """The part of the bus that this needs."""

    async def last(self, stream: str, subject: str) -> Stored | None: ...

    async def last_many(self, stream: str, wanted: Iterable[str]) -> dict[str, Stored]: ...

    def scan(self, stream: str, filter_subjects: Sequence[str]) -> AsyncIterator[Delivery]: ...

    async def publish(
        self, subject: str, message: Message, *, msg_id: str, expected_last_subject_seq: int | None = None
    ) -> PubAck: ...

    async def publish_many(self, entries: Iterable[tuple[str, Message, str]]) -> list[PubAck]: ...

    async def count(self, stream: str) -> int: ...


class Renaming:
    """Runs beside the ingestor until every own document stands in the space of `naming`."""

    def __init__(self, site: str, log: SpacesLog, naming: Naming, elsewhere: Gauge) -> None:
        self._site = site
        self._log = log
        self._naming = naming
        self._space = subjects.space_token(naming.model)
        self._elsewhere = elsewhere

    async def until(self, stop: asyncio.Event) -> None:
        """Go over KNOWLEDGE until nothing is left, ever less often while vectors are missing."""
        passes = 0
        while not stop.is_set():
            try:
                drafts = await self._log.count(subjects.CHUNK.stream)
                left = await self.once()
                # A draft that was under way during the pass may still become a manifest of the other space.
                if not left and not drafts:
                    return
                log.info("documents stand in another embedding space", extra={"documents": left, "drafts": drafts})
            except Exception as error:  # The outermost loop: new documents are taken meanwhile.
                expected = isinstance(error, BusError | TimeoutError)
                log.warning("renaming waits", extra={"reason": str(error)}, exc_info=None if expected else error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), AGAIN_S[min(passes, len(AGAIN_S) - 1)])
            passes += 1

    async def once(self) -> int:
        """Rename what can be. Returns how many documents were elsewhere when they were met."""
        met = lacking = 0
        async for delivery in self._log.scan(KNOWLEDGE, [subjects.KNOWLEDGE_DOCUMENT.at(self._site)]):
            revised = delivery.message
            if isinstance(revised, DocumentRevised) and self._is_elsewhere(revised.manifest):
                met += 1
                lacking += not await self._rename(revised, delivery.stream_seq)
        self._elsewhere.set(lacking)
        return met

    def _is_elsewhere(self, manifest: Manifest) -> bool:
        return not manifest.deleted and manifest.model != self._naming.model

    async def _rename(self, revised: DocumentRevised, seq: int) -> bool:
        """Whether the document is here now; the next pass looks again where a newer revision took its place."""
        chunks = await self._chunks(revised.manifest)
        if chunks is None:
            return False
        manifest = _renamed(revised.manifest, {old: chunk.chunk_id for old, chunk in chunks.items()}, self._naming)
        await self._log.publish_many([self._entry(chunk, seq) for chunk in chunks.values()])
        await self._rename_draft(manifest)
        key = manifest.document_key.hex()
        with suppress(WrongLastSequence):
            await self._log.publish(
                subjects.KNOWLEDGE_DOCUMENT.at(self._site, manifest.kb, key),
                msgspec.structs.replace(revised, manifest=manifest),
                msg_id=f"{manifest.kb}:{key}:{manifest.revision}:{self._space}:{seq}",
                expected_last_subject_seq=seq,
            )
        return True

    async def _chunks(self, manifest: Manifest) -> dict[bytes, ChunkEmbedded] | None:
        """The chunks by their old ids, under new ids with vectors of this space; None while one has none."""
        old = {place.chunk_id for place in manifest.places}
        names = {subjects.KNOWLEDGE_CHUNK.at(self._site, manifest.kb, chunk.hex()): chunk for chunk in old}
        held = await self._log.last_many(KNOWLEDGE, names)
        seconds = await self._log.last_many(
            VECTORS, [subjects.VECTOR.at(self._site, manifest.kb, chunk.hex(), self._space) for chunk in old]
        )
        found = (stored.message for stored in seconds.values())
        vectors = {vector.chunk_id: vector for vector in found if isinstance(vector, ChunkReembedded)}
        chunks: dict[bytes, ChunkEmbedded] = {}
        for name, chunk_id in names.items():
            chunk = held[name].message if name in held else None
            here = self._here(chunk, vectors.get(chunk_id)) if isinstance(chunk, ChunkEmbedded) else None
            if here is None:
                return None
            chunks[chunk_id] = here
        return chunks

    def _here(self, chunk: ChunkEmbedded, vector: ChunkReembedded | None) -> ChunkEmbedded | None:
        """The chunk in this space. One that is of this model's already has only the name of another."""
        naming = self._naming
        text = embed_text(chunk.context, chunk.text)
        moved = msgspec.structs.replace(chunk, chunk_id=identity.chunk_id(naming.key, chunk.kb, naming.model, text))
        if chunk.model == naming.model:
            return moved
        if vector is None or vector.model != naming.model:
            return None
        return msgspec.structs.replace(moved, model=vector.model, dims=vector.dims, vector_f16=vector.vector_f16)

    def _entry(self, chunk: ChunkEmbedded, seq: int) -> tuple[str, Message, str]:
        name = chunk.chunk_id.hex()
        return subjects.KNOWLEDGE_CHUNK.at(self._site, chunk.kb, name), chunk, f"{name}:{seq}:{self._space}"

    async def _rename_draft(self, manifest: Manifest) -> None:
        """What the next revision is compared with: the same, under the same names. A newer draft stays."""
        subject = subjects.DRAFT.at(self._site, manifest.kb, manifest.document_key.hex())
        last = await self._log.last(subjects.DRAFT.stream, subject)
        draft = last.message if last is not None else None
        if last is None or not isinstance(draft, RevisionDrafted) or draft.manifest.revision != manifest.revision:
            return
        with suppress(WrongLastSequence):
            await self._log.publish(
                subject,
                RevisionDrafted(manifest=manifest, chunks_new=0),
                msg_id=f"{subject}:{manifest.revision}:{self._space}",
                expected_last_subject_seq=last.seq,
            )


def _renamed(manifest: Manifest, ids: dict[bytes, bytes], naming: Naming) -> Manifest:
    places = [msgspec.structs.replace(place, chunk_id=ids[place.chunk_id]) for place in manifest.places]
    return msgspec.structs.replace(manifest, places=places, model=naming.model)
