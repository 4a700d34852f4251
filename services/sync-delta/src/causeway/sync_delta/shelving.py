"""KNOWLEDGE of the hub to Milvus: what is public of every origin, followed from the position that is kept there.

Delivery guarantee: at least once, to the same rows. A document is written when its manifest comes, after its chunks
in the log; its effects before the position, so that after a kill of anything in between the same batch comes again and
finds part of it done. Ordered per document by (revision, repair). While Milvus is away nothing is lost: the batch is
tried again from the position that Milvus itself has, be it an older one or none.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace

from prometheus_client import CollectorRegistry

from causeway.bus import Bus, Delivery, Position
from causeway.milvus.errors import ShelfError, ShelfRefused
from causeway.milvus.port import Shelf
from causeway.milvus.values import FORM, ShelfPosition, ShelvedChunk, ShelvedDocument
from causeway.proto import subjects
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised, DocumentShadowed
from causeway.sync_delta.shelf_plan import Plan, as_shared, by_document, newest, plan, row_of
from causeway.sync_delta.shelving_metrics import ShelvingMetrics

STREAM = subjects.KNOWLEDGE_CHUNK.stream
FILTERS = (
    subjects.KNOWLEDGE_CHUNK.at("*"),
    subjects.KNOWLEDGE_DOCUMENT.at("*"),
    subjects.KNOWLEDGE_SHADOW.at("*"),
)
DOCUMENTS_PER_STEP = 100
ROWS_PER_STEP = 1_000
RECENT_BYTES_MAX = 64 * 1024 * 1024
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Name:
    """Where a document stands in the log."""

    origin: str
    kb: str
    key: bytes

    def subject(self, row: subjects.Subject) -> str:
        """Its manifest or its shadow."""
        return row.at(self.origin, self.kb, self.key.hex())


@dataclass(frozen=True, kw_only=True)
class HeldDocument:
    """A document with its rows as they stand in Milvus, by chunk id, vectors too."""

    document: ShelvedDocument
    chunks: dict[bytes, ShelvedChunk]


class RecentChunks:
    """The last chunks of the log, because the manifest that names them mostly follows soon."""

    def __init__(self, bytes_max: int = RECENT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._held: OrderedDict[str, ChunkEmbedded] = OrderedDict()

    def put(self, subject: str, chunk: ChunkEmbedded) -> None:
        """Remember; the oldest go when there are too many."""
        self._forget(subject)
        self._held[subject] = chunk
        self._bytes += _size(chunk)
        while self._bytes > self._bytes_max:
            self._forget(next(iter(self._held)))

    def get(self, subject: str) -> ChunkEmbedded | None:
        """The chunk if it is remembered."""
        return self._held.get(subject)

    def _forget(self, subject: str) -> None:
        old = self._held.pop(subject, None)
        if old is not None:
            self._bytes -= _size(old)


class Shelving:
    """The follower. `reason` says what is wrong, or is empty; `caught_up` is set at the end of the log."""

    def __init__(self, bus: Bus, shelf: Shelf, *, registry: CollectorRegistry, batch_messages_max: int = 2_000) -> None:
        self.reason = ""
        self._bus = bus
        self._shelf = shelf
        self._metrics = ShelvingMetrics(registry)
        self._recent = RecentChunks()
        # A mend from outside and a batch of the log must not meet in one document.
        self._turn = asyncio.Lock()
        self._follower = bus.follow(
            STREAM,
            FILTERS,
            self._position,
            self._handle,
            message_types=(ChunkEmbedded, DocumentRevised, DocumentShadowed),
            batch_max=batch_messages_max,
            on_caught_up=self._at_end,
            on_reset=self._reset,
        )

    @property
    def caught_up(self) -> asyncio.Event:
        """Set while the end of the log is reached."""
        return self._follower.caught_up

    @property
    def lag(self) -> int:
        """Messages of the log that are not applied."""
        return self._follower.lag

    async def stop(self) -> None:
        """Let the batch end that is under way."""
        await self._bus.release(self._follower)

    async def held(self, origin: str, kb: str) -> AsyncIterator[HeldDocument]:
        """What Milvus holds of an origin's documents in a kb, tombstones too: read from its rows, a few at a time."""
        async for page in self._shelf.scan(origin, kb):
            for some in _by_rows(page):
                rows = by_document(await self._shelf.chunks([document.key for document in some], vectors=True))
                for document in some:
                    chunks = {row.chunk_id: row for row in rows.get(document.key, ())}
                    yield HeldDocument(document=document, chunks=chunks)

    async def mend(self, names: Sequence[Name]) -> None:
        """Write these documents again from the log, every row, whatever the shelf holds of them."""
        found = await self._bus.last_many(STREAM, [name.subject(subjects.KNOWLEDGE_DOCUMENT) for name in names])
        came: dict[Name, DocumentRevised | None] = {}
        for name in names:
            stored = found.get(name.subject(subjects.KNOWLEDGE_DOCUMENT))
            if stored is not None and isinstance(stored.message, DocumentRevised):
                came[name] = stored.message
        async with self._turn:
            await self._forget([name for name in names if name not in came])
            await self._apply(came, thorough=True)

    async def _position(self) -> Position:
        try:
            await self._shelf.start()
            position = await self._shelf.position()
            if position.clearing:
                position = await self._clear(ShelfPosition())
        except ShelfError as error:
            self._failed(error)
            raise
        # A shelf of an older form is gone through from the start: what it holds well stays as it is.
        seq = position.seq if position.form == FORM else 0
        return Position(seq=seq, stream_created=position.stream_created)

    async def _reset(self, position: Position) -> None:
        """KNOWLEDGE was made anew: its sequences and revisions say nothing about what is on the shelf."""
        await self._clear(ShelfPosition(seq=0, stream_created=position.stream_created))

    async def _clear(self, then: ShelfPosition) -> ShelfPosition:
        # The mark first: a shelf that is emptied halfway is emptied to the end after a restart.
        await self._shelf.put_position(ShelfPosition(clearing=True))
        await self._shelf.clear()
        await self._shelf.put_position(then)
        return then

    async def _handle(self, deliveries: Sequence[Delivery]) -> None:
        began = time.perf_counter()
        came: dict[Name, DocumentRevised | None] = {}
        for delivery in deliveries:
            self._take(delivery, came)
        try:
            async with self._turn:
                await self._apply_or_part(came)
            created = self._follower.position.stream_created
            await self._shelf.put_position(ShelfPosition(seq=deliveries[-1].stream_seq, stream_created=created))
        except ShelfError as error:
            self._failed(error)
            raise
        self.reason = ""
        self._metrics.lag.set(self.lag)
        self._metrics.batch_seconds.observe(time.perf_counter() - began)

    def _take(self, delivery: Delivery, came: dict[Name, DocumentRevised | None]) -> None:
        origin, message = delivery.subject.split(".")[1], delivery.message
        if isinstance(message, ChunkEmbedded):
            self._recent.put(delivery.subject, message)
        elif isinstance(message, DocumentRevised):
            manifest = message.manifest
            came[Name(origin=origin, kb=manifest.kb, key=manifest.document_key)] = message
        elif isinstance(message, DocumentShadowed):
            came.setdefault(Name(origin=origin, kb=message.kb, key=message.document_key), None)

    async def _apply_or_part(self, came: dict[Name, DocumentRevised | None]) -> None:
        """All, or if Milvus refuses something, each alone, so that one document does not hold up all others."""
        try:
            await self._apply(came)
        except ShelfRefused:
            for name, revised in came.items():
                try:
                    await self._apply({name: revised})
                except ShelfRefused as refusal:
                    self._metrics.refused.inc()
                    about = {"origin": name.origin, "kb": name.kb, "document_key": name.key.hex()}
                    _log.error("a document is not on the shelf", extra={**about, "reason": str(refusal)})

    async def _apply(self, came: dict[Name, DocumentRevised | None], *, thorough: bool = False) -> None:
        names = list(came)
        for start in range(0, len(names), DOCUMENTS_PER_STEP):
            step = {name: came[name] for name in names[start : start + DOCUMENTS_PER_STEP]}
            plans = await self._plans(step, thorough=thorough)
            await self._write([entry for entry in plans if entry is not None])

    async def _plans(self, step: dict[Name, DocumentRevised | None], *, thorough: bool) -> list[Plan]:
        keys = [name.key for name in step]
        shadows = await self._shadows(list(step))
        held = await self._shelf.documents(keys)
        rows = by_document(await self._shelf.chunks(keys))
        plans = []
        for name, revised in step.items():
            known, there = held.get(name.key), rows.get(name.key, ())
            document = newest(name.origin, revised, known)
            if document is not None:
                document = as_shared(document, held=known is not None or bool(there))
            if document is not None:
                document = replace(document, shadowed=shadows.get(name, 0))
                plans.append(plan(document, known, there, thorough=thorough))
        return plans

    async def _shadows(self, names: Sequence[Name]) -> dict[Name, int]:
        """Up to which revision each document gives way, by the log as it is now."""
        by_subject = {name.subject(subjects.KNOWLEDGE_SHADOW): name for name in names}
        found = await self._bus.last_many(STREAM, by_subject)
        shadows = {by_subject[subject]: stored.message for subject, stored in found.items()}
        return {name: shadow.revision for name, shadow in shadows.items() if isinstance(shadow, DocumentShadowed)}

    async def _write(self, plans: Sequence[Plan]) -> None:
        # First what a search may newly find, then the manifest, then what it must find no more.
        wanted = [(entry, chunk_id) for entry in plans for chunk_id in entry.wanted]
        for start in range(0, len(wanted), ROWS_PER_STEP):
            rows = await self._rows(wanted[start : start + ROWS_PER_STEP])
            await self._shelf.upsert_chunks(rows)
            self._metrics.written.inc(len(rows))
        await self._shelf.put_documents([entry.document for entry in plans])
        self._metrics.documents.inc(len(plans))
        surplus = [row for entry in plans for row in entry.surplus]
        if surplus:
            await self._shelf.delete_chunks(surplus)
            self._metrics.deleted.inc(len(surplus))

    async def _rows(self, wanted: Sequence[tuple[Plan, bytes]]) -> list[ShelvedChunk]:
        by_subject = [(_chunk_subject(entry.document, chunk_id), entry.document) for entry, chunk_id in wanted]
        found = await self._chunks([subject for subject, _ in by_subject])
        missing = sum(subject not in found for subject, _ in by_subject)
        if missing:
            # A newer revision has dropped them meanwhile, and stands further on in the log.
            self._metrics.missing.inc(missing)
            _log.warning("chunks that a manifest names are not in KNOWLEDGE", extra={"chunks": missing})
        return [row_of(document, found[subject]) for subject, document in by_subject if subject in found]

    async def _chunks(self, wanted: Iterable[str]) -> dict[str, ChunkEmbedded]:
        found = {subject: chunk for subject in wanted if (chunk := self._recent.get(subject)) is not None}
        stored = await self._bus.last_many(STREAM, [subject for subject in wanted if subject not in found])
        for subject, entry in stored.items():
            if isinstance(entry.message, ChunkEmbedded):
                found[subject] = entry.message
        return found

    async def _forget(self, names: Sequence[Name]) -> None:
        """Documents that the log does not know."""
        if names:
            keys = [name.key for name in names]
            await self._shelf.delete_chunks(await self._shelf.chunks(keys))
            await self._shelf.remove_documents(keys)

    async def _at_end(self) -> None:
        """Count the rows, and drop the embedding spaces that the last document has left."""
        self._metrics.lag.set(0)
        spaces = await self._shelf.spaces()
        for model, rows in spaces.items():
            self._metrics.rows.labels(model).set(rows)
            if rows == 0 and len(spaces) > 1:
                await self._shelf.drop_space(model)
                _log.info("an embedding space is empty and dropped", extra={"model": model})

    def _failed(self, error: ShelfError) -> None:
        self._metrics.failures.inc()
        self.reason = str(error)


def _chunk_subject(document: ShelvedDocument, chunk_id: bytes) -> str:
    return subjects.KNOWLEDGE_CHUNK.at(document.origin, document.manifest.kb, chunk_id.hex())


def _by_rows(documents: Sequence[ShelvedDocument]) -> list[list[ShelvedDocument]]:
    """Pieces that have no more than some thousand rows, unless one document has more."""
    pieces: list[list[ShelvedDocument]] = [[]]
    rows = 0
    for document in documents:
        rows += len(document.manifest.places)
        if rows > ROWS_PER_STEP and pieces[-1]:
            pieces.append([])
            rows = len(document.manifest.places)
        pieces[-1].append(document)
    return [piece for piece in pieces if piece]


def _size(chunk: ChunkEmbedded) -> int:
    return len(chunk.vector_f16) + 4 * (len(chunk.text) + len(chunk.context)) + 200
