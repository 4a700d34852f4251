"""The dead-letter stream: what could not be processed, with the reason, to be listed, replayed or discarded.

A message is put into DEAD before it is taken out of its stream, so it is never in neither. Replay publishes to the
original subject before it removes the dead letter: a crash between the two replays it twice.
"""

import logging
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import nats.js.errors
from nats.aio.msg import Msg
from nats.js import api

from causeway.bus.broker import EdgeBroker
from causeway.bus.delivery import PubAck
from causeway.bus.errors import BusError, ObjectMissing
from causeway.bus.metrics import BusMetrics
from causeway.bus.publishing import Publishing
from causeway.bus.settings import BusSettings
from causeway.proto import decode, headers, streams, subjects
from causeway.proto.dead import DeadLetter

log = logging.getLogger(__name__)
REMOVED = "causeway-removed"
# Headers of the server or of the first life of the message, which a replay must not carry.
_NOT_REPLAYED = frozenset({headers.MSG_ID.lower(), headers.EXPECTED_LAST_SUBJECT_SEQ.lower(), "nats-expected-stream"})


@dataclass(frozen=True, kw_only=True)
class DeadEntry:
    """A dead letter with its place in DEAD, which `replay` and `discard` take."""

    seq: int
    letter: DeadLetter


class DeadLetters:
    """Puts messages into DEAD for a service, and serves the operator who looks at them."""

    def __init__(self, broker: EdgeBroker, publishing: Publishing, settings: BusSettings, metrics: BusMetrics) -> None:
        self._broker = broker
        self._publishing = publishing
        self._settings = settings
        self._metrics = metrics

    async def bury(self, raw: Msg, reason: str) -> bool:
        """Put a delivery into DEAD; False when DEAD does not take it, and then the message must stay where it is."""
        meta = raw.metadata
        letter = DeadLetter(
            service=self._settings.service,
            reason=reason,
            origin_stream=meta.stream,
            origin_subject=raw.subject,
            origin_seq=meta.sequence.stream,
            attempts=meta.num_delivered or 1,
            at_unix_ms=time.time_ns() // 1_000_000,
            headers=dict(raw.headers or {}),
            body=raw.data,
        )
        subject = subjects.DEAD.at(self._settings.site, key=self._settings.service)
        stamp = int(meta.timestamp.timestamp() * 1000)
        msg_id = f"dead.{self._settings.service}.{meta.stream}.{meta.sequence.stream}.{stamp}"
        labels = (self._settings.service, meta.stream)
        try:
            await self._publishing.publish(subject, letter, msg_id=msg_id)
        except BusError as error:
            self._metrics.dead_letters_refused.labels(*labels).inc()
            log.error("DEAD does not take a message; it stays in its stream", extra=_about(letter, str(error)))
            return False
        self._metrics.dead_letters.labels(*labels).inc()
        log.error("message is a dead letter now", extra=_about(letter, reason))
        return True

    async def entries(self, *, count_max: int = 1000, from_seq: int = 1) -> AsyncGenerator[DeadEntry, None]:
        """The dead letters, oldest first."""
        state = (await self._broker.js.stream_info(streams.DEAD.name)).state
        seq, shown = max(from_seq, state.first_seq), 0
        while seq <= state.last_seq and shown < count_max:
            try:
                raw = await self._broker.js.get_msg(streams.DEAD.name, seq=seq, subject=">", next=True)
            except nats.js.errors.NotFoundError:
                return
            assert raw.seq is not None
            yield DeadEntry(seq=raw.seq, letter=decode(raw.data or b"", DeadLetter))
            seq, shown = raw.seq + 1, shown + 1

    async def entry(self, seq: int) -> DeadEntry:
        """One dead letter.

        Raises:
            ObjectMissing: there is none of that number.
        """
        try:
            raw = await self._broker.js.get_msg(streams.DEAD.name, seq=seq)
        except nats.js.errors.NotFoundError:
            raise ObjectMissing(f"dead letter {seq}") from None
        return DeadEntry(seq=seq, letter=decode(raw.data or b"", DeadLetter))

    async def replay(self, seq: int) -> PubAck:
        """Publish the original message again to its original subject, then remove the dead letter.

        The id is new, or the stream would take it for a duplicate; `Causeway-Replay-Of` and `ce-id` keep the lineage.
        """
        letter = (await self.entry(seq)).letter
        original_id = letter.headers.get(headers.MSG_ID, "")
        head = {name: value for name, value in letter.headers.items() if name.lower() not in _NOT_REPLAYED}
        head[headers.MSG_ID] = f"replay.{letter.at_unix_ms}.{seq}.{original_id}"
        head[headers.REPLAY_OF] = original_id or f"{letter.origin_stream}.{letter.origin_seq}"
        ack = await self._publishing.publish_raw(letter.origin_subject, letter.body, head, stream=letter.origin_stream)
        await self.discard(seq)
        return ack

    async def discard(self, seq: int) -> bool:
        """Remove a dead letter for good; False when it was gone already."""
        try:
            await self._broker.js.delete_msg(streams.DEAD.name, seq)
        except nats.js.errors.APIError as error:
            if error.code == 404 or "no message found" in (error.description or ""):
                return False
            raise
        await self._count_removal()
        return True

    async def _count_removal(self) -> None:
        # Kept with the stream, so that what age removed can be told from what an operator removed.
        config = (await self._broker.js.stream_info(streams.DEAD.name)).config
        metadata = dict(config.metadata or {})
        metadata[REMOVED] = str(int(metadata.get(REMOVED, "0")) + 1)
        config.metadata = metadata
        await self._broker.js.update_stream(config)

    async def refresh_metrics(self) -> None:
        """Set the gauges of what DEAD holds and of what it lost by age."""
        info = await self._broker.js.stream_info(streams.DEAD.name)
        service = self._settings.service
        self._metrics.dead_letters_stored.labels(service).set(info.state.messages)
        self._metrics.dead_letters_expired.labels(service).set(expired(info))


def expired(info: api.StreamInfo) -> int:
    """How many dead letters age has removed without anyone having replayed or discarded them."""
    removed = int((info.config.metadata or {}).get(REMOVED, "0"))
    first = info.config.first_seq or 1
    return max(0, info.state.last_seq - first + 1 - info.state.messages - removed)


def _about(letter: DeadLetter, reason: str) -> dict[str, object]:
    return {
        "stream": letter.origin_stream,
        "seq": letter.origin_seq,
        "attempts": letter.attempts,
        "reason": reason[:500],
    }
