"""The one-shot calls of a bus: publish, read a point, store an object, ask. Each is explained where it is done."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path

from causeway.bus.broker import EdgeBroker
from causeway.bus.dead_letters import DeadLetters
from causeway.bus.decoding import delivery_of
from causeway.bus.delivery import Delivery, PubAck, Stored
from causeway.bus.lookup import Lookup
from causeway.bus.metrics import BusMetrics
from causeway.bus.objects import Objects
from causeway.bus.publishing import Publishing
from causeway.bus.requesting import Requesting
from causeway.bus.scanning import last_seq, scan, seq_before
from causeway.bus.settings import BusSettings
from causeway.proto import Message, documents, streams, subjects
from causeway.proto.codec import M, UndecodableError


class BusCalls:
    """What needs no registration and leaves nothing running."""

    def __init__(self, broker: EdgeBroker, settings: BusSettings, metrics: BusMetrics) -> None:
        self._broker = broker
        self._publishing = Publishing(broker, settings, metrics)
        self._requesting = Requesting(broker, settings)
        self._lookup = Lookup(broker)
        self._objects = Objects(broker, self._publishing)
        self.dead_letters = DeadLetters(broker, self._publishing, settings, metrics)

    async def publish(
        self,
        subject: str,
        message: Message,
        *,
        msg_id: str,
        stream: str | None = None,
        expected_last_subject_seq: int | None = None,
        timeout_s: float | None = None,
    ) -> PubAck:
        """See Publishing.publish."""
        return await self._publishing.publish(
            subject,
            message,
            msg_id=msg_id,
            stream=stream,
            expected_last_subject_seq=expected_last_subject_seq,
            timeout_s=timeout_s,
        )

    async def publish_many(
        self, entries: Iterable[tuple[str, Message, str]], *, window: int = 500, timeout_s: float | None = None
    ) -> list[PubAck]:
        """See Publishing.publish_many."""
        return await self._publishing.publish_many(entries, window=window, timeout_s=timeout_s)

    async def last(self, stream: str, subject: str) -> Stored | None:
        """The last message of a subject of the registry, or None."""
        return await self._lookup.last(stream, subject, _carried(stream))

    async def last_many(self, stream: str, wanted: Iterable[str]) -> dict[str, Stored]:
        """The last messages of those subjects that have one."""
        return await self._lookup.last_many(stream, wanted, _carried(stream))

    async def exists_many(self, stream: str, wanted: Iterable[str]) -> set[str]:
        """Those of the subjects that have a message."""
        return await self._lookup.exists_many(stream, wanted)

    async def purge(self, stream: str, subject: str, below_seq: int | None = None) -> None:
        """Remove a subject's messages, below a sequence where it is given."""
        await self._lookup.purge(stream, subject, below_seq)

    async def scan(
        self,
        stream: str,
        filter_subjects: Sequence[str],
        *,
        after_seq: int = 0,
        passed_over: Callable[[UndecodableError], None] | None = None,
    ) -> AsyncGenerator[Delivery, None]:
        """Every message of a stream that is there now, in order.

        Raises:
            UndecodableError: one of them is not what the registry says, and there is no `passed_over` to be told of it.
        """
        kinds = _carried(stream)
        async with aclosing(scan(self._broker.js, stream, filter_subjects, after_seq=after_seq)) as messages:
            async for message in messages:
                try:
                    delivery = delivery_of(message, kinds)
                except UndecodableError as error:
                    if passed_over is None:
                        raise
                    passed_over(error)
                    continue
                yield delivery

    async def last_seq(self, stream: str) -> int:
        """See scanning.last_seq."""
        return await last_seq(self._broker.js, stream)

    async def seq_before(self, stream: str, moment: datetime) -> int:
        """See scanning.seq_before."""
        return await seq_before(self._broker.js, stream, moment)

    async def count(self, stream: str) -> int:
        """How many messages the stream holds."""
        return int((await self._broker.js.stream_info(stream)).state.messages)

    async def put_object(
        self,
        bucket: str,
        name: str,
        content: Path | bytes,
        *,
        bytes_max: int = documents.DOCUMENT_BYTES_MAX,
        progress: Callable[[int], None] | None = None,
    ) -> documents.ObjectRef:
        """See Objects.put."""
        return await self._objects.put(bucket, name, content, bytes_max=bytes_max, progress=progress)

    async def get_object(
        self, ref: documents.ObjectRef, to_path: Path, *, bytes_max: int = documents.DOCUMENT_BYTES_MAX
    ) -> None:
        """See Objects.get."""
        await self._objects.get(ref, to_path, bytes_max=bytes_max)

    async def delete_object(self, ref: documents.ObjectRef) -> None:
        """See Objects.delete."""
        await self._objects.delete(ref)

    async def request(self, subject: str, message: Message, reply_type: type[M], timeout_s: float | None = None) -> M:
        """See Requesting.request."""
        return await self._requesting.request(subject, message, reply_type, timeout_s)

    async def notify(self, subject: str, message: Message) -> None:
        """See Requesting.notify."""
        await self._requesting.notify(subject, message)

    def request_stream(
        self,
        subject: str,
        message: Message,
        reply_type: type[M] | tuple[type[M], ...],
        *,
        wait_s: float = 10.0,
        total_s: float = 120.0,
    ) -> AsyncGenerator[M, None]:
        """See Requesting.request_stream."""
        return self._requesting.request_stream(subject, message, reply_type, wait_s=wait_s, total_s=total_s)


def _carried(stream: str) -> tuple[type[Message], ...]:
    across = stream == streams.INBOX.name or stream.startswith(f"{subjects.OUTBOX}_")
    name = subjects.OUTBOX if across else stream
    rows = [row.carries for row in subjects.ALL if row.stream == name]
    return tuple(dict.fromkeys(kind for carries in rows for kind in carries))
