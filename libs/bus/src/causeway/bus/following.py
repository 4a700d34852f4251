"""A read model's eye on a log: every message after a position, in order, as often as needed, with no acknowledgement.

Delivery guarantee: in stream order without gaps; a batch is handed over again until the handler returns, so a handler
commits its position with its effects. The consumer is ephemeral: the only durable thing is the position of the caller.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import nats.errors
from nats.aio.msg import Msg

from causeway.bus.decoding import delivery_of
from causeway.bus.delivery import Delivery
from causeway.bus.errors import BusError, ConsumerLost
from causeway.bus.pulling import EdgePullSubscription
from causeway.bus.scanning import log_consumer, release
from causeway.proto import Message, UndecodableError

if TYPE_CHECKING:
    from causeway.bus.bus import Bus

log = logging.getLogger(__name__)
IDLE_S = 10.0
PAUSE_S = (0.1, 0.5, 2.0, 5.0)
INACTIVE_S = 120.0
LogHandler = Callable[[list[Delivery]], Awaitable[None]]
Undecodable = Callable[[Msg, str], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Position:
    """The last sequence that is applied (0: none), in the stream that was created at this moment (unix ns; 0: any)."""

    seq: int = 0
    stream_created: int = 0


class Following:
    """One follower. Made by `Bus.follow`; `position` is what has been handed over and returned from."""

    def __init__(
        self,
        bus: "Bus",
        stream: str,
        filter_subjects: list[str],
        from_seq: Callable[[], Awaitable[Position]],
        handler: LogHandler,
        *,
        message_types: tuple[type[Message], ...],
        batch_max: int,
        on_caught_up: Callable[[], Awaitable[None]] | None,
        on_reset: Callable[[Position], Awaitable[None]] | None,
        on_undecodable: Undecodable | None = None,
    ) -> None:
        self._bus = bus
        self.stream = stream
        self._filters = filter_subjects
        self._from_seq = from_seq
        self._handler = handler
        self._types = message_types
        self._batch_max = batch_max
        self._on_caught_up = on_caught_up
        self._on_reset = on_reset
        self._on_undecodable = on_undecodable
        self._labels = (bus.settings.service, stream)
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._releasing = False
        self._busy = asyncio.Lock()
        self.ready = asyncio.Event()
        self.caught_up = asyncio.Event()
        self.position = Position()
        self.lag = 0
        self.reason = "not started"

    async def start(self) -> None:
        """Begin in the background."""
        self._task = asyncio.create_task(self._run(), name=f"follow-{self.stream}")

    async def stop(self) -> None:
        """Let the running handler finish, then end."""
        self._stopping = True
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._bus.settings.drain_timeout_s), self._busy:
                pass
        # It may be taking leave by itself. Cut off there, it leaves a subscription that the drain would wait for.
        if not self._releasing:
            self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._session()
                failures = 0
            except ConsumerLost as error:
                failures, self.reason = 0, ""
                self._bus.metrics.consumers_lost.labels(*self._labels).inc()
                log.info("follower starts again", extra={"stream": self.stream, "reason": error.detail})
            except Exception as error:  # The outermost loop of a follower.
                self.reason = f"{type(error).__name__}: {error}"
                expected = isinstance(error, nats.errors.Error | BusError | TimeoutError)
                log.warning("follower failed", extra={"stream": self.stream}, exc_info=None if expected else error)
                self.caught_up.clear()
                failures += 1
            if self._stopping:
                return
            await asyncio.sleep(PAUSE_S[min(failures, len(PAUSE_S) - 1)])

    async def _session(self) -> None:
        await self._bus.client.online(None)
        await self._bus.await_stream(self.stream)
        self.position = await self._begin()
        js = self._bus.broker.js
        config = log_consumer(js, self._filters, self.position.seq, INACTIVE_S)
        info = await js.add_consumer(self.stream, config)
        pull = await js.pull(self.stream, config)
        self.ready.set()
        self.reason = ""
        try:
            if not info.num_pending:
                await self._at_end()
            await self._read(pull)
        finally:
            self._releasing = True
            try:
                await release(js, self.stream, config, pull)
            finally:
                self._releasing = False

    async def _begin(self) -> Position:
        asked = await self._from_seq()
        info = await self._bus.broker.js.stream_info(self.stream)
        created = int(info.created.timestamp() * 1e9) if info.created else 0
        recreated = asked.stream_created not in (0, created)
        if recreated or asked.seq > info.state.last_seq:
            log.warning("the log was made anew; the read model starts again", extra={"stream": self.stream})
            if self._on_reset is not None:
                await self._on_reset(Position(seq=0, stream_created=created))
            return Position(seq=0, stream_created=created)
        return Position(seq=asked.seq, stream_created=created)

    async def _read(self, pull: EdgePullSubscription) -> None:
        expected, reconnects = 1, self._bus.client.reconnects
        while not self._stopping:
            raws = await pull.next_batch(self._batch_max, IDLE_S)
            # What was under way when the connection broke counts as delivered, so only a new consumer has it again.
            if self._bus.client.reconnects != reconnects:
                raise ConsumerLost("the connection was lost meanwhile")
            if not raws:
                await self._check_idle(pull, expected)
                continue
            for raw in raws:
                if raw.metadata.sequence.consumer != expected:
                    raise ConsumerLost(f"gap: message {raw.metadata.sequence.consumer}, expected {expected}")
                expected += 1
            await self._apply(raws)

    async def _check_idle(self, pull: EdgePullSubscription, expected: int) -> None:
        info = await pull.consumer_info()
        if info.delivered is not None and info.delivered.consumer_seq != expected - 1:
            raise ConsumerLost(f"{info.delivered.consumer_seq} were sent, {expected - 1} arrived")

    async def _apply(self, raws: list[Msg]) -> None:
        async with self._busy:
            deliveries = [decoded for raw in raws if (decoded := await self._decoded(raw)) is not None]
            if deliveries:
                self._bus.metrics.batch_size.labels(*self._labels).observe(len(deliveries))
                await self._handler(deliveries)
            last = raws[-1].metadata
            self.position = Position(seq=last.sequence.stream, stream_created=self.position.stream_created)
        self._bus.metrics.consumed.labels(*self._labels).inc(len(raws))
        self._set_lag(last.num_pending or 0)
        if not last.num_pending:
            await self._at_end()

    async def _decoded(self, raw: Msg) -> Delivery | None:
        try:
            return delivery_of(raw, self._types)
        except UndecodableError as error:
            if self._on_undecodable is not None:
                await self._on_undecodable(raw, str(error))
            self._bus.metrics.follow_skipped.labels(*self._labels).inc()
            about = {"stream": self.stream, "seq": raw.metadata.sequence.stream, "reason": str(error)}
            log.error("undecodable message in a log, skipped", extra=about)
            return None

    def _set_lag(self, lag: int) -> None:
        self.lag = lag
        self._bus.metrics.follow_lag.labels(*self._labels).set(lag)

    async def _at_end(self) -> None:
        self._set_lag(0)
        if self._on_caught_up is not None and not self.caught_up.is_set():
            await self._on_caught_up()
        self.caught_up.set()
