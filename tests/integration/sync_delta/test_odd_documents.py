"""Documents that can not be shared, that were taken back although another place has the id, and a new OUTBOX."""

from pathlib import Path

import msgspec
import numpy as np

from causeway.bus.streams import declare
from causeway.proto import streams, subjects
from causeway.proto.documents import Residency
from causeway.proto.identity import chunk_id
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from tests.support.hashed_encoder import HashedEncoder
from tests.support.linked_servers import linked
from tests.support.sync_delta_places import embedded, key_of, running
from tests.support.waiting import until_async


async def test_taking_a_document_back_does_not_hide_the_hubs_own_of_the_same_id(tmp_path: Path) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path) as site,
    ):
        await site.until_revision("hub", "d", await hub.write("d", ["the hub's"]))

        async def seen() -> bool:
            return site.sync.knowledge_following.lag == 0 and bool(site.sync.incoming.applied_seqs.get("hub"))

        await until_async(seen)
        await hub.until_revision("a", "d", await site.write("d", ["the site's, public"]))

        async def shaded() -> bool:
            shadow = await hub.shadow("hub", "d")
            return shadow is not None and shadow.winner == "a"

        await until_async(shaded)
        raised = await site.write("d", ["the site's, for nobody else"], residency=Residency.RESTRICTED)
        assert (await hub.until_revision("a", "d", raised)).manifest.deleted

        async def lifted() -> bool:
            shadow = await hub.shadow("hub", "d")
            return shadow is not None and shadow.revision == 0

        await until_async(lifted)
        here = await site.shadow("hub", "d")
        assert here is not None
        assert here.winner == "a", "at the site its own restricted text stands"


async def test_a_chunk_that_can_not_be_encoded_keeps_its_document_here_and_holds_up_no_other(tmp_path: Path) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path) as site,
    ):
        name = chunk_id(key_of("a"), "k", HashedEncoder().model_id, "bad")
        bad = embedded("k", name, "bad")
        nothing = np.zeros(bad.dims, dtype="<f2").tobytes()
        await site.write("bad", ["good enough at first"])
        await hub.until_revision("a", "bad", 1)
        await site.app.publish(
            subjects.KNOWLEDGE_CHUNK.at("a", "k", name.hex()),
            msgspec.structs.replace(bad, vector_f16=nothing),
            msg_id="bad",
        )
        manifest = (await site.revised("a", "bad")).manifest  # type: ignore[union-attr]
        place = msgspec.structs.replace(manifest.places[0], chunk_id=name)
        await site.app.publish(
            subjects.KNOWLEDGE_DOCUMENT.at("a", "k", manifest.document_key.hex()),
            DocumentRevised(manifest=msgspec.structs.replace(manifest, revision=2, places=[place])),
            msg_id="bad 2",
        )
        await hub.until_revision("a", "good", await site.write("good", ["fine"]))
        await site.until_quiet()
        assert await hub.texts("a", "bad") == ["good enough at first"]
        await hub.until_revision("a", "bad", await site.write("bad", ["mended"], revision=3))


async def test_an_outbox_that_was_made_anew_is_filled_again(tmp_path: Path) -> None:
    async with linked(tmp_path / "fleet", sites=("a",)) as fleet, running(fleet, "hub", tmp_path) as hub:
        async with running(fleet, "a", tmp_path) as site:
            for number in range(3):
                await site.write(f"d{number}", ["shared by all", f"text {number}"])
            await hub.until_revision("a", "d2", 1)
            await site.until_quiet()
        async with fleet.bus("a", "link") as link:
            await link.broker.js.delete_stream(streams.outbox("a").name)
            wanted = (streams.CANARY, streams.outbox("a"), streams.INBOX)
            await declare(link, wanted, fresh=False, buckets=())
        async with running(fleet, "a", tmp_path) as site:

            async def filled() -> bool:
                there = [each async for each in site.link.scan("OUTBOX_a", [subjects.OUTBOX_DOCUMENT.at("a")])]
                return len(there) == 3

            await until_async(filled)
            edited = await site.write("d1", ["shared by all", "edited"], revision=2)
            await hub.until_revision("a", "d1", edited, bound_s=60)
            assert await hub.texts("a", "d1") == ["shared by all", "edited"]


async def test_a_chunk_that_was_swept_at_the_hub_is_taken_from_the_inbox_again(tmp_path: Path) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path) as site,
    ):
        await hub.until_revision("a", "first", await site.write("first", ["common"]))
        name = chunk_id(key_of("a"), "k", HashedEncoder().model_id, "common")
        subject = subjects.KNOWLEDGE_CHUNK.at("a", "k", name.hex())
        await hub.app.purge(streams.KNOWLEDGE.name, subject)
        for number in range(3):
            await hub.until_revision("a", f"between{number}", await site.write(f"between{number}", [f"b{number}"]))
        await hub.until_revision("a", "second", await site.write("second", ["common"]))
        stored = await hub.app.last(streams.KNOWLEDGE.name, subject)
        assert stored is not None
        assert isinstance(stored.message, ChunkEmbedded)
        assert stored.message.text == "common"
