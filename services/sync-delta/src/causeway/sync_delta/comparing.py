"""The hub's side of a comparison: answers about spans, and hands out what it holds of single documents.

It changes nothing, so that every request may be repeated. A comparison of several rounds sees one reading of the log.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from causeway.bus import Bus, Caller, Endpoint, ProblemReply
from causeway.proto import Message, link, subjects
from causeway.proto.answers import Problem
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from causeway.proto.outbox import DocumentShared
from causeway.reconciliation import BadRequestError, ItemSet, Span, answer
from causeway.sync_delta.encoding import UnsharableChunkError, encode
from causeway.sync_delta.replicas import Replica, as_received, read_replica
from causeway.sync_delta.runs import runs_of

READING_S = 60.0
READINGS_MAX = 64
_STREAM = subjects.KNOWLEDGE_DOCUMENT.stream
Damage = Callable[[str, str, Replica], Awaitable[set[bytes]]]
"""Given origin, kb and what the log holds: the documents that are held otherwise elsewhere, such as in Milvus."""


async def no_damage(origin: str, kb: str, replica: Replica) -> set[bytes]:
    """Where there is no other store."""
    return set()


@dataclass(kw_only=True)
class _Reading:
    items: ItemSet
    until_s: float
    thorough: bool


@dataclass(kw_only=True)
class Comparing:
    """Answers the sites. `damage` is asked in thorough comparisons."""

    bus: Bus
    damage: Damage = no_damage
    monotonic_s: Callable[[], float] = time.monotonic
    _readings: dict[tuple[str, str], _Reading] = field(default_factory=dict)

    def endpoints(self) -> list[Endpoint]:
        """For `Bus.serve`. The site token of the subject says who asks; its account can send no other."""
        return [
            Endpoint(
                name="compare",
                subject=subjects.SYNC_COMPARE.at("*"),
                handler=self.compare,
                request_type=link.Compare,
                concurrency_max=2,
            ),
            Endpoint(
                name="documents",
                subject=subjects.SYNC_DOCUMENTS.at("*"),
                handler=self.documents,
                request_type=link.FetchDocuments,
                concurrency_max=2,
            ),
        ]

    async def compare(self, caller: Caller, asked: link.Compare) -> link.Compared:
        """One round. The first one of a comparison, over all documents, reads the log.

        Raises:
            ProblemReply: the spans are no request.
        """
        items = await self._items(site_of(caller), asked)
        try:
            reply = answer(items, [from_wire(span) for span in asked.spans])
        except BadRequestError as error:
            raise ProblemReply(Problem(code="bad_request", message=str(error))) from error
        return link.Compared(
            kb=asked.kb,
            spans=[to_wire(span) for span in reply.spans],
            listings=[
                link.Listing(
                    low=low, high=high, items=[link.Item(document_key=item.key, digest=item.digest) for item in items]
                )
                for low, high, items in reply.listings
            ],
        )

    async def documents(self, caller: Caller, asked: link.FetchDocuments) -> AsyncIterator[Message]:
        """The chunks, then the document, of each that is here, numbered from 1 within the reply."""
        origin = site_of(caller)
        wanted = [subjects.KNOWLEDGE_DOCUMENT.at(origin, asked.kb, key.hex()) for key in asked.document_keys]
        for stored in (await self.bus.last_many(_STREAM, wanted)).values():
            if isinstance(stored.message, DocumentRevised) and stored.message.stamp is not None:
                async for part in self._parts(origin, stored.message):
                    yield part

    async def _parts(self, origin: str, revised: DocumentRevised) -> AsyncIterator[Message]:
        manifest, stamp = revised.manifest, revised.stamp
        assert stamp is not None
        ids = list(dict.fromkeys(place.chunk_id for place in manifest.places))
        names = {subjects.KNOWLEDGE_CHUNK.at(origin, manifest.kb, chunk_id.hex()): chunk_id for chunk_id in ids}
        stored = await self.bus.last_many(_STREAM, names)
        number_of = {chunk_id: number for number, chunk_id in enumerate(ids, start=1)}
        for name, chunk_id in names.items():
            chunk = stored[name].message if name in stored else None
            if isinstance(chunk, ChunkEmbedded):
                try:
                    yield encode(chunk, number_of[chunk_id])
                except UnsharableChunkError:
                    continue
        yield DocumentShared(
            manifest=msgspec.structs.replace(manifest, places=[]), runs=runs_of(manifest.places, number_of), stamp=stamp
        )

    async def _items(self, origin: str, asked: link.Compare) -> ItemSet:
        now_s = self.monotonic_s()
        known = self._readings.get((origin, asked.kb))
        begins = len(asked.spans) == 1 and not asked.spans[0].low and not asked.spans[0].high
        if known is None or begins or known.until_s < now_s or (asked.thorough and not known.thorough):
            replica = await read_replica(self.bus, origin, asked.kb, as_received)
            if asked.thorough:
                replica.damaged = await self.damage(origin, asked.kb, replica)
            known = _Reading(items=replica.items(), until_s=now_s + READING_S, thorough=asked.thorough)
            self._keep(origin, asked.kb, known, now_s)
        return known.items

    def _keep(self, origin: str, kb: str, reading: _Reading, now_s: float) -> None:
        self._readings = {at: kept for at, kept in self._readings.items() if kept.until_s >= now_s}
        while len(self._readings) >= READINGS_MAX:
            self._readings.pop(next(iter(self._readings)))
        self._readings[origin, kb] = reading


def site_of(caller: Caller) -> str:
    """Who asks: the second token of the subject."""
    return caller.subject.split(".", 2)[1]


def to_wire(span: Span) -> link.Span:
    """A span as it crosses the link."""
    return link.Span(low=span.low, high=span.high, count=span.count, fingerprint=span.fingerprint)


def from_wire(span: link.Span) -> Span:
    """A span as the library has it."""
    return Span(low=span.low, high=span.high, count=span.count, fingerprint=span.fingerprint)
