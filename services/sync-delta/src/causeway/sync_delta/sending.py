"""The queue to OUTBOX: number, ledger, chunks, documents, then what they no longer name is purged.

At least once, in that order. The transaction that gives the numbers also writes the ledger and an intent, so a crash
anywhere after it finds the intent and publishes the same messages under the same numbers, before anything else.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace

from causeway.bus import BusError, PubAck
from causeway.proto import streams, subjects
from causeway.proto.knowledge import ChunkEmbedded
from causeway.proto.outbox import ChunkShared, Run
from causeway.sync_delta import ledger, residency, window
from causeway.sync_delta.flow import Flow
from causeway.sync_delta.metrics import Metrics
from causeway.sync_delta.numbering import Sharing, first_number, share
from causeway.sync_delta.outbox_tables import Decided, Intent, Queued, Shared
from causeway.sync_delta.outgoing import manifest_hash
from causeway.sync_delta.ports import Log
from causeway.sync_delta.publication import ChunkKey, Prepared, Publication, digest, prepared, publication
from causeway.sync_delta.runs import numbers_of
from causeway.sync_delta.state import State, Tables

KNOWLEDGE = subjects.KNOWLEDGE_CHUNK.stream
RETRY_S = (0.2, 1.0, 5.0, 15.0)
PUT_OFF_MS = 2_000
PUT_OFF_MS_MAX = 600_000
HEADER_BYTES_RESERVED = 4_096
IDLE_S = 2.0
PURGES_AT_ONCE = 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """How much is published at once. An interactive document waits for at most one batch."""

    documents_max: int = 64
    bytes_max: int = 128 * 1024


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A document whose turn it is, with those of its chunks that have no number yet."""

    queued: Queued
    needs: tuple[ChunkKey, ...]


@dataclass(kw_only=True)
class Sending:
    """The loop that empties the queue. `knowledge` and `outbox` are the logs of the two accounts of a site.

    `done_seq` is where the outbox ended when the last batch was done; 0 until the first look at what a crash left.
    """

    place: str
    state: State
    knowledge: Log
    outbox: Log
    flow: Flow
    batch: Batch
    metrics: Metrics
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    unfinished: bool = True
    done_seq: int = 0

    async def until(self, stop: asyncio.Event) -> None:
        """Publish what may go until told to stop; wait for `wake`, or look again after a while."""
        failures = 0
        while not stop.is_set():
            self.wake.clear()
            pause_s = IDLE_S
            try:
                while not stop.is_set() and await self.step():
                    failures = 0
            except Exception as error:  # noqa: BLE001  # The outermost loop of the sender.
                expected = isinstance(error, BusError | TimeoutError)
                _log.warning("sending waits", extra={"reason": str(error)}, exc_info=None if expected else error)
                pause_s = RETRY_S[min(failures, len(RETRY_S) - 1)]
                failures += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), pause_s)

    async def step(self) -> bool:
        """Publish one batch. Returns whether there was one."""
        if self.unfinished:
            await self._finish_intents()
            self.done_seq = await self.outbox.last_seq(streams.outbox(self.place).name)
            self.unfinished = False
        began = time.perf_counter()
        turns = await self.state.read(self._turns)
        if not turns:
            return False
        chunks, unable = await self._read({key for turn in turns for key in turn.needs})
        never = [turn for turn in turns if any(key in unable for key in turn.needs)]
        later = [turn for turn in turns if turn not in never and any(key not in chunks for key in turn.needs)]
        if never or later:
            await self._set_aside(never, later)
        ready = [turn for turn in turns if turn not in never and turn not in later]
        # Whatever fails from here on, what has begun is finished first.
        self.unfinished = True
        publications = await self.state.write(lambda tables: self._begin(tables, ready, chunks))
        await self._publish(publications)
        self.unfinished = False
        self.metrics.batch_seconds.labels("outbox").observe(time.perf_counter() - began)
        return True

    def _turns(self, tables: Tables) -> list[Turn]:
        """What goes next: by priority, within the window, up to a batch."""
        now_ms = self.now_ms()
        heads = {class_: tables.outbox.heads(class_, now_ms, self.batch.documents_max) for class_ in window.Class}
        in_flight, size = self.flow.flight(tables.outbox).bytes, 0
        turns: list[Turn] = []
        while len(turns) < self.batch.documents_max and size < self.batch.bytes_max:
            first = [_waiting(heads[class_]) for class_ in window.Class]
            choice = window.choose(first[0], first[1], self.flow.debt_bytes, now_ms, self.flow.policy)
            if choice is None or not self.flow.may_send(choice.waiting.bytes_out, in_flight + size):
                break
            turns.append(_turn(tables, heads[choice.class_].pop(0)))
            size += choice.waiting.bytes_out
            self.flow.debt_bytes = choice.debt_bytes
        return turns

    async def _read(self, wanted: Iterable[ChunkKey]) -> tuple[dict[ChunkKey, Prepared], dict[ChunkKey, str]]:
        """The chunks as they would be sent, as far as KNOWLEDGE has them; and why others can not be."""
        names = {subjects.KNOWLEDGE_CHUNK.at(self.place, kb, chunk.hex()): (kb, chunk) for kb, chunk in wanted}
        stored = await self.knowledge.last_many(KNOWLEDGE, list(names)) if names else {}
        messages = {names[name]: each.message for name, each in stored.items()}
        chunks = {key: message for key, message in messages.items() if isinstance(message, ChunkEmbedded)}
        able, unable = await asyncio.to_thread(prepared, chunks, self._body_bytes_max)
        for reason in unable.values():
            _log.error("a chunk can not be shared, and so its document", extra={"reason": reason})
        return able, unable

    @property
    def _body_bytes_max(self) -> int:
        return self.outbox.payload_bytes_max - HEADER_BYTES_RESERVED

    async def _set_aside(self, never: Sequence[Turn], later: Sequence[Turn]) -> None:
        """What can not be shared stays until its next revision. Chunks that are not there were swept with a revision
        that was replaced: the newer one takes its place here."""
        now_ms = self.now_ms()
        self.metrics.unsharable.inc(len(never))
        self.metrics.postponed.inc(len(later))
        if later:
            _log.warning("documents wait: chunks of them are not in KNOWLEDGE", extra={"documents": len(later)})

        def act(tables: Tables) -> None:
            for turn in never:
                tables.outbox.take(turn.queued)
            for turn in later:
                waited_ms = min(max(PUT_OFF_MS, now_ms - turn.queued.since_ms), PUT_OFF_MS_MAX)
                tables.outbox.put_off(turn.queued, now_ms + waited_ms)

        await self.state.write(act)

    def _begin(self, tables: Tables, turns: Sequence[Turn], chunks: Mapping[ChunkKey, Prepared]) -> list[Publication]:
        begun = [self._begin_one(tables, turn.queued, chunks) for turn in turns]
        return [publication for publication in begun if publication is not None]

    def _begin_one(self, tables: Tables, queued: Queued, chunks: Mapping[ChunkKey, Prepared]) -> Publication | None:
        manifest = queued.decided.manifest
        before = tables.outbox.shared(manifest.kb, manifest.document_key)
        numbers = tables.outbox.numbers(manifest.kb, first_number(self.now_ms()))
        sharing = share(manifest, before.runs if before else [], numbers, queued.decided.again)
        # A document of this batch may just have let a chunk go that this one names; its turn comes again.
        if any((manifest.kb, each.chunk_id) not in chunks for each in sharing.send) or not tables.outbox.take(queued):
            return None
        intent = _intent(queued, sharing, before.leftover if before else [])
        whole = publication(self.place, intent, chunks)
        if whole.document.size_bytes > self._body_bytes_max:
            _log.error("a document is too large for a message of the link", extra={"bytes": whole.document.size_bytes})
            self.metrics.unsharable.inc()
            return None
        hashes = {each.chunk_id: chunks[manifest.kb, each.chunk_id].content_hash for each in sharing.send}
        tables.outbox.begin(intent, sharing, hashes)
        self._put_shared(tables, intent)
        self._append_line(tables, queued, whole)
        return whole

    def _append_line(self, tables: Tables, queued: Queued, whole: Publication) -> None:
        line = ledger.append(
            tables.outbox.line_last(),
            whole.intent.manifest,
            queued.decided.decision,
            at_unix_ms=self.now_ms(),
            chunks=len(whole.chunks),
            bytes_out=whole.size_bytes,
        )
        tables.outbox.append_line(line)

    def _put_shared(self, tables: Tables, intent: Intent) -> None:
        manifest, repair = intent.manifest, intent.stamp.repair
        hashes = tables.outbox.content_hashes(manifest.kb, [place.chunk_id for place in manifest.places])
        shared = Shared(
            document_id=manifest.document_id,
            revision=manifest.revision,
            repair=repair,
            deleted=manifest.deleted,
            runs=intent.runs,
            leftover=[],
            manifest_hash=manifest_hash(manifest),
            digest=digest(manifest, repair, hashes),
            outbox_seq=0,
            at_ms=self.now_ms(),
        )
        tables.outbox.put_shared(manifest.kb, manifest.document_key, shared)

    async def _publish(self, publications: Sequence[Publication]) -> None:
        """Chunks, then documents, then purges, then the intents are done. Every step may be repeated."""
        chunks = [chunk for each in publications for chunk in each.chunks]
        chunk_acks = await self.outbox.publish_many([chunk.entry for chunk in chunks])
        document_acks = await self.outbox.publish_many([each.document.entry for each in publications])
        await self._purge([(each.intent.manifest.kb, n) for each in publications for n in each.intent.retired])
        at_ms = self.now_ms()

        def done(tables: Tables) -> None:
            for chunk, ack in zip(chunks, chunk_acks, strict=True):
                assert isinstance(chunk.message, ChunkShared)
                number = (chunk.message.number, ack.seq, chunk.size_bytes, at_ms)
                tables.outbox.chunk_published(chunk.message.kb, *number)
            for each, ack in zip(publications, document_acks, strict=True):
                _finish(tables, each, ack, at_ms)

        await self.state.write(done)
        self.done_seq = max([self.done_seq, *(ack.seq for ack in (*chunk_acks, *document_acks))])
        self.metrics.sent_documents.inc(len(publications))
        self.metrics.sent_chunks.inc(len(chunks))
        self.metrics.sent_bytes.inc(sum(each.size_bytes for each in publications))

    async def _purge(self, numbers: Sequence[tuple[str, int]]) -> None:
        slots = asyncio.Semaphore(PURGES_AT_ONCE)
        stream = streams.outbox(self.place).name

        async def purge(kb: str, number: int) -> None:
            async with slots:
                await self.outbox.purge(stream, subjects.OUTBOX_CHUNK.at(self.place, kb, str(number)))

        await asyncio.gather(*(purge(kb, number) for kb, number in numbers))
        self.metrics.retired.inc(len(numbers))

    async def _finish_intents(self) -> None:
        """What a crash or a lost connection left between its numbers and its end.

        As one batch, as it was begun: a document may name numbers whose chunks another one of the batch sends.
        """
        intents = await self.state.read(lambda tables: tables.outbox.intents())
        if not intents:
            return
        chunks, _ = await self._read({(each.manifest.kb, chunk) for each in intents for _, chunk in each.send})
        whole = []
        for kb in sorted({each.manifest.kb for each in intents}):
            own = [each for each in intents if each.manifest.kb == kb]
            gone = await self._gone(kb, own, chunks)
            for each in own:
                if _lacks(each, gone):
                    await self._abandon(each, gone)
                else:
                    whole.append(publication(self.place, each, chunks))
        await self._publish(whole)

    async def _gone(self, kb: str, intents: Sequence[Intent], chunks: Mapping[ChunkKey, Prepared]) -> set[int]:
        """Numbers that will never be published: their chunk is neither in KNOWLEDGE nor in OUTBOX, or the intent that
        was to publish it names such a number."""
        sends = [number for each in intents for number, chunk in each.send if (kb, chunk) not in chunks]
        gone: set[int] = set()
        while more := await self._nowhere(kb, sends) - gone:
            gone |= more
            sends = [number for each in intents if _lacks(each, gone) for number, _ in each.send]
        return gone

    async def _nowhere(self, kb: str, numbers: Sequence[int]) -> set[int]:
        names = {subjects.OUTBOX_CHUNK.at(self.place, kb, str(number)): number for number in numbers}
        there = await self.outbox.exists_many(streams.outbox(self.place).name, list(names)) if names else set()
        return {number for name, number in names.items() if name not in there}

    async def _abandon(self, intent: Intent, unpublished: set[int]) -> None:
        """Chunks that it names are nowhere any more: a newer revision replaced it, or the one that was to send them.

        It waits for another turn, with numbers of its own, or for the newer one. Until then the document's message
        still names what was to be retired, so that goes with it.
        """
        manifest = intent.manifest
        left = [Run(start=number, count=1) for number in numbers_of(intent.runs) if number not in unpublished]

        def act(tables: Tables) -> None:
            shared = tables.outbox.shared(manifest.kb, manifest.document_key)
            assert shared is not None
            # Revision 0: any decision on the document is news.
            undone = replace(shared, revision=0, runs=left, leftover=intent.retired, manifest_hash=b"", digest=b"")
            tables.outbox.drop_numbers(manifest.kb, unpublished)
            tables.outbox.put_shared(manifest.kb, manifest.document_key, undone)
            tables.outbox.finish(manifest.kb, manifest.document_key)
            decision = residency.gate(manifest, shared_before=True)
            again = Decided(manifest=manifest, stamp=intent.stamp, decision=decision)
            tables.outbox.enqueue_again(again, window.Class.INTERACTIVE, self.now_ms())

        await self.state.write(act)
        _log.info("a revision was replaced before it could be shared", extra={"kb": manifest.kb})


def _lacks(intent: Intent, gone: Set[int]) -> bool:
    return not gone.isdisjoint(numbers_of(intent.runs))


def _turn(tables: Tables, queued: Queued) -> Turn:
    manifest = queued.decided.manifest
    chunk_ids = dict.fromkeys(place.chunk_id for place in manifest.places)
    held = {} if queued.decided.again else tables.outbox.numbers(manifest.kb, 0).current(chunk_ids)
    return Turn(queued=queued, needs=tuple((manifest.kb, chunk_id) for chunk_id in chunk_ids if chunk_id not in held))


def _waiting(heads: Sequence[Queued]) -> window.Waiting | None:
    if not heads:
        return None
    manifest = heads[0].decided.manifest
    return window.Waiting(
        kb=manifest.kb,
        document_key=manifest.document_key,
        since_ms=heads[0].since_ms,
        chunks_new=heads[0].chunks_new,
        bytes_out=heads[0].bytes_out,
    )


def _intent(queued: Queued, sharing: Sharing, leftover: Sequence[int]) -> Intent:
    return Intent(
        manifest=queued.decided.manifest,
        stamp=queued.decided.stamp,
        runs=list(sharing.runs),
        send=[(each.number, each.chunk_id) for each in sharing.send],
        retired=[*sharing.retired, *leftover],
    )


def _finish(tables: Tables, done: Publication, ack: PubAck, at_ms: int) -> None:
    manifest = done.intent.manifest
    tables.outbox.document_published(manifest.kb, manifest.document_key, ack.seq, done.document.size_bytes, at_ms)
    tables.outbox.finish(manifest.kb, manifest.document_key)
