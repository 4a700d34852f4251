"""One pull subscription: what is there at once, else wait for the first; a lost consumer is noticed within seconds."""

import asyncio
import contextlib
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext, api

from causeway.bus.errors import ConsumerLost, NotConnected

if TYPE_CHECKING:
    from causeway.bus.connection import EdgeJetStream

log = logging.getLogger(__name__)
HEARTBEAT_S = 5.0
PROBE_S_MAX = 5.0
LOST_RETRY_S = 0.5
BATCH_BYTES_MAX = 32 * 1024 * 1024
_HEARTBEAT, _WAKE, _NO_RESPONDERS, _CONFLICT = "100", "wake", "503", "409"
# A conflict that is about this one request (a limit, a leader change) ends only the request.
_FATAL_CONFLICTS = ("consumer deleted", "consumer is push based")


def _status(message: Msg) -> str:
    return "" if not message.headers else message.headers.get(api.Header.STATUS, "")


class EdgePullSubscription(JetStreamContext.PullSubscription):
    """Fetches exactly: no request outlives its fetch, so that nothing is delivered to a batch that nobody reads."""

    def __init__(
        self, js: "EdgeJetStream", sub: Subscription, stream: str, config: api.ConsumerConfig, deliver: bytes
    ) -> None:
        super().__init__(js, sub, stream, str(config.name), deliver)
        self._edge = js
        self.config = config
        self.lost = 0
        self._remainder = 0
        self._handed: list[Msg] = []
        self._fetching = asyncio.Lock()
        self._closing = False

    def wake(self) -> None:
        """Called after a reconnect: the request that was waiting is gone with the old connection."""
        message = Msg(_client=self._edge.client, subject="", headers={api.Header.STATUS: _WAKE})
        if not self._sub._pending_queue.full():
            self._sub._pending_queue.put_nowait(message)

    async def fetch(
        self,
        batch: int = 1,
        timeout: float | None = 5,  # noqa: ASYNC109  # nats-py's signature.
        heartbeat: float | None = None,
    ) -> list[Msg]:
        """What FastStream's loop calls: it asks again for the rest of a batch, which we end, since a batch is what is
        there. Raises nats' own TimeoutError when there is nothing, never the bare one of asyncio."""
        rest, self._remainder = self._remainder, 0
        if rest and batch == rest:
            raise nats.errors.TimeoutError
        async with self._fetching:
            messages = await self._quiet_batch(batch, timeout or HEARTBEAT_S)
        self._handed = [m for m in self._handed if not m._ackd] + messages
        if self._closing or not messages:
            raise nats.errors.TimeoutError
        self._remainder = batch - len(messages)
        return messages

    async def _quiet_batch(self, batch_max: int, wait_s: float) -> list[Msg]:
        # FastStream calls again at once after an error, so an error must cost time, or it would block the event loop.
        try:
            if not self._closing:
                return await self.next_batch(batch_max, wait_s)
        except nats.errors.Error as error:
            log.debug("fetch failed", extra=self._extra(reason=str(error)))
        await asyncio.sleep(LOST_RETRY_S)
        return []

    async def next_batch(self, batch_max: int, wait_s: float) -> list[Msg]:
        """Up to `batch_max` messages: those that are there, or the first that comes within `wait_s` and what is there
        by then. Empty after `wait_s`, after a reconnect, and after a durable was made again.

        Raises:
            ConsumerLost: an ephemeral consumer is gone.
        """
        deadline = time.monotonic() + wait_s
        try:
            await self._edge.client.online(wait_s)
            messages = await self._probe(batch_max, [])
            remaining = deadline - time.monotonic()
            if messages or remaining <= 0:
                return messages
            first = await self._await_first(remaining)
            return await self._probe(batch_max, first) if first else []
        except NotConnected:
            if self._edge.client.is_closed:
                raise nats.errors.ConnectionClosedError from None
            return []
        except ConsumerLost:
            await self._make_again()
            return []

    async def _probe(self, batch_max: int, messages: list[Msg]) -> list[Msg]:
        self._take_ready(batch_max, messages)
        if len(messages) >= batch_max:
            return messages
        await self._ask({"batch": batch_max - len(messages), "no_wait": True})
        deadline = time.monotonic() + PROBE_S_MAX
        while len(messages) < batch_max:
            message = await self._take(deadline - time.monotonic())
            if message is None:
                break
            status = _status(message)
            if not status:
                messages.append(message)
            elif status != _HEARTBEAT:
                if not messages:
                    self._check(message, status)
                break
        return messages

    async def _await_first(self, wait_s: float) -> list[Msg]:
        heartbeat_s = min(HEARTBEAT_S, wait_s / 2.5)
        request: dict[str, Any] = {"batch": 1, "expires": int(wait_s * 1e9)}
        # The server refuses a heartbeat below 100 ms; so short a wait needs none.
        if heartbeat_s >= 0.5:
            request["idle_heartbeat"] = int(heartbeat_s * 1e9)
        await self._ask(request)
        deadline = time.monotonic() + wait_s + 1.0
        while True:
            patience_s = min(deadline - time.monotonic(), 2.5 * heartbeat_s + 1.0)
            message = await self._take(patience_s)
            if message is None:
                if time.monotonic() < deadline:
                    raise ConsumerLost("its heartbeats stopped")
                return []
            status = _status(message)
            if not status:
                return [message]
            if status != _HEARTBEAT:
                self._check(message, status)
                return []

    def _check(self, message: Msg, status: str) -> None:
        description = (message.headers or {}).get(api.Header.DESCRIPTION, "").lower()
        gone = status == _CONFLICT and any(text in description for text in _FATAL_CONFLICTS)
        if gone or status == _NO_RESPONDERS:
            raise ConsumerLost(description or "nobody answers for it")

    async def _ask(self, request: dict[str, Any]) -> None:
        bytes_max = max(BATCH_BYTES_MAX, 2 * int(self._edge.client.max_payload))
        body = json.dumps(request | {"max_bytes": bytes_max}).encode()
        await self._nc.publish(self._nms, body, self._deliver)

    def _take_ready(self, batch_max: int, messages: list[Msg]) -> None:
        queue = self._sub._pending_queue
        while len(messages) < batch_max and not queue.empty():
            message = self._taken(queue.get_nowait())
            if not _status(message):
                messages.append(message)

    async def _take(self, timeout_s: float) -> Msg | None:
        queue = self._sub._pending_queue
        if not queue.empty():
            return self._taken(queue.get_nowait())
        if timeout_s <= 0:
            return None
        try:
            async with asyncio.timeout(timeout_s):
                return self._taken(await queue.get())
        except TimeoutError:
            return None

    def _taken(self, message: Msg) -> Msg:
        self._sub._pending_size -= len(message.data)
        self._sub._pending_queue.task_done()
        return message

    async def _make_again(self) -> None:
        if self.config.durable_name is None:
            raise ConsumerLost(f"ephemeral consumer of {self._stream}")
        try:
            await self._edge.consumer_info(self._stream, self._consumer)
        except nats.js.errors.NotFoundError:
            await self._declare_again()
        except (nats.errors.Error, TimeoutError):
            await asyncio.sleep(LOST_RETRY_S)

    async def _declare_again(self) -> None:
        try:
            await self._edge.add_consumer(self._stream, self.config)
        except (nats.errors.Error, TimeoutError) as error:
            log.warning("consumer lost, can not make it again yet", extra=self._extra(reason=str(error)))
            await asyncio.sleep(LOST_RETRY_S)
            return
        self.lost += 1
        log.warning("consumer was lost and is made again; messages may come twice", extra=self._extra())

    def _extra(self, **more: str) -> dict[str, str]:
        return {"stream": self._stream, "consumer": str(self._consumer), **more}

    async def unsubscribe(self) -> None:
        """Ask for no more, and give back at once what was delivered and not settled, for others to take."""
        client = self._edge.client
        if self._closing or client.is_closed:
            return
        self._closing = True
        self.wake()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_S_MAX), self._fetching:
                    await self._give_back()
            await self._sub.unsubscribe()
        finally:
            # The drain of a connection waits until every queue was taken to its end.
            self._take_ready(2**31, [])

    async def _give_back(self) -> None:
        # The subscription stays until the server has answered, so that what was under way arrives and is given back.
        await self._edge.client._send_unsubscribe(self._sub._id)
        if self._edge.client.is_connected:
            await self._edge.client.flush()
        late: list[Msg] = []
        self._take_ready(2**31, late)
        if self.config.ack_policy is not api.AckPolicy.NONE:
            for message in self._handed + late:
                if not message._ackd:
                    await message.nak()
        self._handed = []
