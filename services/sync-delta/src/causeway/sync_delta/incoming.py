"""INBOX to KNOWLEDGE: chunks first, then the manifests that name them, then the watermark of each origin.

At least once, effects before the watermark, and the position is the watermark's: whatever is cut off is done again,
and a manifest is written by compare-and-set only over an older one. So nothing is lost and nothing is applied twice.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from causeway.bus import Delivery, Position, RawMessage
from causeway.proto import streams, subjects
from causeway.proto.knowledge import Watermark
from causeway.sync_delta.applying import Applying, Outcome
from causeway.sync_delta.arrivals import Arrival, BadArrivalError, ChunkCame, DocumentCame, arrival_of
from causeway.sync_delta.encoding import BadSharedChunkError
from causeway.sync_delta.metrics import Metrics
from causeway.sync_delta.ports import Graveyard, Log
from causeway.sync_delta.runs import BadRunsError, numbers_of
from causeway.sync_delta.state import State, Tables

KNOWLEDGE = subjects.WATERMARK.stream
INBOX = streams.INBOX.name
FILLED = "inbox_filled"
WAITING_AT_ONCE = 256
RELEASED_AT_ONCE = 256
PURGES_AT_ONCE = 16


class UnburiedError(RuntimeError):
    """DEAD did not take a message of the link: it and all after it stay in INBOX. Make room in DEAD."""


@dataclass(kw_only=True)
class Incoming:
    """The follower of INBOX. `knowledge` is this place's log, `inbox` the account of the link."""

    place: str
    state: State
    knowledge: Log
    inbox: Log
    graveyard: Graveyard
    applying: Applying
    metrics: Metrics
    progressed: Callable[[], None] = lambda: None
    followed: Callable[[], Position] = Position
    applied_seqs: dict[str, int] = field(default_factory=dict)
    settled_seq: int = 0
    _closed: dict[tuple[str, str], int] = field(default_factory=dict)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def position(self) -> Position:
        """By the watermarks in KNOWLEDGE; from the start of INBOX, once, if the state was lost."""
        marks = [
            delivery.message
            async for delivery in self.knowledge.scan(KNOWLEDGE, [subjects.WATERMARK.at("*")])
            if isinstance(delivery.message, Watermark) and delivery.message.origin != self.place
        ]
        self.applied_seqs = {mark.origin: mark.outbox_seq for mark in marks}
        newest = max(marks, key=lambda mark: mark.inbox_seq, default=None)
        if newest is None:
            return Position()
        if await self.state.read(lambda tables: tables.marks.get(FILLED, bool)):
            return Position(seq=newest.inbox_seq, stream_created=newest.inbox_created_ns)
        self.settled_seq = newest.inbox_seq
        return Position(stream_created=newest.inbox_created_ns)

    async def bury(self, raw: RawMessage, reason: str) -> None:
        """What can not be processed lies in DEAD before anything after it is taken.

        Raises:
            UnburiedError: DEAD is full.
        """
        self.metrics.refused.labels(raw.subject.split(".")[1]).inc()
        if not await self.graveyard.bury(raw, reason):
            raise UnburiedError(str(UnburiedError.__doc__))

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """One batch: effects, state, watermarks, and then what they made superfluous goes."""
        began = time.perf_counter()
        async with self.busy:
            arrivals = await self._arrivals(deliveries)
            chunks = [arrival for arrival in arrivals if isinstance(arrival, ChunkCame)]
            # What was settled before the state was lost is in KNOWLEDGE; where it is not, applying fetches it.
            await self.applying.put_chunks([each for each in chunks if each.came.inbox_seq > self.settled_seq])
            newest = {each.subject: each for each in arrivals if isinstance(each, DocumentCame)}
            outcomes = await self.applying.put_documents(list(newest.values()), chunks)
            last_seq = deliveries[-1].stream_seq
            await self.state.write(lambda tables: self._commit(tables, chunks, outcomes, last_seq))
            await self._mark(arrivals, last_seq)
        self.metrics.batch_seconds.labels("inbox").observe(time.perf_counter() - began)
        self.progressed()

    async def tidy(self) -> None:
        """Try those that wait for a chunk once more; purge from INBOX what nothing here names, or ever came to name."""
        async with self.busy:
            waiting = await self.state.read(lambda tables: tables.inbox.waiting(WAITING_AT_ONCE))
            if waiting:
                outcomes = await self.applying.try_again(waiting)
                await self.state.write(lambda tables: self._commit_documents(tables, outcomes))
            await self.state.write(self._forget)
        # What lies beyond the position comes again, and must be there to move the watermark.
        ready = (self.followed().seq, RELEASED_AT_ONCE)
        while released := await self.state.read(lambda tables: tables.inbox.released(*ready)):
            await self._purge(released)

    def close(self, origin: str, kb: str, up_to_seq: int) -> None:
        """All that `origin` shares of `kb` stands here, as far as it had begun when its outbox ended at this sequence.

        So a number up to there that no document here names is never named again, and goes. Nothing less tells: a link
        may be cut for days between a document and its chunks.
        """
        self._closed[origin, kb] = up_to_seq

    def _forget(self, tables: Tables) -> None:
        for (origin, kb), up_to_seq in self._closed.items():
            numbers = tables.inbox.unnamed(origin, kb, up_to_seq, RELEASED_AT_ONCE)
            tables.inbox.forget(origin, kb, numbers)
            names = [subjects.OUTBOX_CHUNK.at(origin, kb, str(number)) for number in numbers]
            tables.inbox.release(names, self.followed().seq + 1)

    async def _purge(self, released: Sequence[tuple[str, int]]) -> None:
        slots = asyncio.Semaphore(PURGES_AT_ONCE)

        async def purge(subject: str, below_seq: int) -> None:
            async with slots:
                await self.inbox.purge(INBOX, subject, below_seq)

        await asyncio.gather(*(purge(subject, below_seq) for subject, below_seq in released))
        await self.state.write(lambda tables: tables.inbox.purged(released))

    async def _arrivals(self, deliveries: Sequence[Delivery]) -> list[Arrival]:
        arrivals = []
        for delivery in deliveries:
            try:
                arrival = arrival_of(delivery)
                if isinstance(arrival, DocumentCame):
                    numbers_of(arrival.shared.runs)
                arrivals.append(arrival)
            except (BadArrivalError, BadSharedChunkError, BadRunsError) as error:
                assert delivery.raw is not None
                await self.bury(delivery.raw, str(error))
        return arrivals

    def _commit(self, tables: Tables, chunks: Sequence[ChunkCame], outcomes: Sequence[Outcome], last_seq: int) -> None:
        tables.inbox.put_chunks([each.row for each in chunks])
        self._commit_documents(tables, outcomes)
        if last_seq >= self.settled_seq:
            tables.marks.put(FILLED, True)

    def _commit_documents(self, tables: Tables, outcomes: Sequence[Outcome]) -> None:
        now_ms = self.applying.now_ms()
        for outcome in outcomes:
            self.metrics.applied.labels(outcome.origin, outcome.kind.value).inc()
            outcome.write(tables.inbox, now_ms)
        self.metrics.waiting.set(tables.inbox.waiting_count())

    async def _mark(self, arrivals: Sequence[Arrival], inbox_seq: int) -> None:
        """Say how far each origin has come, all effects being durable.

        The position moves with the last of them: one that a crash leaves out is written when the batch comes again.
        """
        before, created_ns = self.followed().seq, self.followed().stream_created
        seqs = {arrival.came.origin: arrival.came.outbox_seq for arrival in arrivals}
        for left, (origin, outbox_seq) in zip(reversed(range(len(seqs))), seqs.items(), strict=True):
            # A site takes the hub's outbox by several sources, which do not wait for each other.
            reached = max(outbox_seq, self.applied_seqs.get(origin, 0)) if origin == subjects.HUB else outbox_seq
            position = before if left else inbox_seq
            mark = Watermark(origin=origin, outbox_seq=reached, inbox_seq=position, inbox_created_ns=created_ns)
            msg_id = f"watermark:{origin}:{reached}:{position}:{created_ns}"
            await self.knowledge.publish(subjects.WATERMARK.at(origin), mark, msg_id=msg_id)
            self.applied_seqs[origin] = reached
