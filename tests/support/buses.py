"""Buses over a real server, and the few messages that bus tests send."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import nats
from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.js import JetStreamContext

from causeway.bus import Bus, BusSettings
from causeway.bus.streams import declare
from causeway.proto import subjects
from causeway.proto.documents import Document, DocumentStatus, State
from tests.support.nats_server import NatsServer

SITE = "site1"
KB = "kb"
DOCUMENTS = subjects.DOCUMENT.at(SITE, KB)
BOUND_S = 15.0


def settings(server: NatsServer, service: str = "ingestor", **more: Any) -> BusSettings:
    """Settings of a service at the site of these tests, which gives up waiting for streams."""
    chosen: dict[str, Any] = {"streams_wait_s": 5.0, "reconnect_wait_s": 0.1, "drain_timeout_s": 5.0} | more
    return BusSettings(url=server.url, site=SITE, service=service, **chosen)


@asynccontextmanager
async def declared_bus(server: NatsServer, service: str = "ingestor", **more: Any) -> AsyncIterator[Bus]:
    """A started bus on a site with all its streams."""
    async with Bus(settings(server, service, **more)) as bus:
        await declare(bus, fresh=True)
        yield bus


@asynccontextmanager
async def raw_client(server: NatsServer, **more: Any) -> AsyncIterator[tuple[Client, JetStreamContext]]:
    """A plain nats-py connection beside the bus."""
    client = await nats.connect(server.url, **more)
    try:
        yield client, client.jetstream()
    finally:
        await client.close()


@asynccontextmanager
async def started(broker: NatsBroker) -> AsyncIterator[NatsBroker]:
    """A plain FastStream broker, stopped within a bound whatever state it is in."""
    await broker.start()
    try:
        yield broker
    finally:
        connection = broker._connection
        if connection is not None and not connection.is_connected:
            await connection.close()
        try:
            async with asyncio.timeout(5):
                await broker.stop()
        except (TimeoutError, nats.errors.Error):
            pass


def document(number: int, body: bytes = b"text") -> Document:
    """A small document."""
    return Document(kb=KB, document_id=f"d{number}", body=body)


def status(number: int, state: State = State.PARSED, revision: int = 1) -> DocumentStatus:
    """A status of a document."""
    return DocumentStatus(
        kb=KB, document_id=f"d{number}", revision=revision, state=state, service="test", at_unix_ms=revision
    )


async def until(condition: Callable[[], bool], timeout_s: float = BOUND_S) -> None:
    """Return when the condition holds; fail when it does not in time."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # What is watched has no event of its own.
            await asyncio.sleep(0.01)


async def until_stored(bus: Bus, stream: str, count: int, timeout_s: float = BOUND_S) -> None:
    """Return when the stream holds exactly so many messages."""
    async with asyncio.timeout(timeout_s):
        while (await bus.broker.js.stream_info(stream)).state.messages != count:
            await asyncio.sleep(0.01)


async def stays_false(condition: Callable[[], bool], for_s: float) -> bool:
    """Whether the condition is false all the while: for showing that something does not happen."""
    try:
        await until(condition, for_s)
    except TimeoutError:
        return True
    return False
