"""The bus as a service sees it: one connection, and everything that the service does over it."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import nats.errors
import nats.js.errors

from causeway.bus.broker import build_broker
from causeway.bus.calls import BusCalls
from causeway.bus.connection import EdgeClient
from causeway.bus.consuming import BatchHandler, Consumption
from causeway.bus.errors import AccessRefused, NotConnected, StreamMissing
from causeway.bus.following import Following, LogHandler, Position, Undecodable
from causeway.bus.health import ConsumerHealth, Health, judge
from causeway.bus.metrics import bus_metrics
from causeway.bus.outcomes import RetryPolicy
from causeway.bus.serving import Endpoint, Serving
from causeway.bus.settings import BusSettings
from causeway.proto import Message

log = logging.getLogger(__name__)
STREAM_POLL_S = 0.5
STREAM_LOG_EVERY = 20
HEALTH_API_S = 2.0

Part = Consumption | Following | Serving


class Bus(BusCalls):
    """See libs/bus/README.md for the guarantees."""

    def __init__(self, settings: BusSettings) -> None:
        self.settings = settings
        self.metrics = bus_metrics(settings.prometheus_registry)
        self.broker = build_broker(settings)
        super().__init__(self.broker, settings, self.metrics)
        self._consumptions: list[Consumption] = []
        self._followings: list[Following] = []
        self._servings: list[Serving] = []
        self._starting: set[asyncio.Task[None]] = set()
        self._started = False
        self._stopping = False

    async def start(self) -> None:
        """Connect, trying for ever, then start what is registered.

        Raises:
            AccessRefused: the server is there and does not know these credentials.
        """
        try:
            await self.broker.connect()
        except nats.errors.Error as error:
            raise AccessRefused(f"{self.settings.url}: {str(error).removeprefix('nats: ')}") from error
        self.metrics.connected.labels(self.settings.service).set_function(lambda: float(self.connected))
        self._started = True
        # Each part waits for its stream by itself; a service that serves requests does so meanwhile.
        parts: list[Part] = [*self._followings, *self._servings, *self._consumptions]
        await asyncio.gather(*(part.start() for part in parts))

    async def stop(self) -> None:
        """Drain: take nothing new, let the running handlers finish within drain_timeout_s, give the rest back."""
        self._stopping = True
        for task in self._starting:
            task.cancel()
        if not self._started:
            return
        parts: list[Part] = [*self._servings, *self._consumptions, *self._followings]
        for result in await asyncio.gather(*(part.stop() for part in parts), return_exceptions=True):
            if isinstance(result, BaseException):
                log.warning("a part of the bus did not stop cleanly", exc_info=result)
        await self._close()

    async def _close(self) -> None:
        # The server may go away at any point of this; then there is nobody to say goodbye to.
        with contextlib.suppress(NotConnected, nats.errors.Error, OSError):
            client = self.client
            # drain() refuses while reconnecting.
            if not client.is_connected:
                await client.close()
        with contextlib.suppress(nats.errors.Error, OSError):
            await self.broker.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def client(self) -> EdgeClient:
        """The connection."""
        return self.broker.client

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        with contextlib.suppress(NotConnected):
            return bool(self.client.is_connected)
        return False

    @property
    def payload_bytes_max(self) -> int:
        """The largest message that the server takes."""
        return int(self.client.max_payload)

    async def await_stream(self, stream: str) -> None:
        """Return once the stream exists; only the operator makes it.

        Raises:
            StreamMissing: after `streams_wait_s`, if there is such a limit.
        """
        waited, limit_s = 0, self.settings.streams_wait_s
        while True:
            try:
                await self.client.online(None)
                await self.broker.js.stream_info(stream)
                return
            except (nats.js.errors.Error, nats.errors.Error, TimeoutError) as error:
                if limit_s is not None and waited * STREAM_POLL_S >= limit_s:
                    raise StreamMissing(stream) from error
                if waited % STREAM_LOG_EVERY == 0:
                    log.warning("waiting for a stream: run `causeway up site`", extra={"stream": stream})
            waited += 1
            await asyncio.sleep(STREAM_POLL_S)

    async def release(self, part: Part) -> None:
        """Stop one follower, consumer or service while the bus goes on."""
        for parts in (self._followings, self._servings, self._consumptions):
            if part in parts:
                parts.remove(part)  # type: ignore[arg-type]
        await part.stop()

    def _launch(self, part: Part) -> None:
        if self._started:
            task = asyncio.create_task(part.start())
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    def consume(
        self,
        stream: str,
        filter_subject: str,
        handler: BatchHandler,
        *,
        message_types: tuple[type[Message], ...],
        batch_max: int = 64,
        wait_s: float = 5.0,
        ack_wait_s: float = 20.0,
        handler_timeout_s: float = 900.0,
        attempts_max: int = 5,
        backoff_s: tuple[float, ...] = (0.5, 2.0, 8.0, 30.0),
        in_flight_max: int = 1024,
    ) -> Consumption:
        """Work from a stream. The handler gets what is there at once, up to `batch_max`, and says an Outcome for each;
        an exception is a Retry for all. `wait_s` bounds only how long one idle request waits."""
        consumption = Consumption(
            self,
            stream,
            filter_subject,
            handler,
            message_types=message_types,
            batch_max=batch_max,
            wait_s=wait_s,
            ack_wait_s=ack_wait_s,
            handler_timeout_s=handler_timeout_s,
            policy=RetryPolicy(attempts_max=attempts_max, backoff_s=backoff_s),
            in_flight_max=in_flight_max,
        )
        self._consumptions.append(consumption)
        self._launch(consumption)
        return consumption

    def follow(
        self,
        stream: str,
        filter_subjects: Sequence[str],
        from_seq: Callable[[], Awaitable[Position]],
        handler: LogHandler,
        *,
        message_types: tuple[type[Message], ...],
        batch_max: int = 500,
        on_caught_up: Callable[[], Awaitable[None]] | None = None,
        on_reset: Callable[[Position], Awaitable[None]] | None = None,
        on_undecodable: Undecodable | None = None,
    ) -> Following:
        """Read a log in order. `from_seq` is asked at each (re)start for what is applied; an exception of the handler
        starts again from there. What can not be decoded is skipped, once `on_undecodable` has taken care of it."""
        following = Following(
            self,
            stream,
            list(filter_subjects),
            from_seq,
            handler,
            message_types=message_types,
            batch_max=batch_max,
            on_caught_up=on_caught_up,
            on_reset=on_reset,
            on_undecodable=on_undecodable,
        )
        self._followings.append(following)
        self._launch(following)
        return following

    def serve(
        self,
        name: str,
        version: str,
        description: str,
        endpoints: Sequence[Endpoint],
        metadata: Mapping[str, str] | None = None,
    ) -> Serving:
        """Answer requests as one of a queue group, discoverable by $SRV."""
        serving = Serving(self, name, version, description, endpoints, metadata or {})
        self._servings.append(serving)
        self._launch(serving)
        return serving

    async def health(self) -> Health:
        """The state of the connection and of each consumer, within seconds."""
        followers = tuple(ConsumerHealth(stream=f.stream, pending=f.lag, reason=f.reason) for f in self._followings)
        workers: tuple[ConsumerHealth, ...] = ()
        if self.connected:
            workers = tuple(await asyncio.gather(*(self._consumer_health(c) for c in self._consumptions)))
        closed = self._started and self.client.is_closed
        return judge(connected=self.connected, closed=closed, stopping=self._stopping, consumers=followers + workers)

    async def _consumer_health(self, consumption: Consumption) -> ConsumerHealth:
        try:
            info = await self.broker.js.consumer_info(consumption.stream, self.settings.service, HEALTH_API_S)
        except (nats.errors.Error, TimeoutError) as error:
            return ConsumerHealth(stream=consumption.stream, pending=0, reason=f"no consumer ({error})")
        return ConsumerHealth(
            stream=consumption.stream,
            pending=info.num_pending or 0,
            unsettled=info.num_ack_pending or 0,
            redelivered=info.num_redelivered or 0,
        )
