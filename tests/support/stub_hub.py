"""Stands where cloud-inference stands, on the same server: answers as a test says, and hears who waits no more."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from causeway.bus import Bus, BusSettings, Caller, Endpoint, ProblemReply
from causeway.proto import Message, subjects
from causeway.proto.answers import Problem
from causeway.proto.cloud import CloudAsk, CloudCancel, CloudPart, CloudPartKind
from tests.support.nats_server import NatsServer
from tests.support.scripted_cloud import HUB_MARGIN_S, accepted, final, token


@dataclass
class StubHub:
    """`first_s` before the first token, and not before `go` where there is one; then `then` decides: `answers`, `dies`,
    `hangs`, `garbage`, `refuses`, or `writes_on` until the time that it was given is over but for `margin_s`. As a hub
    does, it pauses no longer than somebody waits."""

    first_s: float = 0.05
    then: str = "answers"
    code: str = "busy"
    margin_s: float = HUB_MARGIN_S
    go: asyncio.Event | None = None
    asked: list[CloudAsk] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    _given_up: dict[str, asyncio.Event] = field(default_factory=dict)

    def ask(self, caller: Caller, request: CloudAsk) -> AsyncGenerator[Message, None]:
        """The parts of one reply."""
        self.asked.append(request)
        self._given_up[request.ask_id] = asyncio.Event()
        return self._parts(request, caller.received_monotonic_s)

    async def _parts(self, request: CloudAsk, received_s: float) -> AsyncGenerator[Message, None]:
        if self.then == "refuses":
            raise ProblemReply(Problem(code=self.code, message="not now"))
        yield accepted()
        if self.go is not None:
            await self.go.wait()
        await self._pause(request, self.first_s)
        yield token(1, "Every employee ")
        if self.then == "hangs":
            await self._pause(request, request.deadline_ms / 1000)
        if self.then == "dies":
            raise ProblemReply(Problem(code="engine_down", message="the engine died"))
        if self.then == "garbage":
            # Of another type than the protocol says.
            yield CloudCancel(ask_id="?")
        yield token(2, "has twelve days")
        if self.then == "writes_on":
            left_s = received_s + request.deadline_ms / 1000 - self.margin_s - time.monotonic()
            await self._pause(request, max(0.0, left_s))
            yield final(index=3, finish_reason="abort")
            return
        yield final(index=3)

    async def _pause(self, request: CloudAsk, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._given_up[request.ask_id].wait()

    async def cancel(self, caller: Caller, cancel: CloudCancel) -> None:
        """Nobody waits for this one."""
        self.cancelled.append(cancel.ask_id)
        self._given_up.setdefault(cancel.ask_id, asyncio.Event()).set()


@asynccontextmanager
async def stub_hub(server: NatsServer, site: str, hub: StubHub) -> AsyncIterator[None]:
    """Serve the hub's subjects of one site, on the site's own server."""
    async with Bus(BusSettings(url=server.url, site="hub", service="cloud-inference")) as bus:
        await serve(bus, site, hub)
        yield


async def serve(bus: Bus, site: str, hub: StubHub) -> None:
    """Serve the hub's subjects of one site on this bus, for as long as it runs."""
    endpoints = [
        Endpoint(
            name="ask",
            subject=subjects.CLOUD_ASK.at(site),
            handler=hub.ask,
            request_type=CloudAsk,
            is_last=lambda part: isinstance(part, CloudPart) and part.kind is CloudPartKind.FINAL,
            concurrency_max=64,
        ),
        Endpoint(
            name="cancel",
            subject=subjects.CLOUD_CANCEL.at(site),
            handler=hub.cancel,
            request_type=CloudCancel,
            everyone=True,
        ),
    ]
    serving = bus.serve("cloud-inference", "1.0.0", "A stand-in.", endpoints)
    await asyncio.wait_for(serving.ready.wait(), 20.0)
