"""A replica of a new embedding space beside one of the old, over a real server: no answer from half of either."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from causeway.bus import Bus, BusSettings
from causeway.bus.streams import declare
from causeway.edge_inference.exact import ExactIndex
from causeway.edge_inference.ports import Encoder
from causeway.edge_inference.seeding import seed
from causeway.edge_inference.service import Service
from causeway.edge_inference.settings import Settings
from causeway.proto import subjects
from causeway.proto.answers import Search, SearchMode, SearchResult
from tests.support.hashed_encoder import HashedEncoder
from tests.support.knowledge_builders import KB, KEK, chunk_id, open_vault
from tests.support.knowledge_log import document_entries, manifest_entry, publish
from tests.support.nats_server import NatsServer
from tests.support.reembedding import NextEncoder, reembedder
from tests.support.waiting import until, until_async

SITE = "branch-1"
BOUND_S = 20.0
TEXTS = [f"Machine {number} has {number + 3} valves and a red handle." for number in range(30)]


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with Bus(BusSettings(url=nats_server.url, site=SITE, service="test")) as bus:
        await declare(bus, fresh=True)
        yield bus


def _make(folder: Path, seed_dir: Path | None) -> None:
    folder.mkdir(exist_ok=True)
    seed(folder, seed_dir)


@asynccontextmanager
async def replica(
    server: NatsServer, folder: Path, encoder: Encoder, seed_dir: Path | None = None, *, complete: bool = False
) -> AsyncIterator[Service]:
    """A running replica, which serves when it may."""
    settings = Settings(
        site=SITE,
        nats_url=server.url,
        vault_dir=folder,
        metrics_port=-1,
        index="exact",
        sweep_interval_s=0.05,
        sweep_dropped_after_s=0.0,
        serve_when="complete" if complete else "caught-up",
    )
    await asyncio.to_thread(_make, folder, seed_dir)
    service = Service(
        settings,
        vault=open_vault(folder, clock_ms=None),
        kek=KEK,
        encoder=encoder,
        successor=lambda: ExactIndex(encoder.dims),
    )
    stop = asyncio.Event()
    async with service:
        upkeep = asyncio.create_task(service.until(stop))
        try:
            yield service
        finally:
            stop.set()
            await upkeep


async def serves(service: Service) -> None:
    async with asyncio.timeout(BOUND_S):
        await service.caught_up.wait()
        await service.serving.ready.wait()


async def dense(bus: Bus, number: int) -> list[str]:
    """The document that a search by meaning alone finds first for a text of `TEXTS`."""
    search = Search(kb=KB, question=TEXTS[number], mode=SearchMode.DENSE, documents_max=1)
    result = await bus.request(subjects.SEARCH.at(SITE, KB), search, SearchResult, BOUND_S)
    return [passage.document_id for passage in result.passages]


async def test_the_new_replica_joins_only_when_it_is_complete_and_then_the_old_one_may_go(
    nats_server: NatsServer, bus: Bus, tmp_path: Path
) -> None:
    await publish(bus, *(entry for n, text in enumerate(TEXTS) for entry in document_entries(SITE, f"d{n}", [text], 1)))
    async with replica(nats_server, tmp_path / "old", HashedEncoder()) as old:
        await serves(old)
        async with replica(nats_server, tmp_path / "new", NextEncoder(), tmp_path / "old", complete=True) as new:
            await until(lambda: new.following.caught_up and new.vectors.at_end)
            assert not new.caught_up.is_set()
            assert "30 chunks have no vector of hashed-next yet" in new.not_ready()
            async with reembedder(nats_server, SITE):
                while not new.caught_up.is_set():
                    assert await dense(bus, 7) == ["d7"], "the old space answers alone"
                await serves(new)
            assert new.replica.indexes.lacking == 0
            for number in range(0, 30, 5):
                assert await dense(bus, number) == [f"d{number}"], "either answers from a complete space"
            await bus_goes(old)
            for number in range(30):
                assert await dense(bus, number) == [f"d{number}"]


async def bus_goes(service: Service) -> None:
    """The replica leaves the queue group, as at its stop."""
    await service.bus.release(service.serving)


async def test_what_changes_meanwhile_is_followed_in_the_new_space(
    nats_server: NatsServer, bus: Bus, tmp_path: Path
) -> None:
    await publish(bus, *document_entries(SITE, "a", TEXTS[:5], 1), *document_entries("hub", "b", TEXTS[5:8], 1))
    made = replica(nats_server, tmp_path / "new", NextEncoder(), complete=True)
    async with reembedder(nats_server, SITE), made as new:
        await serves(new)
        assert await dense(bus, 6) == ["b"], "what came over the link is found by meaning too"
        await publish(bus, *document_entries(SITE, "a", TEXTS[10:12], 2))
        await publish(bus, manifest_entry("hub", "b", [], 2, deleted=True))
        await until(lambda: new.replica.vault.counts() == (2, 1))
        await until(lambda: new.replica.indexes.lacking == 0)
        assert await dense(bus, 11) == ["a"]


async def test_a_restart_takes_the_vectors_from_the_vault(nats_server: NatsServer, bus: Bus, tmp_path: Path) -> None:
    await publish(bus, *document_entries(SITE, "a", TEXTS[:5], 1))
    made = replica(nats_server, tmp_path / "new", NextEncoder(), complete=True)
    async with reembedder(nats_server, SITE), made as new:
        await serves(new)
    await bus.purge("VECTORS", subjects.VECTOR.at("*", space="*"))
    async with replica(nats_server, tmp_path / "new", NextEncoder()) as again:
        await serves(again)
        assert again.replica.indexes.lacking == 0
        assert await dense(bus, 3) == ["a"]


async def test_a_chunk_that_is_swept_takes_its_vector_along(nats_server: NatsServer, bus: Bus, tmp_path: Path) -> None:
    await publish(bus, *document_entries(SITE, "a", TEXTS[:2], 1))
    async with reembedder(nats_server, SITE), replica(nats_server, tmp_path / "new", NextEncoder()) as new:
        await serves(new)
        await until(lambda: new.replica.indexes.lacking == 0)
        await publish(bus, manifest_entry(SITE, "a", TEXTS[1:2], 2))

        async def gone() -> bool:
            name = subjects.VECTOR.at(SITE, KB, chunk_id(TEXTS[0]).hex(), subjects.space_token("hashed-next"))
            return await bus.last("VECTORS", name) is None

        await until_async(gone)
        await until(lambda: new.replica.vault.counts() == (1, 1))
