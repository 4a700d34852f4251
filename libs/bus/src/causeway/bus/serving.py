"""Serving requests as a nats.micro service, discoverable by $SRV: a reply, a stream of replies, or a typed problem.

Guarantee: every request that arrives gets an answer. A handler that fails, hangs or refuses gives a Problem.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import nats.errors
from nats.micro import add_service
from nats.micro.request import Request
from nats.micro.service import Endpoint as MicroEndpoint
from nats.micro.service import EndpointConfig, Service, ServiceConfig

from causeway.bus.errors import BusError, ProblemReply
from causeway.bus.requesting import BUSY
from causeway.proto import Message, UndecodableError, decode, encode, headers
from causeway.proto.answers import Problem

if TYPE_CHECKING:
    from causeway.bus.bus import Bus

log = logging.getLogger(__name__)
ERROR_CODES = {"bad_request": "400", "not_found": "404", "deadline": "504", BUSY: "429", "internal": "500"}
ERROR_TEXT_CHARS_MAX = 200


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks and since when; `headers` hold the trace context."""

    subject: str
    headers: Mapping[str, str]
    received_monotonic_s: float


Reply = Message | AsyncIterator[Message]
Handler = Callable[[Caller, Any], Awaitable[Reply] | Awaitable[None] | AsyncIterator[Message]]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One subject. The handler returns a reply, or gives an async iterator of replies; `is_last` recognizes the last
    one, and where it does not, an empty message ends the stream. Beyond `concurrency_max`, `busy` at once.

    `everyone`: a notice, which every replica takes, and to which nobody waits for a reply.
    """

    name: str
    subject: str
    handler: Handler
    request_type: type[Message]
    is_last: Callable[[Any], bool] = field(default=lambda _: False)
    concurrency_max: int = 8
    timeout_s: float = 120.0
    everyone: bool = False


class Serving:
    """One nats.micro service. Made by `Bus.serve`."""

    def __init__(
        self,
        bus: "Bus",
        name: str,
        version: str,
        description: str,
        endpoints: Sequence[Endpoint],
        metadata: Mapping[str, str],
    ) -> None:
        self._bus = bus
        self._config = ServiceConfig(name=name, version=version, description=description, metadata=dict(metadata))
        self._endpoints = endpoints
        self._service: Service | None = None
        self._running: set[asyncio.Task[None]] = set()
        self.ready = asyncio.Event()

    async def start(self) -> None:
        """Register; `ready` is set when the server has the subscriptions."""
        await self._bus.client.online(None)
        self._service = await add_service(self._bus.client, self._config)
        for endpoint in self._endpoints:
            station = _Station(self._bus, endpoint, self._running)
            # A queue group of one's own is heard beside all others.
            group = uuid.uuid4().hex if endpoint.everyone else None
            await self._service.add_endpoint(
                EndpointConfig(name=endpoint.name, subject=endpoint.subject, handler=station.take, queue_group=group)
            )
            station.micro = self._service._endpoints[-1]
        await self._bus.client.flush()
        self.ready.set()

    async def stop(self) -> None:
        """Take no more requests, answer those that are running."""
        self.ready.clear()
        if self._service is not None and self._bus.client.is_connected:
            await self._service.stop()
        if self._running:
            await asyncio.wait(self._running, timeout=self._bus.settings.drain_timeout_s)
        for task in self._running:
            task.cancel()


class _Station:
    """The requests of one endpoint. nats.micro would handle them one after another, so each gets a task."""

    def __init__(self, bus: "Bus", endpoint: Endpoint, running: set[asyncio.Task[None]]) -> None:
        self._bus = bus
        self._endpoint = endpoint
        self._all = running
        self._here = 0
        self._labels = (bus.settings.service, endpoint.name)
        self.micro: MicroEndpoint | None = None

    async def take(self, request: Request) -> None:
        """Begin to answer, or say that all hands are full."""
        if self._here >= self._endpoint.concurrency_max:
            self._count("busy", None)
            text = f"{self._here} requests are being answered, which is the limit"
            await self._refuse(request, Problem(code=BUSY, message=text, mend="ask again shortly", retryable=True))
            return
        self._here += 1
        self._bus.metrics.requests_running.labels(*self._labels).set(self._here)
        task = asyncio.create_task(self._answer(request))
        self._all.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._here -= 1
        self._all.discard(task)
        self._bus.metrics.requests_running.labels(*self._labels).set(self._here)

    async def _answer(self, request: Request) -> None:
        began = time.monotonic()
        problem: Problem | None = None
        outcome = "ok"
        try:
            async with asyncio.timeout(self._endpoint.timeout_s):
                await self._reply(request, began)
        except asyncio.CancelledError:
            await self._refuse(request, Problem(code="stopping", message="the service is stopping", retryable=True))
            raise
        except Exception as error:  # noqa: BLE001  # The outermost frame of every request: it must get an answer.
            problem, outcome = self._problem(error), "problem" if isinstance(error, ProblemReply) else "error"
        seconds = time.monotonic() - began
        self._bus.metrics.handler_seconds.labels(*self._labels).observe(seconds)
        self._count(outcome, problem, seconds)
        if problem is not None:
            await self._refuse(request, problem)

    async def _reply(self, request: Request, began: float) -> None:
        message = decode(request.data, self._endpoint.request_type)
        caller = Caller(subject=request.subject, headers=request.headers or {}, received_monotonic_s=began)
        given = self._endpoint.handler(caller, message)
        reply = given if isinstance(given, AsyncIterator) else await given
        if self._endpoint.everyone or reply is None:
            return
        if isinstance(reply, AsyncIterator):
            await self._stream(request, reply)
        else:
            await request.respond(encode(reply), _reply_headers(reply))

    async def _stream(self, request: Request, replies: AsyncIterator[Message]) -> None:
        final = False
        async for reply in replies:
            final = self._endpoint.is_last(reply)
            await request.respond(encode(reply), _reply_headers(reply) | ({headers.FINAL: "1"} if final else {}))
        if not final:
            await request.respond(b"", {headers.FINAL: "1"})

    def _problem(self, error: Exception) -> Problem:
        if isinstance(error, ProblemReply):
            return error.problem
        if isinstance(error, UndecodableError):
            return Problem(code="bad_request", message=str(error), mend="send the message that this subject carries")
        if isinstance(error, TimeoutError):
            text = f"not answered within {self._endpoint.timeout_s:g} s"
            return Problem(code="deadline", message=text, mend="ask something simpler, or again", retryable=True)
        log.error("request failed", extra={"endpoint": self._endpoint.name}, exc_info=error)
        retryable = isinstance(error, BusError | nats.errors.Error)
        text = f"the service failed ({type(error).__name__})"
        return Problem(code="internal", message=text, mend="its log has the details", retryable=retryable)

    async def _refuse(self, request: Request, problem: Problem) -> None:
        if self._endpoint.everyone:
            log.warning("a notice was not taken", extra={"endpoint": self._endpoint.name, "reason": problem.message})
            return
        text = " ".join(problem.message.encode("ascii", "replace").decode().split())[:ERROR_TEXT_CHARS_MAX]
        head = _reply_headers(problem) | {headers.FINAL: "1"}
        try:
            await request.respond_error(ERROR_CODES.get(problem.code, "500"), text, encode(problem), head)
        except (nats.errors.Error, ValueError) as error:
            log.warning("could not reply", extra={"endpoint": self._endpoint.name, "reason": str(error)})

    def _count(self, outcome: str, problem: Problem | None, seconds: float = 0.0) -> None:
        self._bus.metrics.requests.labels(*self._labels, outcome).inc()
        if self.micro is None:
            return
        # $SRV.STATS shows what nats.micro counts, which would see only the start of our tasks.
        self.micro._processing_time += int(seconds * 1e9)
        if outcome != "ok":
            self.micro._num_errors += 1
            self.micro._last_error = problem.code if problem else outcome  # type: ignore[assignment]


def _reply_headers(reply: Message) -> dict[str, str]:
    return {headers.CE_TYPE: reply.type_name, headers.CONTENT_TYPE: headers.MSGPACK}
