"""The embedder against a real server: chunks become knowledge, the manifest last, each exactly once."""

import hashlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from prometheus_client import CollectorRegistry

from causeway.bus import Bus, BusSettings
from causeway.bus.streams import declare
from causeway.embedder.batching import Limits
from causeway.embedder.encoding import Encoding
from causeway.embedder.handlers import Embedding
from causeway.embedder.metrics import Metrics
from causeway.proto import subjects
from causeway.proto.chunks import ChunkCut, Manifest, Place, RevisionDrafted
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from tests.support.nats_server import NatsServer
from tests.support.waiting import until_async

SITE, KB, MODEL = "plant", "manuals", "test-model"
KEY = b"k" * 16


class CountingEncoder:
    """Vectors from a hash of the text, and a record of what was encoded."""

    model_id = MODEL
    dims = 8

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode_passages(self, texts: list[str]) -> npt.NDArray[np.float32]:
        self.encoded += texts
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") for text in texts]
        rows = np.stack([np.random.default_rng(seed).normal(size=self.dims) for seed in seeds])
        unit: npt.NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [max(1, len(text) // 4) for text in texts]


def cut(text: str, model: str = MODEL) -> ChunkCut:
    chunk_id = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return ChunkCut(kb=KB, chunk_id=chunk_id, model=model, language="en", context="Pump", text=text)


def draft(revision: int, *cuts: ChunkCut, deleted: bool = False) -> RevisionDrafted:
    places = [Place(chunk_id=item.chunk_id) for item in cuts]
    manifest = Manifest(
        kb=KB, document_id="pump.pdf", document_key=KEY, revision=revision, places=places, deleted=deleted, model=MODEL
    )
    return RevisionDrafted(manifest=manifest, chunks_new=len(cuts))


@pytest.fixture
async def producer(nats_server: NatsServer) -> AsyncIterator[Bus]:
    """A connection that has declared the site."""
    async with Bus(BusSettings(site=SITE, service="producer", url=nats_server.url)) as bus:
        await declare(bus, fresh=True)
        yield bus


@pytest.fixture
async def encoder(nats_server: NatsServer, producer: Bus, tmp_path: Path) -> AsyncIterator[CountingEncoder]:
    """A running embedder whose encoder counts."""
    counting = CountingEncoder()
    bus = Bus(BusSettings(site=SITE, service="embedder", url=nats_server.url))
    with ThreadPoolExecutor(1) as executor:
        embedding = Embedding(
            site=SITE,
            log=bus,
            encoding=Encoding(
                encoder=counting,
                limits=Limits(tokens_min=512, tokens_max=2_048, latency_ms_max=1_000),
                executor=executor,
                metrics=Metrics(CollectorRegistry()),
            ),
            unix_ms=lambda: 0,
        )
        bus.consume(
            subjects.CHUNK.stream,
            subjects.CHUNK.at(SITE),
            embedding.handle,
            message_types=subjects.CHUNK.carries,
            attempts_max=3,
            backoff_s=(0.05, 0.05, 0.05),
        )
        async with bus:
            yield counting


async def send(producer: Bus, *messages: ChunkCut | RevisionDrafted) -> None:
    for number, message in enumerate(messages):
        await producer.publish(subjects.CHUNK.at(SITE, KB), message, msg_id=f"{id(messages)}:{number}")


async def manifest_of(producer: Bus, revision: int) -> Manifest:
    """The manifest in KNOWLEDGE once it has reached `revision`."""
    subject = subjects.KNOWLEDGE_DOCUMENT.at(SITE, KB, KEY.hex())
    found: list[Manifest] = []

    async def reached() -> bool:
        stored = await producer.last("KNOWLEDGE", subject)
        message = stored.message if stored is not None else None
        if isinstance(message, DocumentRevised):
            found.append(message.manifest)
        return bool(found) and found[-1].revision >= revision

    await until_async(reached)
    return found[-1]


async def dead_reasons(producer: Bus, count: int) -> list[str]:
    """The reasons of the dead letters once there are `count`."""
    reasons: list[str] = []

    async def enough() -> bool:
        reasons[:] = [entry.letter.reason async for entry in producer.dead_letters.entries()]
        return len(reasons) >= count

    await until_async(enough)
    return reasons


async def test_a_manifest_in_knowledge_means_that_all_its_chunks_are_there(
    producer: Bus, encoder: CountingEncoder
) -> None:
    cuts = [cut(f"Step {number}: close valve {number}.") for number in range(30)]
    await send(producer, *cuts, draft(1, *cuts))
    manifest = await manifest_of(producer, 1)
    for place in manifest.places:
        stored = await producer.last("KNOWLEDGE", subjects.KNOWLEDGE_CHUNK.at(SITE, KB, place.chunk_id.hex()))
        assert stored is not None
        assert isinstance(stored.message, ChunkEmbedded)
        assert len(stored.message.vector_f16) == 2 * encoder.dims
    assert len(encoder.encoded) == 30


async def test_a_chunk_that_knowledge_has_is_copied_and_not_encoded_again(
    producer: Bus, encoder: CountingEncoder
) -> None:
    first, second = cut("Close the valve."), cut("Open the drain.")
    await send(producer, first, draft(1, first))
    await manifest_of(producer, 1)
    subject = subjects.KNOWLEDGE_CHUNK.at(SITE, KB, first.chunk_id.hex())
    before = await producer.last("KNOWLEDGE", subject)
    await send(producer, first, second, draft(2, first, second))
    await manifest_of(producer, 2)
    after = await producer.last("KNOWLEDGE", subject)
    assert encoder.encoded == ["Pump\nClose the valve.", "Pump\nOpen the drain."]
    assert before is not None
    assert after is not None
    assert after.message == before.message
    assert after.seq > before.seq, "the copy lies past any purge below the manifest that named it before"


async def test_an_older_revision_never_overtakes_a_newer_one(producer: Bus, encoder: CountingEncoder) -> None:
    new, old = cut("The new text."), cut("The old text.")
    await send(producer, new, draft(7, new), old, draft(6, old), draft(8, new))
    assert (await manifest_of(producer, 8)).places == draft(8, new).manifest.places


async def test_a_delete_is_a_tombstone_manifest(producer: Bus, encoder: CountingEncoder) -> None:
    chunk = cut("Close the valve.")
    await send(producer, chunk, draft(1, chunk), draft(2, deleted=True))
    assert (await manifest_of(producer, 2)).deleted


async def test_a_chunk_cut_for_another_model_is_embedded_in_the_space_in_force(
    producer: Bus, encoder: CountingEncoder
) -> None:
    old = cut("Close the valve.", model="another")
    await send(producer, old, draft(1, old))
    assert (await manifest_of(producer, 1)).places == draft(1, old).manifest.places
    stored = await producer.last("KNOWLEDGE", subjects.KNOWLEDGE_CHUNK.at(SITE, KB, old.chunk_id.hex()))
    assert stored is not None
    assert isinstance(stored.message, ChunkEmbedded)
    assert stored.message.model == MODEL


async def test_a_draft_whose_chunk_never_comes_ends_as_a_dead_letter_that_names_it(
    producer: Bus, encoder: CountingEncoder
) -> None:
    missing = cut("This one was lost.")
    await send(producer, draft(1, missing))
    assert missing.chunk_id.hex() in (await dead_reasons(producer, 1))[0]
