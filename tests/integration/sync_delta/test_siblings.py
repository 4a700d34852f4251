"""The same id written at two places: superseded when one knew of the other, siblings when neither did."""

from pathlib import Path

from causeway.proto import subjects
from causeway.proto.link import LinkStatus, LinkStatusAsked
from tests.support.linked_servers import linked
from tests.support.sync_delta_places import RunningPlace, running
from tests.support.waiting import until_async


async def status(place: RunningPlace) -> LinkStatus:
    return await place.app.request(subjects.LINK_STATUS.at(place.name), LinkStatusAsked(), LinkStatus, 5)


async def test_the_same_id_written_at_two_places_while_cut_off_is_a_sibling_named_and_reported_at_both(
    tmp_path: Path,
) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path) as site,
    ):
        fleet.cut("a")
        at_site = await site.write("report.md", ["the site's"])
        at_hub = await hub.write("report.md", ["the hub's, later"])
        fleet.heal("a")
        await hub.until_revision("a", "report.md", at_site)
        await site.until_revision("hub", "report.md", at_hub)
        for place in (hub, site):

            async def shaded(place: RunningPlace = place) -> bool:
                return await place.shadow("a", "report.md") is not None

            await until_async(shaded)
            shadow = await place.shadow("a", "report.md")
            assert shadow is not None
            assert (shadow.winner, shadow.concurrent, shadow.revision) == ("hub", True, at_site)
            assert await place.shadow("hub", "report.md") is None
            assert (await status(place)).siblings == ["k/report.md~a"]
            assert await place.texts("a", "report.md") == ["the site's"], "the loser is kept"


async def test_an_edit_that_had_seen_the_other_place_replaces_it_and_makes_no_sibling(tmp_path: Path) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path) as site,
    ):
        await site.until_revision("hub", "d", await hub.write("d", ["the hub's"]))

        async def seen() -> bool:
            return site.sync.knowledge_following.lag == 0 and bool(site.sync.incoming.applied_seqs.get("hub"))

        await until_async(seen)
        revision = await site.write("d", ["the site's, knowing the hub's"])
        await hub.until_revision("a", "d", revision)

        async def shaded() -> bool:
            return await hub.shadow("hub", "d") is not None and await site.shadow("hub", "d") is not None

        await until_async(shaded)
        shadow = await hub.shadow("hub", "d")
        assert shadow is not None
        assert (shadow.winner, shadow.concurrent) == ("a", False)
        assert (await status(hub)).siblings == []
        assert (await status(site)).siblings == []
