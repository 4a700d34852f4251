"""The nats-py client with what an edge site needs of it: no error ends it, and whoever waits learns of a reconnect."""

import asyncio
import contextlib
import logging
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext, api

from causeway.bus.errors import NotConnected
from causeway.bus.pulling import EdgePullSubscription

log = logging.getLogger(__name__)
_STALE = "stale connection"
_PERMISSIONS = "permissions violation"


class EdgeClient(Client):
    """A connection that outlives every error but an orderly close."""

    def __init__(self) -> None:
        super().__init__()
        self._online = asyncio.Event()
        self._pulls: weakref.WeakSet[EdgePullSubscription] = weakref.WeakSet()
        self.reconnects = 0

    async def connect(self, *args: Any, **kwargs: Any) -> None:
        """Connect as nats-py does; the callbacks given are still called."""
        kwargs["reconnected_cb"] = self._then(kwargs.get("reconnected_cb"), self._came_back)
        kwargs["disconnected_cb"] = self._then(kwargs.get("disconnected_cb"), self._went_away)
        await super().connect(*args, **kwargs)
        self._online.set()

    @staticmethod
    def _then(given: Callable[[], Awaitable[None]] | None, own: Callable[[], None]) -> Callable[[], Awaitable[None]]:
        async def both() -> None:
            own()
            if given is not None:
                await given()

        return both

    def _came_back(self) -> None:
        self.reconnects += 1
        self._online.set()
        for pull in list(self._pulls):
            pull.wake()

    def _went_away(self) -> None:
        self._online.clear()

    def watch(self, pull: EdgePullSubscription) -> None:
        """Wake this subscription after a reconnect: what it had asked for is lost."""
        self._pulls.add(pull)

    async def online(self, timeout_s: float | None) -> None:
        """Return once there is a connection.

        Raises:
            NotConnected: none within `timeout_s`, or it was closed for good.
        """
        if self.is_closed:
            raise NotConnected("the connection is closed")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._online.wait()
        if not self.is_connected:
            raise NotConnected

    async def _process_err(self, err_msg: str) -> None:
        # nats-py closes for good on any -ERR but two. A user that is revoked for a minute while an operator edits the
        # server's configuration would end the service.
        if _STALE in err_msg.lower() or _PERMISSIONS in err_msg.lower() or not self.is_connected:
            await super()._process_err(err_msg)
            return
        error = nats.errors.Error(f"nats: {err_msg.strip(chr(39))}")
        log.warning("the server ended the connection, connecting again", extra={"reason": str(error)})
        await self._process_op_err(error)

    async def _send_ping(self, future: asyncio.Future[Any] | None = None) -> None:
        # nats-py writes PING past the queue, so a flush() can answer before a SUB that was queued earlier is sent.
        if self.is_connected and self._transport is not None and self._pending_data_size > 0:
            self._transport.writelines(self._pending[:])
            self._pending = []
            self._pending_data_size = 0
        await super()._send_ping(future)

    async def _process_pong(self) -> None:
        # A flush() that was cancelled leaves its future behind. nats-py would raise on it, in the loop that reads.
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    async def _read_loop(self) -> None:
        await super()._read_loop()
        # nats-py ends its loop on an error that it does not know, and stays connected: deaf until the pings run out.
        task = asyncio.current_task()
        if self.is_connected and task is not None and not task.cancelling():
            log.warning("reading ended, connecting again")
            await self._process_op_err(nats.errors.Error("reading ended"))

    def jetstream(self, **opts: Any) -> "EdgeJetStream":
        """The JetStream context with pull subscriptions that notice a lost consumer."""
        return EdgeJetStream(self, **opts)


class EdgeJetStream(JetStreamContext):
    """JetStream whose durable pull consumers follow their configuration and are made again when they are lost."""

    def __init__(self, conn: EdgeClient, **opts: Any) -> None:
        super().__init__(conn, **opts)
        self._edge = conn

    @property
    def client(self) -> EdgeClient:
        """The connection below."""
        return self._edge

    @property
    def timeout_s(self) -> float:
        """How long one API request may take."""
        return float(self._timeout)

    async def pull_subscribe(
        self,
        subject: str,
        durable: str | None = None,
        stream: str | None = None,
        config: api.ConsumerConfig | None = None,
        pending_msgs_limit: int = 512 * 1024,
        pending_bytes_limit: int = 256 * 1024 * 1024,
        inbox_prefix: bytes | None = None,
    ) -> EdgePullSubscription:
        """Create or update the consumer as configured, and pull from it. `inbox_prefix` is always the connection's."""
        stream = stream or await self.find_stream_name_by_subject(subject)
        wanted = (config or api.ConsumerConfig()).evolve()
        if not wanted.filter_subjects:
            wanted.filter_subject = subject
        wanted.durable_name = durable
        wanted.name = durable or wanted.name or self._edge._nuid.next().decode()
        await self.add_consumer(stream, wanted)
        return await self.pull(stream, wanted, pending_msgs_limit, pending_bytes_limit)

    async def pull(
        self,
        stream: str,
        config: api.ConsumerConfig,
        pending_msgs_limit: int = 512 * 1024,
        pending_bytes_limit: int = 256 * 1024 * 1024,
    ) -> EdgePullSubscription:
        """Pull from a consumer that exists."""
        deliver = self._edge.new_inbox()
        subscription = await self._edge.subscribe(
            deliver, pending_msgs_limit=pending_msgs_limit, pending_bytes_limit=pending_bytes_limit
        )
        pull = EdgePullSubscription(self, subscription, stream, config, deliver.encode())
        self._edge.watch(pull)
        return pull
