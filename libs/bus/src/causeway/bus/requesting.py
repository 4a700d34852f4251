"""Asking a service: one reply or a stream of replies, always within a bound, always a value or a typed error."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator
from typing import cast

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from causeway.bus.broker import EdgeBroker
from causeway.bus.errors import BusError, NoResponders, NotConnected, PayloadTooLarge, ProblemReply, RequestTimeout
from causeway.bus.settings import BusSettings
from causeway.proto import Message, decode, decode_any, encode, headers
from causeway.proto.answers import Problem
from causeway.proto.codec import M

BUSY = "busy"
BUSY_PAUSE_S = 0.05
BUSY_PAUSE_S_MAX = 1.0
_NO_RESPONDERS = "503"


class Requesting:
    """Requests through FastStream's broker; streams through the client below it."""

    def __init__(self, broker: EdgeBroker, settings: BusSettings) -> None:
        self._broker = broker
        self._settings = settings

    async def request(self, subject: str, message: Message, reply_type: type[M], timeout_s: float | None = None) -> M:
        """One reply. A `busy` reply is asked again, likely of another replica, while there is time; what is raised then
        is that reply, whatever became of the last try.

        Raises:
            NoResponders, RequestTimeout, ProblemReply, PayloadTooLarge, NotConnected.
        """
        limit_s = self._settings.request_timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + limit_s
        pause_s = BUSY_PAUSE_S
        busy: ProblemReply | None = None
        while True:
            try:
                return await self._once(subject, message, reply_type, max(0.001, deadline - time.monotonic()))
            except RequestTimeout as error:
                raise busy or error from error
            except ProblemReply as error:
                nap_s = pause_s * random.uniform(0.5, 1.5)  # noqa: S311  # Jitter, not a secret.
                if error.problem.code != BUSY or time.monotonic() + nap_s >= deadline:
                    raise
                busy = error
            await asyncio.sleep(nap_s)
            pause_s = min(2 * pause_s, BUSY_PAUSE_S_MAX)

    async def _once(self, subject: str, message: Message, reply_type: type[M], timeout_s: float) -> M:
        await self._broker.client.online(timeout_s)
        try:
            reply = await self._broker.request(
                encode(message), subject, headers=self._headers(message), timeout=timeout_s
            )
        except TimeoutError as error:
            raise RequestTimeout(f"{subject} after {timeout_s:.1f} s") from error
        except nats.errors.Error as error:
            raise _raised_for(subject, error) from error
        return reply_in(reply.raw_message, reply_type)

    async def notify(self, subject: str, message: Message) -> None:
        """Tell whoever listens now, at most once: nothing keeps it, nobody replies.

        Raises:
            NotConnected, PayloadTooLarge.
        """
        await self._broker.client.online(0.0)
        try:
            await self._broker.client.publish(subject, encode(message), headers=self._headers(message))
        except nats.errors.Error as error:
            raise _raised_for(subject, error) from error

    def _headers(self, message: Message) -> dict[str, str]:
        return {
            headers.CE_TYPE: message.type_name,
            headers.CE_SOURCE: self._settings.source,
            headers.CONTENT_TYPE: headers.MSGPACK,
        }

    async def request_stream(
        self,
        subject: str,
        message: Message,
        reply_type: type[M] | tuple[type[M], ...],
        *,
        wait_s: float = 10.0,
        total_s: float = 120.0,
    ) -> AsyncGenerator[M, None]:
        """Replies as they come, until the final one. At most `wait_s` between two, at most `total_s` in all.

        Raises:
            NoResponders, RequestTimeout, ProblemReply, PayloadTooLarge, NotConnected.
        """
        client = self._broker.client
        await client.online(wait_s)
        inbox = client.new_inbox()
        try:
            subscription = await client.subscribe(inbox)
        except nats.errors.Error as error:
            raise _raised_for(subject, error) from error
        deadline = time.monotonic() + total_s
        try:
            await self._send(subject, message, inbox)
            while True:
                reply = await self._next(subscription, subject, min(wait_s, deadline - time.monotonic()))
                final = bool((reply.headers or {}).get(headers.FINAL))
                if reply.data:
                    yield reply_in(reply, reply_type)
                if final:
                    return
        finally:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()

    async def _send(self, subject: str, message: Message, inbox: str) -> None:
        try:
            await self._broker.client.publish(subject, encode(message), reply=inbox, headers=self._headers(message))
        except nats.errors.Error as error:
            raise _raised_for(subject, error) from error

    async def _next(self, subscription: Subscription, subject: str, wait_s: float) -> Msg:
        try:
            if wait_s <= 0:
                raise TimeoutError
            message = await subscription.next_msg(timeout=wait_s)
        except TimeoutError as error:
            raise RequestTimeout(f"{subject}: no part within {max(wait_s, 0):.1f} s") from error
        except nats.errors.Error as error:
            raise _raised_for(subject, error) from error
        if not message.data and (message.headers or {}).get("Status") == _NO_RESPONDERS:
            raise NoResponders(subject)
        return message


def _raised_for(subject: str, error: nats.errors.Error) -> BusError:
    """No error of the client below leaves this module: callers catch those of the bus."""
    if isinstance(error, nats.errors.NoRespondersError):
        return NoResponders(subject)
    if isinstance(error, nats.errors.MaxPayloadError):
        return PayloadTooLarge(subject)
    return NotConnected(f"{subject}: {error}")


def reply_in(raw: Msg, reply_type: type[M] | tuple[type[M], ...]) -> M:
    """The reply, of one of these types, or the problem that it is, raised."""
    head = raw.headers or {}
    if head.get(headers.CE_TYPE) == Problem.type_name:
        raise ProblemReply(decode(raw.data, Problem))
    if headers.SERVICE_ERROR in head or headers.SERVICE_ERROR_CODE in head:
        code = head.get(headers.SERVICE_ERROR_CODE, "")
        raise ProblemReply(Problem(code=code, message=head.get(headers.SERVICE_ERROR, "the service failed")))
    if isinstance(reply_type, tuple):
        return cast(M, decode_any(raw.data, head.get(headers.CE_TYPE), reply_type))
    return decode(raw.data, reply_type)
