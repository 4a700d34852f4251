"""Re-embedding against a real server: every chunk of KNOWLEDGE gets a vector of the new space, each exactly once."""

import secrets
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from causeway.bus import Bus, BusSettings, Delivery, Outcome
from causeway.embedder.batching import Limits
from causeway.embedder.encoding import Encoding
from causeway.embedder.metrics import Metrics
from causeway.embedder.reembedding import Reembedding, durable_of
from causeway.proto import subjects
from causeway.proto.knowledge import ChunkReembedded
from tests.integration.embedder.test_embedding_over_nats import CountingEncoder
from tests.support.buses import declared_bus
from tests.support.knowledge_log import chunk_entry, publish
from tests.support.nats_server import NatsServer
from tests.support.waiting import until_async

SITE = "site1"
SPACE = subjects.space_token(CountingEncoder.model_id)


@pytest.fixture
async def log(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with declared_bus(nats_server, "producer") as bus:
        yield bus


@asynccontextmanager
async def reembedder(server: NatsServer, crashes: int = 0) -> AsyncIterator[CountingEncoder]:
    """A re-embedder; it forgets to acknowledge its first `crashes` batches, as one does that is killed."""
    encoder = CountingEncoder()
    bus = Bus(BusSettings(site=SITE, service=durable_of(encoder.model_id), url=server.url))
    limits = Limits(tokens_min=64, tokens_max=256, latency_ms_max=1_000)
    with ThreadPoolExecutor(1) as executor:
        encoding = Encoding(encoder=encoder, limits=limits, executor=executor, metrics=Metrics(CollectorRegistry()))
        work, left = Reembedding(log=bus, encoding=encoding, run=secrets.token_hex(8)), [crashes]

        async def handle(deliveries: Sequence[Delivery]) -> list[Outcome]:
            outcomes = await work.handle(deliveries)
            left[0] -= 1
            if left[0] >= 0:
                raise RuntimeError("killed before the acknowledgement")
            return outcomes

        bus.consume(
            "KNOWLEDGE",
            subjects.KNOWLEDGE_CHUNK.at("*"),
            handle,
            message_types=subjects.KNOWLEDGE_CHUNK.carries,
            batch_max=16,
            attempts_max=9,
            backoff_s=(0.05,),
        )
        async with bus:
            yield encoder


async def vectors(bus: Bus, count: int) -> dict[str, ChunkReembedded]:
    """What VECTORS holds by subject, once it holds so many."""
    found: dict[str, ChunkReembedded] = {}

    async def there() -> bool:
        async for delivery in bus.scan("VECTORS", [subjects.VECTOR.at("*", space=SPACE)]):
            assert isinstance(delivery.message, ChunkReembedded)
            found[delivery.subject] = delivery.message
        return len(found) == count

    await until_async(there)
    return found


async def test_every_chunk_gets_a_vector_of_the_new_space_under_its_own_name_and_origin(
    nats_server: NatsServer, log: Bus
) -> None:
    await publish(log, *(chunk_entry(origin, f"{origin} {number}") for origin in (SITE, "hub") for number in range(9)))
    before = await log.last_seq("KNOWLEDGE")
    async with reembedder(nats_server) as encoder:
        found = await vectors(log, 18)
        assert sorted(encoder.encoded) == sorted(set(encoder.encoded))
    assert {subject.split(".")[1] for subject in found} == {SITE, "hub"}
    assert all(message.chunk_id.hex() == subject.split(".")[-1] for subject, message in found.items())
    assert await log.last_seq("KNOWLEDGE") == before, "KNOWLEDGE is left alone"


async def test_what_was_embedded_before_a_crash_is_not_embedded_again(nats_server: NatsServer, log: Bus) -> None:
    await publish(log, *(chunk_entry(SITE, f"chunk {number}") for number in range(40)))
    async with reembedder(nats_server, crashes=2) as encoder:
        await vectors(log, 40)
        assert len(encoder.encoded) == 40
    await publish(log, chunk_entry(SITE, "a later one"))
    async with reembedder(nats_server) as encoder:
        await vectors(log, 41)
        assert len(encoder.encoded) == 1, "its place in KNOWLEDGE is kept on the server"


async def test_after_an_abort_the_same_chunks_are_embedded_once_more(nats_server: NatsServer, log: Bus) -> None:
    await publish(log, *(chunk_entry(SITE, f"chunk {number}") for number in range(5)))
    async with reembedder(nats_server):
        await vectors(log, 5)
    await log.broker.js.delete_consumer("KNOWLEDGE", durable_of(CountingEncoder.model_id))
    await log.purge("VECTORS", subjects.VECTOR.at("*", space=SPACE))
    async with reembedder(nats_server):
        await vectors(log, 5)
