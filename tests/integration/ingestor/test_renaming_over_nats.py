"""Documents move to the names of a new embedding space over a real server, without being parsed or embedded again."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Gauge

from causeway.bus import Bus, BusSettings, NotPublished, PubAck
from causeway.bus.streams import declare
from causeway.edge_inference.knowledge_index import KnowledgeIndexes
from causeway.ingestor.chunking import embed_text
from causeway.ingestor.renaming import Renaming, SpacesLog
from causeway.ingestor.revision import Naming
from causeway.proto import Message, subjects
from causeway.proto.chunks import Manifest, RevisionDrafted
from causeway.proto.identity import chunk_id
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from tests.integration.edge_inference.test_two_spaces_over_nats import SITE, TEXTS, dense, replica, serves
from tests.support.knowledge_builders import KB
from tests.support.knowledge_log import document_entries, manifest_entry, publish
from tests.support.nats_server import NatsServer
from tests.support.reembedding import NextEncoder, reembedder
from tests.support.waiting import until, until_async

KEY = bytes(range(32))
NAMING = Naming(key=KEY, model=NextEncoder.model_id)
SPACE = subjects.space_token(NextEncoder.model_id)


class FailingLog:
    """A bus that breaks at the nth publish: a crash there, as the log sees it."""

    def __init__(self, bus: Bus, publishes: int) -> None:
        self._bus = bus
        self._left = publishes

    def __getattr__(self, name: str) -> object:
        return getattr(self._bus, name)

    async def publish(self, *arguments: object, **named: object) -> PubAck:
        self._count()
        return await self._bus.publish(*arguments, **named)  # type: ignore[arg-type]

    async def publish_many(self, entries: Iterable[tuple[str, Message, str]]) -> list[PubAck]:
        for entry in entries:
            self._count()
            await self._bus.publish_many([entry])
        return []

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise NotPublished("killed")


def renaming(log: object) -> Renaming:
    assert isinstance(log, Bus | FailingLog)
    spaces: SpacesLog = log  # type: ignore[assignment]
    return Renaming(SITE, spaces, NAMING, Gauge("elsewhere", "Left.", registry=CollectorRegistry()))


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with Bus(BusSettings(url=nats_server.url, site=SITE, service="test")) as bus:
        await declare(bus, fresh=True)
        for number in range(10):
            texts = [TEXTS[number], TEXTS[(number + 1) % 10], "What all of them say."]
            await publish(bus, *document_entries(SITE, f"d{number}", texts, 7))
        yield bus


async def embedded(server: NatsServer, bus: Bus, count: int) -> None:
    """Return when VECTORS has so many vectors of the new space."""

    async def there() -> bool:
        return await bus.count("VECTORS") >= count

    async with reembedder(server, SITE):
        await until_async(there)


async def standing(bus: Bus, site: str = SITE) -> dict[str, Manifest]:
    found: dict[str, Manifest] = {}
    async for delivery in bus.scan("KNOWLEDGE", [subjects.KNOWLEDGE_DOCUMENT.at(site)]):
        assert isinstance(delivery.message, DocumentRevised)
        found[delivery.message.manifest.document_id] = delivery.message.manifest
    return found


async def check_whole(bus: Bus) -> None:
    """Every document of the new space names chunks that are there, with its names and its vectors."""
    encoder = NextEncoder()
    for manifest in (await standing(bus)).values():
        assert (manifest.model, manifest.revision) == (encoder.model_id, 7)
        names = [subjects.KNOWLEDGE_CHUNK.at(SITE, KB, place.chunk_id.hex()) for place in manifest.places]
        stored = await bus.last_many("KNOWLEDGE", names)
        assert len(stored) == 3
        for item in stored.values():
            chunk = item.message
            assert isinstance(chunk, ChunkEmbedded)
            text = embed_text(chunk.context, chunk.text)
            assert chunk.chunk_id == chunk_id(KEY, KB, encoder.model_id, text)
            vector = np.frombuffer(chunk.vector_f16, "<f2").astype(np.float32)
            assert float(vector @ encoder.encode_passages([text])[0]) > 0.999


async def test_documents_keep_their_revision_and_get_ids_and_vectors_of_the_new_space(
    nats_server: NatsServer, bus: Bus
) -> None:
    await embedded(nats_server, bus, 11)
    before = (await standing(bus))["d4"]
    draft = subjects.DRAFT.at(SITE, KB, before.document_key.hex())
    await bus.publish(draft, RevisionDrafted(manifest=before, chunks_new=3), msg_id="draft")
    assert await renaming(bus).once() == 10
    await check_whole(bus)
    renamed = (await standing(bus))["d4"]
    assert [place.page_first for place in renamed.places] == [1, 2, 3]
    stored = await bus.last("DRAFTS", draft)
    assert stored is not None
    assert isinstance(stored.message, RevisionDrafted)
    assert stored.message.manifest == renamed, "so that the next revision sends only what is new"
    assert await renaming(bus).once() == 0


async def test_killed_anywhere_it_goes_on_and_nothing_is_half_renamed(nats_server: NatsServer, bus: Bus) -> None:
    await embedded(nats_server, bus, 11)
    dice, kills = random.Random(8), 0
    while True:
        try:
            if await renaming(FailingLog(bus, dice.randrange(2, 14))).once() == 0:
                break
        except NotPublished:
            kills += 1
    assert kills > 3
    await check_whole(bus)


async def test_what_has_no_vector_yet_waits_and_what_is_of_another_place_is_left_alone(
    nats_server: NatsServer, bus: Bus
) -> None:
    await publish(bus, *document_entries("hub", "theirs", TEXTS[:2], 1))
    assert await renaming(bus).once() == 10
    assert {manifest.model for manifest in (await standing(bus)).values()} == {""}
    await embedded(nats_server, bus, 13)
    await renaming(bus).once()
    assert await renaming(bus).once() == 0
    assert (await standing(bus, "hub"))["theirs"].model == ""


async def test_a_newer_revision_is_never_overwritten(nats_server: NatsServer, bus: Bus) -> None:
    await embedded(nats_server, bus, 11)
    work = renaming(bus)
    documents = bus.scan("KNOWLEDGE", [subjects.KNOWLEDGE_DOCUMENT.at(SITE)])
    first = await anext(documents)
    assert isinstance(first.message, DocumentRevised)
    await publish(bus, manifest_entry(SITE, "d0", TEXTS[:1], 8))
    await work._rename(first.message, first.stream_seq)
    assert (await standing(bus))["d0"].revision == 8
    assert await work.once() == 10, "its turn comes with the next pass"
    assert (await standing(bus))["d0"].model == NextEncoder.model_id


async def test_while_documents_are_renamed_every_question_is_answered_from_all_of_them(
    nats_server: NatsServer, bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await embedded(nats_server, bus, 11)
    async with replica(nats_server, tmp_path / "new", NextEncoder(), complete=True) as new:
        await serves(new)
        slow_down(new.replica.indexes, monkeypatch)
        before = [await dense(bus, number) for number in range(10)]
        work = asyncio.create_task(until_renamed(bus))
        while not work.done():
            for number in range(10):
                assert set(await dense(bus, number)) <= {f"d{number}", f"d{(number - 1) % 10}"}
        await work
        await until(lambda: new.follower.lag == 0 and new.replica.vault.counts() == (11, 10))
        assert new.replica.indexes.lacking == 0
        names = {place.chunk_id.hex() for manifest in (await standing(bus)).values() for place in manifest.places}

        async def dropped() -> bool:
            chunks = bus.scan("KNOWLEDGE", [subjects.KNOWLEDGE_CHUNK.at("*")])
            return {delivery.subject.rsplit(".", 1)[1] async for delivery in chunks} == names

        await until_async(dropped)
        await bus.purge("VECTORS", subjects.VECTOR.at("*"))
        assert [len(await dense(bus, number)) for number in range(10)] == [len(found) for found in before]


def slow_down(indexes: KnowledgeIndexes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let some time pass between each commit of the vault and the index that follows it."""
    follow, never = indexes.follow, threading.Event()

    def later(*arguments: Any) -> None:
        never.wait(0.05)
        follow(*arguments)

    monkeypatch.setattr(indexes, "follow", later)


async def until_renamed(bus: Bus) -> None:
    """Rename a document or two at a time, killed each time in the middle of the next."""
    while True:
        try:
            if await renaming(FailingLog(bus, 9)).once() == 0:
                return
        except NotPublished:
            continue
