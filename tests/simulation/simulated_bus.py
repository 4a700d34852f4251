"""The bus as a process sees it, over logs in memory: what `causeway.bus.Bus` promises, and no more.

Each call takes turns with everything else that happens: it may be cut off before its effect, between effect and sync,
or after the sync with the acknowledgement lost. A look at a subject waits for the sync of what was stored before.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Any

from causeway.bus import BusError, Delivery, Endpoint, NotPublished, Position, PubAck, Stored, WrongLastSequence
from causeway.proto import Message, encode, headers
from tests.simulation.log import CompactedLog, Entry, WrongLastError
from tests.simulation.observation import record
from tests.simulation.virtual_loop import pause

LogHandler = Callable[[list[Delivery]], Awaitable[None]]
CREATED = 1
FOLLOW_AGAIN_S = 0.5


class Graveyard:
    """Takes nothing: no message of the simulation is damaged."""

    async def bury(self, raw: object, reason: str) -> bool:
        """Refuse."""
        return False


@dataclass
class Followed:
    """What `Bus.follow` returns, as far as services look at it."""

    task: asyncio.Task[None] | None = None
    position: Position = field(default_factory=Position)
    caught_up: asyncio.Event = field(default_factory=asyncio.Event)
    lag: int = 0
    reason: str = ""


Ask = Callable[[str, Message], Awaitable[Message]]
"""Over the link, with the subject: raises RequestTimeout where nobody answers."""


class Gone(asyncio.CancelledError):
    """The process was killed: nothing of it runs on."""


@dataclass
class Server:
    """The streams of a place and its wall clock. `changed` wakes those that wait for more."""

    place: str
    logs: dict[str, CompactedLog]
    wall_ms: Callable[[], int]
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)

    def changed(self) -> None:
        """Something new is durable."""
        waiting, self.waiting = self.waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def sync(self, name: str) -> None:
        """Make a log durable and tell those that wait."""
        self.logs[name].sync()
        self.changed()


class SimulatedBus:
    """One process's connection. `turn` waits until the world lets it go on; `alive` ends with the process."""

    payload_bytes_max = 8 * 1024 * 1024
    connected = True

    def __init__(
        self,
        server: Server,
        turn: Callable[[str], Awaitable[None]],
        random: Random,
        lost_acks: Callable[[], float],
        ask: Ask,
    ) -> None:
        self.server = server
        self.dead_letters = Graveyard()
        self._turn = turn
        self._random = random
        self._lost_acks = lost_acks
        self._ask = ask

    async def await_stream(self, stream: str) -> None:
        """The streams are there."""

    def serve(self, name: str, version: str, description: str, endpoints: Sequence[Endpoint], _: object = None) -> None:
        """Answer these."""
        self.server.endpoints = {endpoint.subject: endpoint for endpoint in endpoints}

    async def request(
        self, subject: str, message: Message, reply_type: type[Message], timeout_s: float | None = None
    ) -> Message:
        """One reply from the other side of the link."""
        await self._turn(f"request {subject}")
        reply = await self._ask(subject, message)
        await self._turn(f"reply to {subject}")
        return reply

    def follow(
        self,
        stream: str,
        filter_subjects: Sequence[str],
        from_seq: Callable[[], Awaitable[Position]],
        handler: LogHandler,
        *,
        batch_max: int = 500,
        on_reset: Callable[[Position], Awaitable[None]] | None = None,
        **_: object,
    ) -> Followed:
        """Read a log in order, in the background."""
        followed = Followed()
        program = self._follow_forever(followed, stream, filter_subjects, from_seq, handler, batch_max, on_reset)
        followed.task = asyncio.get_running_loop().create_task(program, name=f"follow {stream}")
        return followed

    async def publish(
        self,
        subject: str,
        message: Message,
        msg_id: str = "",
        stream: str | None = None,
        expected_last_subject_seq: int | None = None,
        timeout_s: float | None = None,
    ) -> PubAck:
        """Durable when it returns."""
        name = stream or self._stream_of(subject)
        await self._turn(f"publish {subject}")
        seq = self._append(name, subject, message, expected_last_subject_seq)
        await self._turn(f"sync {subject}")
        self.server.sync(name)
        self._lose_ack(subject)
        return PubAck(stream=name, seq=seq, duplicate=False)

    async def publish_many(self, items: Sequence[tuple[str, Message, str]], window: int = 500) -> list[PubAck]:
        """All durable when it returns; the order in the stream is any."""
        order = list(range(len(items)))
        self._random.shuffle(order)
        acks: dict[int, PubAck] = {}
        for index in order:
            subject, message, _ = items[index]
            name = self._stream_of(subject)
            await self._turn(f"publish {subject}")
            acks[index] = PubAck(stream=name, seq=self._append(name, subject, message, None), duplicate=False)
        await self._turn("sync")
        for name in {ack.stream for ack in acks.values()}:
            self.server.sync(name)
        if items:
            self._lose_ack(items[0][0])
        return [acks[index] for index in range(len(items))]

    async def last(self, stream: str, subject: str) -> Stored | None:
        """What the subject holds."""
        await self._turn(f"last {subject}")
        self.server.sync(stream)
        return self._stored(self.server.logs[stream].last(subject), stream)

    async def last_many(self, stream: str, subjects: Iterable[str]) -> dict[str, Stored]:
        """What each subject holds, if anything."""
        await self._turn("last_many")
        self.server.sync(stream)
        found = {subject: self._stored(self.server.logs[stream].last(subject), stream) for subject in subjects}
        return {subject: stored for subject, stored in found.items() if stored is not None}

    async def exists_many(self, stream: str, subjects: Iterable[str]) -> set[str]:
        """Those subjects that hold something."""
        await self._turn("exists_many")
        self.server.sync(stream)
        return {subject for subject in subjects if self.server.logs[stream].last(subject)}

    async def last_seq(self, stream: str) -> int:
        """The newest sequence."""
        await self._turn("last_seq")
        return self.server.logs[stream].synced_seq

    async def purge(self, stream: str, subject: str, below_seq: int | None = None) -> int:
        """Remove what a subject holds below a sequence."""
        await self._turn(f"purge {subject}")
        self.server.logs[stream].purge(subject, below_seq)
        await self._turn("sync purge")
        self.server.sync(stream)
        return 1

    async def scan(
        self, stream: str, filter_subjects: Sequence[str], after_seq: int = 0, **_: Any
    ) -> AsyncIterator[Delivery]:
        """What is in the stream when it begins, in order, once."""
        await self._turn(f"scan {stream}")
        log = self.server.logs[stream]
        end, entry = log.synced_seq, log.after(after_seq)
        while entry is not None and entry.seq <= end:
            if matches(filter_subjects, entry.subject):
                yield self._delivery(stream, entry)
            entry = log.after(entry.seq)

    async def _follow_forever(
        self,
        followed: Followed,
        stream: str,
        filters: Sequence[str],
        from_seq: Callable[[], Awaitable[Position]],
        handler: LogHandler,
        batch_max: int,
        on_reset: Callable[[Position], Awaitable[None]] | None,
    ) -> None:
        """From the position again whenever the handler raises."""
        while True:
            try:
                followed.position = await self._begin(stream, await from_seq(), on_reset)
                await self._follow(followed, stream, filters, handler, batch_max)
            except BusError:
                followed.caught_up.clear()
                await pause(FOLLOW_AGAIN_S)

    async def _begin(
        self, stream: str, asked: Position, on_reset: Callable[[Position], Awaitable[None]] | None
    ) -> Position:
        if asked.seq <= self.server.logs[stream].synced_seq:
            return Position(seq=asked.seq, stream_created=CREATED)
        if on_reset is not None:
            await on_reset(Position(seq=0, stream_created=CREATED))
        return Position(seq=0, stream_created=CREATED)

    async def _follow(
        self, followed: Followed, stream: str, filters: Sequence[str], handler: LogHandler, batch_max: int
    ) -> None:
        log = self.server.logs[stream]
        while True:
            await self._turn(f"fetch {stream}")
            batch, seq = self._batch(log, filters, followed.position.seq, self._random.randint(1, batch_max))
            if batch:
                await handler([self._delivery(stream, entry) for entry in batch])
            followed.position = Position(seq=seq, stream_created=CREATED)
            followed.lag = 0 if log.after(seq) is None else 1
            if not followed.lag:
                followed.caught_up.set()
                await self.more()

    def _batch(self, log: CompactedLog, filters: Sequence[str], seq: int, size: int) -> tuple[list[Entry], int]:
        batch: list[Entry] = []
        while len(batch) < size and (entry := log.after(seq)) is not None:
            seq = entry.seq
            if matches(filters, entry.subject):
                batch.append(entry)
        return batch, seq

    async def more(self) -> None:
        """Wait until something new is durable at this place."""
        waiter = asyncio.get_running_loop().create_future()
        self.server.waiting.append(waiter)
        await waiter

    def _append(self, name: str, subject: str, message: Message, expected: int | None) -> int:
        try:
            return self.server.logs[name].append(Entry(0, subject, encode(message), self.server.wall_ms()), expected)
        except WrongLastError:
            raise WrongLastSequence(subject) from None

    def _lose_ack(self, subject: str) -> None:
        if self._random.random() < self._lost_acks():
            raise NotPublished(f"the acknowledgement of {subject} was lost")

    def _stream_of(self, subject: str) -> str:
        outbox = f"OUTBOX_{self.server.place}"
        return {"outbox": outbox, "status": "STATUS"}.get(subject.split(".")[2], "KNOWLEDGE")

    def _delivery(self, stream: str, entry: Entry) -> Delivery:
        return Delivery(
            subject=entry.subject,
            message=record(self.server.place, stream, entry).message,
            stream=stream,
            stream_seq=entry.seq,
            num_delivered=1,
            timestamp=datetime.fromtimestamp(entry.at_ms / 1000, UTC),
            headers=_headers(entry),
            size_bytes=len(entry.body),
        )

    def _stored(self, entry: Entry | None, stream: str) -> Stored | None:
        if entry is None:
            return None
        message = record(self.server.place, stream, entry).message
        time = datetime.fromtimestamp(entry.at_ms / 1000, UTC)
        return Stored(subject=entry.subject, seq=entry.seq, message=message, headers=_headers(entry), time=time)


def matches(filters: Sequence[str], subject: str) -> bool:
    """Whether a subject is one of those that the filters mean."""
    return any(_pattern(each).fullmatch(subject) for each in filters)


@lru_cache(maxsize=256)
def _pattern(subject_filter: str) -> re.Pattern[str]:
    tokens = [{"*": r"[^.]+", ">": r".+"}.get(token, re.escape(token)) for token in subject_filter.split(".")]
    return re.compile(r"\.".join(tokens))


def _headers(entry: Entry) -> dict[str, str]:
    if not entry.source_seq:
        return {headers.MSG_ID: f"{entry.subject}:{entry.seq}"}
    return {"Nats-Stream-Source": f"{entry.source} {entry.source_seq} > > {entry.subject}"}
