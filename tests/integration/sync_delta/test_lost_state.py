"""A lost state folder is filled again from the streams, and nothing crosses the link a second time."""

import shutil
from pathlib import Path

import msgspec

from causeway.bus import Bus
from causeway.proto import streams, subjects
from causeway.proto.documents import Residency
from causeway.proto.outbox import ChunkShared
from tests.support.linked_servers import linked
from tests.support.sync_delta_places import running
from tests.support.waiting import until, until_async


async def test_a_site_that_lost_its_state_sends_nothing_again_and_goes_on(tmp_path: Path) -> None:
    async with linked(tmp_path / "fleet", sites=("a",)) as fleet, running(fleet, "hub", tmp_path) as hub:
        async with running(fleet, "a", tmp_path) as site:
            for number in range(5):
                await site.write(f"d{number}", ["shared by all", f"text {number}"])
            await site.write("stays", ["restricted"], residency=Residency.RESTRICTED)
            await hub.until_revision("a", "d0", 1)
            raised = await site.write("d0", ["raised"], residency=Residency.RESTRICTED)
            await hub.until_revision("a", "d0", raised)
            await site.until_quiet()
            before = await site.sync.state.read(lambda tables: tables.outbox.items("k"))
            stamp = (await hub.revised("a", "d1")).stamp  # type: ignore[union-attr]
            revisions = site.revisions
        last = await hub.app.last_seq(streams.INBOX.name)
        shutil.rmtree(tmp_path / "sync-delta-a")
        async with running(fleet, "a", tmp_path) as site:
            site.revisions = revisions
            await until(lambda: site.sync.knowledge_following.caught_up.is_set())
            await site.until_quiet()
            assert await site.sync.state.read(lambda tables: tables.outbox.items("k")) == before
            assert await hub.app.last_seq(streams.INBOX.name) == last
            edited = await site.write("d1", ["shared by all", "text 1, edited"])
            revised = await hub.until_revision("a", "d1", edited)
            assert await hub.texts("a", "d1") == ["shared by all", "text 1, edited"]
            assert await hub.app.last_seq(streams.INBOX.name) == last + 2
            assert stamp is not None
            assert revised.stamp is not None
            assert (revised.stamp.wall_ms, revised.stamp.counter) > (stamp.wall_ms, stamp.counter)


async def test_chunks_that_no_document_came_to_name_leave_the_outbox_after_a_lost_state(tmp_path: Path) -> None:
    async with linked(tmp_path / "fleet", sites=("a",)) as fleet:
        async with running(fleet, "a", tmp_path) as site:
            await site.write("d", ["one"])
            await until_async(lambda: _outbox_chunks(site.link, 1))
            stored = [each async for each in site.link.scan("OUTBOX_a", [subjects.OUTBOX_CHUNK.at("a")])]
            first = stored[0].message
            assert isinstance(first, ChunkShared)
            stray = msgspec.structs.replace(first, number=first.number + 7, chunk_id=bytes(16))
            subject = subjects.OUTBOX_CHUNK.at("a", "k", str(stray.number))
            await site.link.publish(subject, stray, msg_id="stray")
        shutil.rmtree(tmp_path / "sync-delta-a")
        async with running(fleet, "a", tmp_path) as site:
            await until_async(lambda: _outbox_chunks(site.link, 1))


async def _outbox_chunks(bus: Bus, count: int) -> bool:
    return len([each async for each in bus.scan("OUTBOX_a", [subjects.OUTBOX_CHUNK.at("a")])]) == count


async def test_a_hub_that_lost_its_state_knows_again_what_it_holds_and_writes_nothing_again(tmp_path: Path) -> None:
    async with linked(tmp_path / "fleet", sites=("a",)) as fleet, running(fleet, "a", tmp_path) as site:
        async with running(fleet, "hub", tmp_path) as hub:
            for number in range(5):
                await site.write(f"d{number}", ["shared by all", f"text {number}"])
            edited = await site.write("d0", ["shared by all", "edited"])
            await hub.until_revision("a", "d0", edited)
            await site.until_quiet()
            before = await hub.sync.state.read(lambda tables: tables.inbox.items("a", "k"))
        async with fleet.bus("hub") as bus:
            manifests = [
                (each.subject, each.stream_seq)
                async for each in bus.scan("KNOWLEDGE", [subjects.KNOWLEDGE_DOCUMENT.at("a")])
            ]
        shutil.rmtree(tmp_path / "sync-delta-hub")
        async with running(fleet, "hub", tmp_path) as hub:

            async def filled() -> bool:
                return await hub.sync.state.read(lambda tables: tables.inbox.items("a", "k")) == before

            await until_async(filled)
            after = [
                (each.subject, each.stream_seq)
                async for each in hub.app.scan("KNOWLEDGE", [subjects.KNOWLEDGE_DOCUMENT.at("a")])
            ]
            assert after == manifests
            again = await site.write("d3", ["shared by all", "edited too"])
            await hub.until_revision("a", "d3", again)
            assert await hub.texts("a", "d3") == ["shared by all", "edited too"]
