"""Publishing into streams: the same id until the server has it, or a typed error.

Delivery guarantee: after `publish` returns, the message is on the server's disk once (within the stream's duplicate
window). After `NotPublished` it may or may not be there; the same id makes the next attempt safe.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Mapping

import nats.errors
import nats.js.errors
from nats.js import api
from opentelemetry import propagate

from causeway.bus.broker import EdgeBroker
from causeway.bus.delivery import PubAck
from causeway.bus.errors import (
    BusError,
    NotConnected,
    NotPublished,
    PayloadTooLarge,
    StreamFull,
    StreamMissing,
    WrongLastSequence,
)
from causeway.bus.metrics import BusMetrics
from causeway.bus.settings import BusSettings
from causeway.bus.telemetry import row_of
from causeway.proto import Message, encode, headers, streams, subjects

HEADER_BYTES_RESERVED = 4096
RETRY_PAUSE_S = 0.1
Entry = tuple[str, Message, str]
"""Subject, message and message id."""
# Codes of nats-server's errors.json.
_WRONG_LAST = frozenset({10071, 10164})
_FULL = frozenset({10077, 10110, 10047, 10054})


class Publishing:
    """Publishes through FastStream's broker."""

    def __init__(self, broker: EdgeBroker, settings: BusSettings, metrics: BusMetrics) -> None:
        self._broker = broker
        self._settings = settings
        self._metrics = metrics

    async def publish(
        self,
        subject: str,
        message: Message,
        *,
        msg_id: str,
        stream: str | None = None,
        expected_last_subject_seq: int | None = None,
        extra_headers: dict[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> PubAck:
        """Publish until acknowledged. With `expected_last_subject_seq`, only if the subject's last message has that
        sequence (0: no message yet).

        Raises:
            NotPublished, StreamFull, StreamMissing, WrongLastSequence, PayloadTooLarge.
        """
        head = self._head(subject, message, msg_id) | (extra_headers or {})
        if expected_last_subject_seq is not None:
            head[headers.EXPECTED_LAST_SUBJECT_SEQ] = str(expected_last_subject_seq)
        return await self.publish_raw(subject, encode(message), head, stream=stream, timeout_s=timeout_s)

    def _head(self, subject: str, message: Message, msg_id: str) -> dict[str, str]:
        if _crosses_link(subject):
            return headers.link_headers(message, msg_id=msg_id)
        head = headers.event_headers(message, msg_id=msg_id, source=self._settings.source, time_rfc3339=_now())
        return head | _trace_headers()

    async def publish_raw(
        self,
        subject: str,
        body: bytes,
        head: dict[str, str],
        *,
        stream: str | None = None,
        timeout_s: float | None = None,
    ) -> PubAck:
        """Publish bytes as they are; `head` must hold a Nats-Msg-Id."""
        target = stream or _stream_of(subject)
        labels = (self._settings.service, target)
        try:
            ack = await self._once(subject, body, head, target, timeout_s)
        except BusError:
            self._metrics.published.labels(*labels, "failed").inc()
            raise
        self._metrics.published.labels(*labels, "duplicate" if ack.duplicate else "stored").inc()
        return ack

    async def _once(
        self, subject: str, body: bytes, head: dict[str, str], stream: str, timeout_s: float | None
    ) -> PubAck:
        try:
            return await self._until_acknowledged(subject, body, head, stream, timeout_s)
        except WrongLastSequence:
            # The server looks at the expected sequence before it looks for duplicates, so a publication whose
            # acknowledgement was lost stands in its own way.
            own = await self._own_last(subject, head, stream)
            if own is None:
                raise
            return own

    async def _own_last(self, subject: str, head: dict[str, str], stream: str) -> PubAck | None:
        try:
            last = await self._broker.js.get_msg(stream, subject=subject)
        except (nats.errors.Error, TimeoutError):
            return None
        if last.seq is None or (last.headers or {}).get(headers.MSG_ID) != head.get(headers.MSG_ID):
            return None
        return PubAck(stream=stream, seq=last.seq, duplicate=True)

    async def _until_acknowledged(
        self, subject: str, body: bytes, head: dict[str, str], stream: str, timeout_s: float | None
    ) -> PubAck:
        limit_s = self._settings.publish_timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + limit_s
        last: Exception | None = None
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                await self._broker.client.online(remaining)
                return await self._attempt(subject, body, head, stream, deadline)
            except (nats.errors.Error, nats.js.errors.Error, NotConnected, TimeoutError) as error:
                # The last attempt has what time is left, and if that ends it, it says less than the one before.
                last = last if last and isinstance(error, TimeoutError) else error
                final = _final(error, subject, stream, len(body))
                if final is not None:
                    raise final from error
            self._metrics.publish_retries.labels(self._settings.service, stream).inc()
            await asyncio.sleep(min(RETRY_PAUSE_S, max(0.0, deadline - time.monotonic())))
        raise _gave_up(last, f"{subject} after {limit_s} s ({last})") from last

    async def _attempt(self, subject: str, body: bytes, head: dict[str, str], stream: str, deadline: float) -> PubAck:
        if not self._fits(body):
            limit = int(self._broker.client.max_payload)
            raise PayloadTooLarge(f"{len(body)} bytes on {subject}, the server takes {limit}")
        timeout_s = max(0.05, min(self._settings.publish_attempt_s, deadline - time.monotonic()))
        ack = await self._broker.publish(body, subject, headers=dict(head), stream=stream, timeout=timeout_s)
        return PubAck(stream=ack.stream, seq=ack.seq, duplicate=bool(ack.duplicate))

    async def publish_many(
        self, entries: Iterable[Entry], *, window: int = 500, timeout_s: float | None = None
    ) -> list[PubAck]:
        """Publish (subject, message, msg_id) with up to `window` under way; the order in the stream is not promised.
        All are tried; then the first error, if any, is raised: publish all again with the same ids."""
        todo = list(entries)
        acks: dict[int, PubAck] = {}
        for begin in range(0, len(todo), window):
            some = {index: todo[index] for index in range(begin, min(begin + window, len(todo)))}
            acks |= await self._at_once(some)
        left = {index: entry for index, entry in enumerate(todo) if index not in acks}
        acks |= await self._one_by_one(left, window, timeout_s)
        return [acks[index] for index in range(len(todo))]

    async def _one_by_one(
        self, entries: Mapping[int, Entry], window: int, timeout_s: float | None
    ) -> dict[int, PubAck]:
        acks: dict[int, PubAck] = {}
        errors: list[BusError] = []
        pending = iter(entries.items())

        async def worker() -> None:
            for index, (subject, message, msg_id) in pending:
                try:
                    acks[index] = await self.publish(subject, message, msg_id=msg_id, timeout_s=timeout_s)
                except BusError as error:
                    errors.append(error)
                    return

        await asyncio.gather(*(worker() for _ in range(min(window, len(entries)))))
        if errors:
            raise errors[0]
        return acks

    async def _at_once(self, entries: Mapping[int, Entry]) -> dict[int, PubAck]:
        """One attempt for each with nothing between them, which takes a third of the time of as many calls of
        `publish`. What is not acknowledged is for `publish` to repeat, and to say why it can not be."""
        under_way: dict[int, asyncio.Future[api.PubAck]] = {}
        with contextlib.suppress(nats.errors.Error):
            for index, (subject, message, msg_id) in entries.items():
                body, row = encode(message), row_of(subject)
                if not self._broker.client.is_connected:
                    break
                if row is None or not row.stream or not self._fits(body):
                    continue
                head = self._head(subject, message, msg_id)
                future = self._broker.js.publish_async(subject, body, stream=_stream_of(subject), headers=head)
                under_way[index] = await future
        return await self._acknowledged(under_way)

    async def _acknowledged(self, under_way: Mapping[int, "asyncio.Future[api.PubAck]"]) -> dict[int, PubAck]:
        try:
            if under_way:
                await asyncio.wait(under_way.values(), timeout=self._settings.publish_attempt_s)
        finally:
            for future in under_way.values():
                future.cancel()
        # Asked for its exception, a future does not put it into the log of the loop.
        well = {i: each for i, each in under_way.items() if not each.cancelled() and each.exception() is None}
        acks: dict[int, PubAck] = {}
        for index, future in well.items():
            ack = future.result()
            acks[index] = PubAck(stream=ack.stream, seq=ack.seq, duplicate=bool(ack.duplicate))
        for (stream, duplicate), count in Counter((ack.stream, ack.duplicate) for ack in acks.values()).items():
            outcome = "duplicate" if duplicate else "stored"
            self._metrics.published.labels(self._settings.service, stream, outcome).inc(count)
        return acks

    def _fits(self, body: bytes) -> bool:
        return len(body) + HEADER_BYTES_RESERVED <= int(self._broker.client.max_payload)


def _crosses_link(subject: str) -> bool:
    row = row_of(subject)
    return row is not None and row.stream == subjects.OUTBOX


def _stream_of(subject: str) -> str:
    row = row_of(subject)
    if row is None or not row.stream:
        raise StreamMissing(f"subject {subject!r} is kept in no stream of the registry")
    # An outbox carries the name of its place, which is the second token of its subjects.
    return streams.outbox(subject.split(".")[1]).name if row.stream == subjects.OUTBOX else row.stream


def _final(error: Exception, subject: str, stream: str, size: int) -> BusError | None:
    if isinstance(error, nats.errors.MaxPayloadError):
        return PayloadTooLarge(f"{size} bytes on {subject}")
    if not isinstance(error, nats.js.errors.APIError):
        return None
    if error.err_code in _WRONG_LAST:
        return WrongLastSequence(f"{subject}: {error.description}")
    if error.err_code in _FULL:
        return StreamFull(f"stream {stream}: {error.description}")
    # 503 passes (JetStream starting, no leader); another 4xx would be refused again.
    permanent = error.code is not None and 400 <= error.code < 500
    return NotPublished(f"{subject} refused: {error.description}") if permanent else None


def _gave_up(last: Exception | None, detail: str) -> NotPublished:
    missing = isinstance(last, nats.js.errors.NoStreamResponseError)
    return StreamMissing(detail) if missing else NotPublished(detail)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _trace_headers() -> dict[str, str]:
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier
