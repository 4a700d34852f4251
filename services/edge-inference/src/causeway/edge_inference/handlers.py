"""Moves a replica along the KNOWLEDGE log, tells STATUS what became searchable, and sweeps what no manifest names."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Protocol, TypeVar

from causeway.bus import BusError, Delivery, Position, Stored
from causeway.edge_inference.metrics import Metrics
from causeway.edge_inference.references import IdleChunk
from causeway.edge_inference.replica import LogEntry, Replica
from causeway.edge_inference.vault import ChunkKey
from causeway.proto import Message, subjects
from causeway.proto.chunks import Manifest
from causeway.proto.documents import DocumentStatus, State

SERVICE = "edge-inference"
GIVES_WAY = "held and not searched: the version of another place takes precedence"
_PURGES_AT_ONCE = 8
_log = logging.getLogger(__name__)
T = TypeVar("T")


class Log(Protocol):
    """The part of the bus that this needs."""

    async def publish(self, subject: str, message: Message, *, msg_id: str) -> object: ...

    async def last_many(self, stream: str, names: Sequence[str]) -> dict[str, Stored]: ...

    async def purge(self, stream: str, subject: str, below_seq: int | None = None) -> None: ...


class Following:
    """At least once, in the log's order: vault, then indexes, then statuses, before the watermark is asked for again.

    A status is published after its revision is searchable and whoever hears of it can ask; it waits in the vault until
    STATUS has acknowledged it, so that a crash at any moment neither loses nor (by `Nats-Msg-Id`) doubles it.
    """

    def __init__(
        self,
        site: str,
        log: Log,
        replica: Replica,
        storage: Executor,
        metrics: Metrics,
        *,
        clock_ms: Callable[[], int],
        on_caught_up: Callable[[], Awaitable[None]],
    ) -> None:
        """`on_caught_up` is called once: from then on this replica's answers are worth giving, and once it returns they
        are given."""
        self.caught_up = False
        self.followed: Callable[[], Position] = Position
        self._announces = False
        self._on_caught_up = on_caught_up
        self._site = site
        self._log = log
        self._replica = replica
        self._storage = storage
        self._metrics = metrics
        self._clock_ms = clock_ms

    async def position(self) -> Position:
        """Where this replica stands, by its vault."""
        state = self._replica.vault.state
        return Position(seq=state.seq, stream_created=state.stream_created)

    async def reset(self, position: Position) -> None:
        """The log was made anew, or lost its end: follow it from its beginning, keep what is held."""
        _log.warning("KNOWLEDGE is not the log that was followed: reading it from its start, keeping what is held")
        await self._on_storage(self._replica.vault.restart_log, position.stream_created)

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Commit a batch, fetch what it lacks, tell what became searchable."""
        entries = [self._entry(delivery) for delivery in deliveries]
        missing = await self._on_storage(self._replica.apply, entries, self.followed().stream_created)
        self._metrics.entries.inc(len(entries))
        if missing:
            await self._fetch(missing)
        await self.announce()

    async def at_end(self) -> None:
        """The log's end was reached: from here on this replica can answer."""
        if not self.caught_up:
            self.caught_up = True
            await self._on_storage(self._replica.vault.begin_history)
            _log.info("caught up with KNOWLEDGE", extra={"seq": self._replica.vault.state.seq})
            await self._on_caught_up()
            self._announces = True
        await self._on_storage(self._replica.build_indexes)
        await self.announce()

    async def announce(self) -> None:
        """Publish the statuses that wait, once this replica takes asks. One that can not be published now waits on."""
        while self._announces and (records := await self._on_storage(self._replica.unannounced)):
            try:
                await asyncio.gather(*(self._publish_status(record.manifest, record.origin) for record in records))
            except BusError as error:
                _log.warning("statuses wait", extra={"reason": str(error)})
                return
            await self._on_storage(self._replica.vault.announced, [record.manifest for record in records])

    async def sweep(self) -> int:
        """Erase chunks that no manifest names, first from the log, then from the vault. Returns how many.

        Safe to repeat and to be done by every replica: the log is purged only below the sequence that was seen.
        """
        idle = await self._on_storage(self._replica.sweepable)
        limit = asyncio.Semaphore(_PURGES_AT_ONCE)

        async def purge(chunk: IdleChunk) -> None:
            async with limit:
                subject = subjects.KNOWLEDGE_CHUNK.at(chunk.origin or self._site, chunk.kb, chunk.chunk_id.hex())
                await self._log.purge(subjects.KNOWLEDGE_CHUNK.stream, subject, chunk.below_seq)
                await self._purge_vectors(chunk)

        await asyncio.gather(*(purge(chunk) for chunk in idle))
        removed = await self._on_storage(self._replica.vault.remove_idle, idle) if idle else 0
        self._metrics.swept.inc(removed)
        return removed

    async def _purge_vectors(self, chunk: IdleChunk) -> None:
        """What other spaces have of a chunk goes with it; where there is nothing, nothing is asked."""
        if self._replica.vault.state.vectors.seq:
            subject = subjects.VECTOR.at(chunk.origin or self._site, chunk.kb, chunk.chunk_id.hex())
            await self._log.purge(subjects.VECTOR.stream, subject)

    async def _fetch(self, missing: Mapping[ChunkKey, str]) -> None:
        """Read chunks that a manifest names from the log by their subjects; say so loudly if they are nowhere."""
        names = [
            subjects.KNOWLEDGE_CHUNK.at(origin or self._site, kb, chunk.hex())
            for (kb, chunk), origin in missing.items()
        ]
        found = await self._log.last_many(subjects.KNOWLEDGE_CHUNK.stream, names)
        entries = [self._entry_of(stored.seq, stored.subject, stored.message, 0) for stored in found.values()]
        await self._on_storage(self._replica.add_missing, entries)
        lost = len(names) - len(found)
        if lost:
            self._metrics.missing.inc(lost)
            _log.error(
                "manifests name chunks that are not in KNOWLEDGE: publish the documents again", extra={"chunks": lost}
            )

    def _entry(self, delivery: Delivery) -> LogEntry:
        at_ms = int(delivery.timestamp.timestamp() * 1000)
        return self._entry_of(delivery.stream_seq, delivery.subject, delivery.message, at_ms)

    def _entry_of(self, seq: int, subject: str, message: Message, at_ms: int) -> LogEntry:
        """The site token of every subject in KNOWLEDGE is the place that the record comes from."""
        origin = subject.split(".", 2)[1]
        return LogEntry(seq=seq, message=message, origin="" if origin == self._site else origin, at_ms=at_ms)

    async def _publish_status(self, manifest: Manifest, origin: str) -> None:
        state = State.DELETED if manifest.deleted else State.SEARCHABLE
        hidden = await self._on_storage(self._replica.vault.hides, manifest)
        status = DocumentStatus(
            kb=manifest.kb,
            document_id=manifest.document_id,
            revision=manifest.revision,
            state=state,
            reason=GIVES_WAY if hidden else "",
            service=SERVICE,
            at_unix_ms=self._clock_ms(),
            chunks_total=len(manifest.places),
            pages=manifest.pages,
            origin=origin,
        )
        key = manifest.document_key.hex()
        subject = subjects.STATUS.at(self._site, manifest.kb, key)
        await self._log.publish(subject, status, msg_id=f"{manifest.kb}/{key}/{manifest.revision}/{state}")

    async def _on_storage(self, act: Callable[..., T], *values: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._storage, act, *values)
