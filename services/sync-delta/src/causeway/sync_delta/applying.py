"""Documents of other places into KNOWLEDGE, each when all its chunks stand there, and never over a newer one."""

import asyncio
import enum
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from causeway.bus import Stored, WrongLastSequence
from causeway.proto import Message, streams, subjects
from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import DocumentRevised
from causeway.proto.outbox import ChunkShared, DocumentShared
from causeway.sync_delta.arrivals import ChunkCame, ChunkName, DocumentCame, came_from, chunk_came
from causeway.sync_delta.encoding import BadSharedChunkError
from causeway.sync_delta.inbox_tables import Inbox, Received, Waiting
from causeway.sync_delta.metrics import Metrics
from causeway.sync_delta.ports import Log
from causeway.sync_delta.publication import digest
from causeway.sync_delta.runs import MissingChunksError, numbers_of
from causeway.sync_delta.state import State, Tables

KNOWLEDGE = subjects.KNOWLEDGE_CHUNK.stream
INBOX = streams.INBOX.name
DOCUMENTS_AT_ONCE = 32
CONTENDED_TRIES_MAX = 3
RECENT_MS = 15_000
Chunk = tuple[bytes, bytes]
"""Chunk id and content hash."""


class Kind(enum.StrEnum):
    """What became of a document of the link."""

    APPLIED = "applied"
    KNOWN = "known"
    OLDER = "older"
    WAITING = "waiting"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a document, and what the state must learn of it."""

    origin: str
    kb: str
    document_key: bytes
    kind: Kind
    subject: str
    inbox_seq: int = 0
    received: Received | None = None
    reason: str = ""

    def write(self, inbox: Inbox, now_ms: int) -> None:
        """Into the tables: what stands now, what is not named any more, or that it waits."""
        name = (self.origin, self.kb, self.document_key)
        if self.kind is Kind.WAITING:
            waiting = Waiting(
                origin=self.origin, kb=self.kb, document_key=self.document_key, since_ms=now_ms, reason=self.reason
            )
            inbox.wait(waiting)
            return
        inbox.stands(*name)
        if self.received is None:
            return
        before = inbox.received(*name)
        old = set(numbers_of(before.runs)) if before is not None else set()
        new = set(numbers_of(self.received.runs))
        inbox.put_received(*name, self.received, new - old, old - new)
        if self.received.deleted:
            inbox.release([self.subject], self.inbox_seq + 1)


@dataclass(kw_only=True)
class Applying:
    """Reads both logs, writes KNOWLEDGE. What it returns is for the caller to commit."""

    state: State
    knowledge: Log
    inbox: Log
    metrics: Metrics
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    _just_put: set[ChunkName] = field(default_factory=set)
    _put_before: set[ChunkName] = field(default_factory=set)
    _put_at_ms: int = 0

    async def put_chunks(self, chunks: Sequence[ChunkCame]) -> None:
        """Write chunks; the last of equal ones stays."""
        # Those of the last two batches need no look: a chunk is swept a minute after it was let go, at the earliest.
        recent = self.now_ms() - self._put_at_ms <= RECENT_MS
        self._put_before, self._just_put = (self._just_put if recent else set()), set()
        self._put_at_ms = self.now_ms()
        await self._put(chunks)

    async def _put(self, chunks: Sequence[ChunkCame]) -> None:
        entries: list[tuple[str, Message, str]] = [
            (
                each.knowledge_subject,
                each.chunk,
                f"{each.came.origin}:{each.number}:{each.came.inbox_seq}:{self.now_ms()}",
            )
            for each in chunks
        ]
        await self.knowledge.publish_many(entries)
        self._just_put |= {each.name for each in chunks}
        for each in chunks:
            self.metrics.applied_chunks.labels(each.came.origin).inc()

    async def put_documents(self, documents: Sequence[DocumentCame], chunks: Sequence[ChunkCame]) -> list[Outcome]:
        """One outcome each. `chunks` are those that came with them and are not in the state yet."""
        slots = asyncio.Semaphore(DOCUMENTS_AT_ONCE)
        with_them = {
            (each.came.origin, each.chunk.kb, each.number): (each.name[2], each.content_hash) for each in chunks
        }

        async def put(document: DocumentCame) -> Outcome:
            async with slots:
                return await self._put_document(document, with_them)

        return list(await asyncio.gather(*(put(document) for document in documents)))

    async def try_again(self, waiting: Sequence[Waiting]) -> list[Outcome]:
        """Those that wait, as INBOX has them now."""
        names = {subjects.OUTBOX_DOCUMENT.at(each.origin, each.kb, each.document_key.hex()): each for each in waiting}
        stored = await self.inbox.last_many(INBOX, list(names))
        gone = [_outcome_gone(name, each) for name, each in names.items() if name not in stored]
        documents = [document for each in stored.values() if (document := _document(each)) is not None]
        return [*gone, *await self.put_documents(documents, [])]

    async def _put_document(self, document: DocumentCame, with_them: Mapping[tuple[str, str, int], Chunk]) -> Outcome:
        try:
            for _ in range(CONTENDED_TRIES_MAX):
                try:
                    return await self._attempt(document, with_them)
                except WrongLastSequence:
                    continue
            return _outcome(document, Kind.WAITING, reason="somebody else writes this document")
        except MissingChunksError as error:
            return _outcome(document, Kind.WAITING, reason=str(error))

    async def _attempt(self, document: DocumentCame, with_them: Mapping[tuple[str, str, int], Chunk]) -> Outcome:
        standing = await self._standing(document)
        age = _age(standing)
        if age > document.age:
            return _outcome(document, Kind.OLDER)
        chunk_of = await self._chunk_of(document, with_them)
        manifest = document.manifest({number: chunk[0] for number, chunk in chunk_of.items()})
        received = Received(
            document_id=manifest.document_id,
            revision=manifest.revision,
            repair=document.shared.stamp.repair,
            deleted=manifest.deleted,
            runs=document.shared.runs,
            digest=digest(manifest, document.shared.stamp.repair, dict(chunk_of.values())),
        )
        if age == document.age:
            return _outcome(document, Kind.KNOWN, received)
        await self._ensure_chunks(document, manifest, standing, chunk_of)
        await self._publish(document, manifest, standing.seq if standing else 0)
        return _outcome(document, Kind.APPLIED, received)

    async def _standing(self, document: DocumentCame) -> Stored | None:
        name = document.knowledge_subject
        return (await self.knowledge.last_many(KNOWLEDGE, [name])).get(name)

    async def _chunk_of(
        self, document: DocumentCame, with_them: Mapping[tuple[str, str, int], Chunk]
    ) -> dict[int, Chunk]:
        """The chunk of each number that the document names; those that the state lacks are read from INBOX."""
        origin, kb, numbers = document.came.origin, document.shared.manifest.kb, numbers_of(document.shared.runs)
        came = {number: with_them[origin, kb, number] for number in numbers if (origin, kb, number) in with_them}
        rest = [number for number in numbers if number not in came]
        if not rest:
            return came
        found = came | await self.state.read(lambda tables: tables.inbox.chunks(origin, kb, rest))
        lacking = [number for number in numbers if number not in found]
        if lacking:
            fetched = await self._fetch(origin, kb, lacking)
            await self.state.write(lambda tables: _keep(tables, fetched))
            found |= {each.number: (each.name[2], each.content_hash) for each in fetched}
        return found

    async def _fetch(self, origin: str, kb: str, numbers: Iterable[int]) -> list[ChunkCame]:
        names = [subjects.OUTBOX_CHUNK.at(origin, kb, str(number)) for number in numbers]
        stored = await self.inbox.last_many(INBOX, names)
        return [chunk for each in stored.values() if (chunk := _chunk(each)) is not None]

    async def _ensure_chunks(
        self, document: DocumentCame, manifest: Manifest, standing: Stored | None, chunk_of: Mapping[int, Chunk]
    ) -> None:
        """All chunks stand in KNOWLEDGE: those that the standing manifest names do. The rest is written again, past
        any purge that is about to drop it."""
        origin, kb = document.came.origin, manifest.kb
        vouched = {place.chunk_id for place in _manifest(standing).places} if standing else set()
        doubtful = {
            number: chunk_id
            for number, (chunk_id, _) in chunk_of.items()
            if chunk_id not in vouched
            and (origin, kb, chunk_id) not in self._just_put
            and (origin, kb, chunk_id) not in self._put_before
        }
        if not doubtful:
            return
        fetched = await self._fetch(origin, kb, doubtful)
        await self._put(fetched)
        absent = doubtful.keys() - {each.number for each in fetched}
        names = {number: subjects.KNOWLEDGE_CHUNK.at(origin, kb, doubtful[number].hex()) for number in absent}
        there = await self.knowledge.exists_many(KNOWLEDGE, names.values()) if names else set()
        if missing := sorted(number for number, name in names.items() if name not in there):
            raise MissingChunksError(missing)

    async def _publish(self, document: DocumentCame, manifest: Manifest, standing_seq: int) -> None:
        revised = DocumentRevised(manifest=manifest, stamp=document.shared.stamp)
        revision, repair = document.age
        msg_id = f"{document.came.origin}:{manifest.document_key.hex()}:{revision}:{repair}:{standing_seq}"
        await self.knowledge.publish(
            document.knowledge_subject, revised, msg_id=msg_id, expected_last_subject_seq=standing_seq
        )


def _keep(tables: Tables, chunks: Sequence[ChunkCame]) -> None:
    tables.inbox.put_chunks([each.row for each in chunks])


def _manifest(standing: Stored) -> Manifest:
    assert isinstance(standing.message, DocumentRevised)
    return standing.message.manifest


def _age(standing: Stored | None) -> tuple[int, int]:
    if standing is None or not isinstance(standing.message, DocumentRevised):
        return (-1, 0)
    stamp = standing.message.stamp
    return standing.message.manifest.revision, stamp.repair if stamp is not None else 0


def _document(stored: Stored) -> DocumentCame | None:
    if not isinstance(stored.message, DocumentShared):
        return None
    came = came_from(stored.headers, stored.subject, stored.seq)
    return DocumentCame(came=came, subject=stored.subject, shared=stored.message)


def _chunk(stored: Stored) -> ChunkCame | None:
    if not isinstance(stored.message, ChunkShared):
        return None
    try:
        return chunk_came(came_from(stored.headers, stored.subject, stored.seq), stored.subject, stored.message)
    except BadSharedChunkError:
        # It became a dead letter when it came; its document waits for one that is whole.
        return None


def _outcome(document: DocumentCame, kind: Kind, received: Received | None = None, reason: str = "") -> Outcome:
    manifest = document.shared.manifest
    return Outcome(
        origin=document.came.origin,
        kb=manifest.kb,
        document_key=manifest.document_key,
        kind=kind,
        subject=document.subject,
        inbox_seq=document.came.inbox_seq,
        received=received,
        reason=reason,
    )


def _outcome_gone(name: str, waiting: Waiting) -> Outcome:
    return Outcome(
        origin=waiting.origin, kb=waiting.kb, document_key=waiting.document_key, kind=Kind.GONE, subject=name
    )
