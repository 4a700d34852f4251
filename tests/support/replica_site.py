"""A place's streams on a real nats-server with replicas of edge-inference on it, for integration tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from causeway.bus import Bus, BusSettings
from causeway.bus.streams import declare
from causeway.edge_inference.exact import ExactIndex
from causeway.edge_inference.history_rule import HistoryRule
from causeway.edge_inference.ports import Generator
from causeway.edge_inference.service import Service
from causeway.edge_inference.settings import Settings
from causeway.proto import subjects
from causeway.proto.answers import Answer, Ask, Search, SearchMode, SearchResult
from causeway.proto.documents import DocumentStatus, State
from tests.support.hashed_encoder import HashedEncoder
from tests.support.knowledge_builders import KB, KEK, document_key, open_vault
from tests.support.nats_server import NatsServer
from tests.support.waiting import until_async

SITE = "branch-1"
BOUND_S = 20.0
TEXTS = ["Every employee has twelve days of annual leave.", "The canteen serves lunch from noon until two."]
QUESTION = "How many days of annual leave has every employee?"


def bus_to(server: NatsServer, service: str = "test") -> Bus:
    """A bus of the test's own."""
    return Bus(BusSettings(url=server.url, site=SITE, service=service))


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    """A connection to a place whose streams are declared."""
    async with bus_to(nats_server) as bus:
        await declare(bus, fresh=True)
        yield bus


@asynccontextmanager
async def replica(
    server: NatsServer,
    folder: Path,
    *,
    generator: Generator | None = None,
    dropped_after_s: float = 60.0,
    rule: HistoryRule | None = None,
    **more: Any,
) -> AsyncIterator[Service]:
    """A running replica that has caught up. `more` are settings."""
    settings = Settings(
        site=SITE,
        nats_url=server.url,
        vault_dir=folder,
        metrics_port=-1,
        index="exact",
        sweep_interval_s=0.05,
        sweep_dropped_after_s=dropped_after_s,
        **more,
    )
    encoder = HashedEncoder()
    service = Service(
        settings,
        vault=open_vault(folder, clock_ms=None, rule=rule),
        kek=KEK,
        encoder=encoder,
        successor=lambda: ExactIndex(encoder.dims),
        generator=generator,
    )
    stop = asyncio.Event()
    async with service:
        upkeep = asyncio.create_task(service.until(stop))
        try:
            async with asyncio.timeout(BOUND_S):
                await service.caught_up.wait()
                await service.serving.ready.wait()
            yield service
        finally:
            stop.set()
            await upkeep


async def searchable(
    bus: Bus, document_id: str, revision: int, state: State = State.SEARCHABLE, kb: str = KB, place: str = ""
) -> None:
    """Wait for the status of a revision."""
    subject = subjects.STATUS.at(SITE, kb, document_key(document_id, place).hex())

    async def told() -> bool:
        stored = await bus.last(subjects.STATUS.stream, subject)
        status = None if stored is None else stored.message
        return isinstance(status, DocumentStatus) and (status.revision, status.state) == (revision, state)

    await until_async(told)


async def search(
    bus: Bus, question: str = QUESTION, mode: SearchMode = SearchMode.HYBRID, kb: str = KB
) -> SearchResult:
    """Documents best first."""
    return await bus.request(
        subjects.SEARCH.at(SITE, kb), Search(kb=kb, question=question, mode=mode), SearchResult, BOUND_S
    )


async def ask(bus: Bus, question: str = QUESTION, kb: str = KB, **more: Any) -> Answer:
    """One answer. `more` is what else the ask says."""
    return await bus.request(subjects.ASK.at(SITE, kb), Ask(kb=kb, question=question, **more), Answer, BOUND_S)
