"""One record damaged by hand, at the site, at the hub or in Milvus: named by a comparison, and mended on request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec
import pytest
from pymilvus import MilvusClient

from causeway.bus import Bus
from causeway.milvus.schema import CHUNKS_PREFIX
from causeway.proto import subjects
from causeway.proto.chunks import Place
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised, Stamp
from causeway.proto.link import Verified, VerifyAsked
from causeway.proto.subjects import HUB
from tests.faults.processes import CHUNK_KEYS, Processes, processes_of
from tests.faults.writing import KB, Writer
from tests.support.linked_servers import linked
from tests.support.waiting import until_async

pytestmark = pytest.mark.timeout(180)
SITE = "a"
STREAM = subjects.KNOWLEDGE_CHUNK.stream


@dataclass(kw_only=True)
class Link:
    """A site and the hub with a few documents, equal on both sides, and their processes."""

    site: Bus
    hub: Bus
    writer: Writer
    milvus_uri: str

    async def verify(self, repair: bool = False) -> Verified:
        subject = subjects.LINK_VERIFY.at(SITE)
        return await self.site.request(subject, VerifyAsked(kb=KB, repair=repair), Verified, timeout_s=90)

    async def is_equal(self) -> bool:
        found = await self.verify()
        return found.equal and not found.unsettled and found.documents > 0

    async def a_document(self, bus: Bus) -> DocumentRevised:
        async for delivery in bus.scan(STREAM, [subjects.KNOWLEDGE_DOCUMENT.at(SITE, KB)]):
            message = delivery.message
            if isinstance(message, DocumentRevised) and message.manifest.places:
                return message
        raise AssertionError("no document")

    async def chunk_of(self, bus: Bus, revised: DocumentRevised) -> ChunkEmbedded:
        stored = await bus.last(STREAM, chunk_subject(revised.manifest.places[0].chunk_id))
        assert stored is not None
        assert isinstance(stored.message, ChunkEmbedded)
        return stored.message

    async def found_and_mended(self, wrong_at: str) -> Verified:
        """A comparison names exactly one document and changes nothing; with repair it is mended."""
        named = await self.verify()
        assert [each.wrong_at for each in named.differences] == [wrong_at], named
        again = await self.verify()
        assert len(again.differences) == 1
        mended = await self.verify(repair=True)
        assert mended.equal, mended
        await until_async(self.is_equal, 60)
        return named


def chunk_subject(chunk_id: bytes) -> str:
    return subjects.KNOWLEDGE_CHUNK.at(SITE, KB, chunk_id.hex())


def document_subject(revised: DocumentRevised) -> str:
    return subjects.KNOWLEDGE_DOCUMENT.at(SITE, KB, revised.manifest.document_key.hex())


@asynccontextmanager
async def link(tmp_path: Path) -> AsyncIterator[Link]:
    async with linked(tmp_path / "fleet", sites=(SITE,), kbs=("k",)) as fleet, AsyncExitStack() as stack:
        processes: Processes = processes_of(fleet, tmp_path, milvus=True)
        stack.push_async_callback(asyncio.to_thread, processes.stop)
        for child in processes.children.values():
            child.start()
        await asyncio.gather(*(processes.ready(name) for name in processes.metrics_ports))
        site = await stack.enter_async_context(fleet.bus(SITE, service="test"))
        hub = await stack.enter_async_context(fleet.bus(HUB, service="test"))
        writer = Writer(site=SITE, key=CHUNK_KEYS[SITE], rng=Random(1), bus=site, count=5)
        uri = processes.children[f"sync-delta.{HUB}"].environment["SYNC_DELTA_MILVUS_URI"]
        made = Link(site=site, hub=hub, writer=writer, milvus_uri=uri)
        for _ in range(12):
            await writer.write()
        await until_async(made.is_equal, 60)
        yield made


async def test_damage_at_the_site_at_the_hub_and_in_milvus_is_named_and_mended(tmp_path: Path) -> None:
    """One fleet for all of it: each step begins and ends equal."""
    async with link(tmp_path) as made:
        await _a_chunk_lost_at_the_hub(made)
        await _a_chunk_changed_at_the_hub(made)
        await _a_document_lost_at_the_hub(made)
        await _a_document_too_many_at_the_hub(made)
        await _a_chunk_lost_at_the_site(made)
        await _a_chunk_changed_at_the_site(made)
        await _a_document_lost_at_the_site(made)
        await _rows_changed_in_milvus(made)


async def _a_chunk_lost_at_the_hub(made: Link) -> None:
    revised = await made.a_document(made.hub)
    await made.hub.purge(STREAM, chunk_subject(revised.manifest.places[0].chunk_id))
    named = await made.found_and_mended("hub")
    assert named.differences[0].document_id == revised.manifest.document_id
    assert "missing" in named.differences[0].what


async def _a_chunk_changed_at_the_hub(made: Link) -> None:
    chunk = await made.chunk_of(made.hub, await made.a_document(made.hub))
    changed = msgspec.structs.replace(chunk, text="by hand")
    await made.hub.publish(chunk_subject(chunk.chunk_id), changed, msg_id="hub by hand")
    named = await made.found_and_mended("hub")
    assert "1 chunks changed" in named.differences[0].what


async def _a_document_lost_at_the_hub(made: Link) -> None:
    await made.hub.purge(STREAM, document_subject(await made.a_document(made.hub)))
    await made.found_and_mended("hub")


async def _a_document_too_many_at_the_hub(made: Link) -> None:
    revised = await made.a_document(made.hub)
    manifest = msgspec.structs.replace(revised.manifest, document_id="stray", document_key=bytes(16))
    stray = DocumentRevised(manifest=manifest, stamp=Stamp(wall_ms=1, counter=0, origin=SITE))
    await made.hub.publish(document_subject(stray), stray, msg_id="stray by hand")
    named = await made.found_and_mended("hub")
    assert named.differences[0].document_id == "stray"


async def _a_chunk_lost_at_the_site(made: Link) -> None:
    revised = await made.a_document(made.site)
    await made.site.purge(STREAM, chunk_subject(revised.manifest.places[0].chunk_id))
    await made.found_and_mended("site")
    assert (await made.chunk_of(made.site, revised)).text


async def _a_chunk_changed_at_the_site(made: Link) -> None:
    revised = await made.a_document(made.site)
    chunk = await made.chunk_of(made.site, revised)
    changed = msgspec.structs.replace(chunk, text="by hand")
    await made.site.publish(chunk_subject(chunk.chunk_id), changed, msg_id="site by hand")
    await made.found_and_mended("site")
    assert (await made.chunk_of(made.site, revised)).text == chunk.text


async def _a_document_lost_at_the_site(made: Link) -> None:
    revised = await made.a_document(made.site)
    await made.site.purge(STREAM, document_subject(revised))
    await made.found_and_mended("site")
    stored = await made.site.last(STREAM, document_subject(revised))
    assert stored is not None
    assert isinstance(stored.message, DocumentRevised)
    assert stored.message.manifest.places == [Place(chunk_id=each.chunk_id) for each in revised.manifest.places]


async def _rows_changed_in_milvus(made: Link) -> None:
    key = (await made.a_document(made.hub)).manifest.document_key.hex()
    await asyncio.to_thread(_delete_rows, made.milvus_uri, key)
    named = await made.found_and_mended("hub")
    assert "Milvus" in named.differences[0].what


def _delete_rows(uri: str, document_key: str) -> None:
    client = MilvusClient(uri)
    try:
        for collection in client.list_collections():
            if collection.startswith(CHUNKS_PREFIX):
                client.delete(collection, filter=f'document_key == "{document_key}"')
    finally:
        client.close()
