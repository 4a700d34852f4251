"""What answers cite of other sites, over a real link to a real Milvus: told of once, given no more, not made up."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from causeway.edge_inference import foreign_watching
from causeway.edge_inference.answer_index import DocumentName
from causeway.milvus.values import ShelfPosition
from causeway.proto.answers import Route
from causeway.proto.feedback import Change
from causeway.proto.knowledge import DocumentShadowed
from tests.support.answers_given import cited, given, keep
from tests.support.knowledge_builders import KB, document_key
from tests.support.knowledge_log import document_entries, foreign_entries, manifest_entry, publish, shadow_entry
from tests.support.milvus_servers import EmbeddedMilvus, embedded_milvus
from tests.support.replica_site import SITE
from tests.support.vouching_hub import VouchingFleet, cloud_answer, vouching_fleet
from tests.support.waiting import pause, until

PLANT = "plant-2"
OLD, NEW, OTHER = "Leave is twelve days.", "Leave is thirty days.", "Lunch is at noon."
CITED = cited("leave.md", OLD, 1, PLANT)
HEALED_S_MAX = 60.0


@pytest.fixture(scope="module")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMilvus]:
    with embedded_milvus(tmp_path_factory.mktemp("milvus")) as server:
        yield server


@pytest.fixture
async def fleet(tmp_path: Path, milvus: EmbeddedMilvus) -> AsyncIterator[VouchingFleet]:
    """With leave.md of another site on the shelf."""
    async with vouching_fleet(tmp_path, milvus.uri) as running:
        await running.hub.change(*foreign_entries(PLANT, "leave.md", [OLD, OTHER], 1))
        yield running


async def answered(fleet: VouchingFleet, *answer_ids: str, hub_seq: int = 3) -> None:
    """Answers of the cloud that cite leave.md were given."""
    await keep(fleet.bus, *(given(one, CITED, route=Route.CLOUD, hub_seq=hub_seq) for one in answer_ids))


def shadow(revision: int) -> DocumentShadowed:
    return DocumentShadowed(
        kb=KB,
        document_id="leave.md",
        document_key=document_key("leave.md", PLANT),
        revision=revision,
        winner="hub",
        winner_revision=1,
        concurrent=False,
    )


async def test_an_edit_at_another_site_tells_the_asker_once_and_takes_the_answer_out_of_the_cache(
    fleet: VouchingFleet,
) -> None:
    await publish(fleet.bus, *document_entries(SITE, "leave.md", [OLD], 1))
    await answered(fleet, *(f"a{number}" for number in range(20)))
    await keep(fleet.bus, given("ours", cited("leave.md", OLD, 1)), given("sound", cited("leave.md", OTHER, 1, PLANT)))
    async with fleet.site() as one, fleet.site() as two:
        await one.keep(cloud_answer(hub_seq=3), CITED)
        await asyncio.gather(one.another_look("unmoved"), two.another_look("unmoved"))
        await until(lambda: one.given() and two.given())
        assert await fleet.told() == []
        await fleet.hub.change(*foreign_entries(PLANT, "leave.md", [NEW, OTHER], 2))
        found = await fleet.told_of(20)
        # The cache of whoever tells hears before the askers do.
        tellers = [each for each in (one, two) if each.count("answers_invalidated_total", kb=KB, change="revised")]
        assert tellers
        assert not any(each.given() for each in tellers)
        await asyncio.gather(one.another_look("unmoved"), two.another_look("unmoved"))
        assert not one.given()
        assert not two.given()
        assert {(each.change, each.document_id, each.origin, each.revision) for each in found} == {
            (Change.REVISED, "leave.md", PLANT, 2)
        }
        assert sorted(each.answer_id for each in await fleet.told()) == sorted(f"a{number}" for number in range(20))
    async with fleet.site() as again:
        await again.another_look("unmoved", 1)
        assert not again.given()
    assert len(await fleet.told()) == 20


async def test_a_deletion_and_a_shadow_over_the_cited_revision_tell_as_well(fleet: VouchingFleet) -> None:
    await answered(fleet, "a1")
    async with fleet.site() as one:
        await one.another_look("unmoved", 1)
        await fleet.hub.change(shadow_entry(PLANT, shadow(1)))
        (found,) = await fleet.told_of(1)
        assert (found.change, found.revision) == (Change.REPLACED, 1)
        await fleet.hub.change(shadow_entry(PLANT, shadow(0)))
        await answered(fleet, "a2", hub_seq=5)
        await one.another_look("unmoved", 1)
        await fleet.hub.change(manifest_entry(PLANT, "leave.md", [], 2, deleted=True, place=PLANT))
        both = await fleet.told_of(2)
        assert [(each.answer_id, each.change, each.revision) for each in both[1:]] == [("a2", Change.DELETED, 2)]


async def test_a_change_while_the_link_is_cut_is_told_when_the_link_is_back(fleet: VouchingFleet) -> None:
    await answered(fleet, "a1")
    async with fleet.site(timeout_s=2.0) as one:
        await one.keep(cloud_answer(hub_seq=3), CITED)
        await one.another_look("unmoved", 1)
        fleet.servers.cut(SITE)
        await one.another_look("away", 1)
        await fleet.hub.change(*foreign_entries(PLANT, "leave.md", [NEW], 2))
        assert one.given(), "an island goes on with what it knew"
        assert await fleet.told() == []
        fleet.servers.heal(SITE)
        assert [each.answer_id for each in await fleet.told_of(1, HEALED_S_MAX)] == ["a1"]
        assert not one.given()


async def test_a_hub_that_is_gone_and_comes_back_says_nothing_false_and_nothing_is_lost(fleet: VouchingFleet) -> None:
    await answered(fleet, "a1")
    await fleet.hub.stop_serving()
    async with fleet.site(timeout_s=2.0) as one:
        await one.another_look("away", 1)
        await fleet.servers.restart("hub")
        await fleet.servers.until_linked(SITE)
        assert await fleet.told() == []
    await fleet.hub.serve()
    async with fleet.site() as again:
        await until(lambda: again.looks("unmoved") > 0, HEALED_S_MAX)
        assert await fleet.told() == []
        await fleet.hub.change(*foreign_entries(PLANT, "leave.md", [NEW], 2))
        assert [each.answer_id for each in await fleet.told_of(1)] == ["a1"]


async def test_a_shelf_that_is_behind_the_answer_tells_nothing_until_it_has_come_that_far(fleet: VouchingFleet) -> None:
    """The shelf has fallen back to when the document gave way to another; the answer was made after that was lifted."""
    hub = fleet.hub
    await hub.change(shadow_entry(PLANT, shadow(1)))
    (document,) = await hub.shelf.named(KB, PLANT, ["leave.md"])
    made_at = await hub.change(shadow_entry(PLANT, shadow(0)))
    behind = await hub.shelf.position()
    await hub.stop_shelving()
    await hub.shelf.put_documents([document])
    await hub.shelf.put_position(ShelfPosition(seq=made_at - 1, stream_created=behind.stream_created))
    await answered(fleet, "a1", hub_seq=made_at)
    async with fleet.site() as one:
        await one.keep(cloud_answer(hub_seq=made_at), CITED)
        await one.another_look("asked")
        assert await fleet.told() == []
        assert one.cache.held(KB) == 1
        assert not one.given(), "the hub does not vouch for it"
        await hub.shelf.put_documents([replace(document, shadowed=0)])
        await hub.shelf.put_position(behind)
        await until(one.given)
        assert await fleet.told() == []


async def test_a_shelf_that_is_emptied_and_filled_again_tells_nothing_false(fleet: VouchingFleet) -> None:
    hub = fleet.hub
    await answered(fleet, "a1")
    async with fleet.site() as one:
        await one.keep(cloud_answer(hub_seq=3), CITED)
        await until(one.given)
        await hub.stop_shelving()
        await hub.shelf.put_position(ShelfPosition(clearing=True))
        await one.another_look("refused")
        await hub.shelf.clear()
        await hub.shelf.put_position(ShelfPosition())
        await one.another_look("asked")
        assert one.count("foreign_documents_doubted_total", standing="unknown") > 0
        assert not one.given(), "the hub does not hold it now"
        await hub.shelve()
        await hub.shelved()
        await until(one.given)
        assert await fleet.told() == []
        await hub.change(*foreign_entries(PLANT, "leave.md", [NEW], 2))
        assert [each.answer_id for each in await fleet.told_of(1)] == ["a1"]


async def test_after_a_start_nothing_foreign_is_given_before_the_hub_was_asked_unless_it_is_away(
    fleet: VouchingFleet,
) -> None:
    async with fleet.site() as one:
        await one.keep(cloud_answer(hub_seq=3), CITED)
        await until(one.given)
    await fleet.hub.change(*foreign_entries(PLANT, "leave.md", [NEW], 2))
    async with fleet.site() as again:
        assert again.cache.held(KB) == 1

        def asked() -> bool:
            asked = again.looks("asked") + again.looks("unmoved") > 0
            assert asked or not again.given()
            return asked

        await until(asked)
        await until(lambda: again.cache.held(KB) == 0)
    async with fleet.site() as one:
        await one.keep(cloud_answer("a2", hub_seq=5), cited("leave.md", NEW, 2, PLANT))
        await until(one.given)
    await fleet.hub.stop_serving()
    async with fleet.site(timeout_s=2.0) as alone:
        assert not alone.given()
        await until(alone.given, HEALED_S_MAX)
        assert alone.looks("away") > 0


async def test_a_link_that_is_still_being_connected_is_not_taken_for_one_that_is_away(
    fleet: VouchingFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_watching, "LINK_WAIT_S", 60.0)
    async with fleet.site() as one:
        await one.keep(cloud_answer(hub_seq=3), CITED)
    async with fleet.site(linked_first=False) as again:
        await pause(0.5)
        assert not again.given()
        await again.link.start()
        await until(again.given)
        assert again.looks("away") == 0


async def test_what_this_site_s_own_log_carries_is_not_asked_and_an_unmoved_hub_is_asked_for_its_position_alone(
    fleet: VouchingFleet,
) -> None:
    await fleet.hub.change(*foreign_entries("hub", "rules.md", [OTHER], 1))
    await answered(fleet, "a1")
    await keep(fleet.bus, given("a2", cited("rules.md", OTHER, 1, "hub")), given("a3", cited("own.md", OLD, 1)))
    async with fleet.site([DocumentName(KB, "hub", "rules.md")]) as one:
        await one.another_look("unmoved", 3)
        assert one.count("foreign_documents_asked_total") == 1
        assert {(each.origin, each.document_id) for asked in fleet.hub.asked for each in asked.documents} == {
            (PLANT, "leave.md")
        }
        # An answer that came to be known while the hub did not move is asked about by itself.
        await keep(fleet.bus, given("a4", cited("rules.md", OLD, 1, "branch-9"), hub_seq=3))
        await until(lambda: one.count("foreign_documents_asked_total") == 2)


async def test_where_nothing_is_cited_of_other_places_nothing_crosses_the_link(fleet: VouchingFleet) -> None:
    await keep(fleet.bus, given("a1", cited("own.md", OLD, 1)))
    async with fleet.site() as one:
        await one.another_look("nothing", 3)
    assert fleet.hub.asked == []
