"""A delete crosses as a tombstone, and the tombstone leaves when the hub has applied it for long enough."""

from pathlib import Path

from causeway.proto import subjects
from causeway.sync_delta import tombstones
from causeway.sync_delta.service import Limits
from tests.support.linked_servers import linked
from tests.support.sync_delta_places import running
from tests.support.waiting import until_async

SOON = Limits(expiry=tombstones.Limits(age_min_s=0, age_max_s=10_000), report_every_s=0.3, upkeep_every_s=0.3)


async def test_a_tombstone_is_applied_and_then_leaves_outbox_and_inbox(tmp_path: Path) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        running(fleet, "hub", tmp_path, SOON) as hub,
        running(fleet, "a", tmp_path, SOON) as site,
    ):
        await hub.until_revision("a", "d", await site.write("d", ["one", "two"]))
        kept = await site.write("kept", ["three"])
        await hub.until_revision("a", "kept", kept)
        revised = await hub.until_revision("a", "d", await site.write("d", [], deleted=True))
        assert revised.manifest.deleted

        async def only_the_other_is_left() -> bool:
            out = [each.subject async for each in site.link.scan("OUTBOX_a", ["site.a.outbox.>"])]
            came = [each.subject async for each in hub.app.scan("INBOX", ["site.a.outbox.>"])]
            return len(out) == 2 and len(came) == 2

        await until_async(only_the_other_is_left)
        assert await hub.texts("a", "kept") == ["three"]
        assert (await hub.revised("a", "d")).manifest.deleted  # type: ignore[union-attr]
        again = await site.write("d", ["one", "again"])
        await hub.until_revision("a", "d", again)
        assert await hub.texts("a", "d") == ["one", "again"]


async def test_a_tombstone_that_the_hub_has_not_applied_stays(tmp_path: Path) -> None:
    async with linked(tmp_path / "fleet", sites=("a",)) as fleet, running(fleet, "a", tmp_path, SOON) as site:
        await site.write("d", ["one"])

        async def shared() -> bool:
            return bool(await site.sync.state.read(lambda tables: tables.outbox.items("k")))

        await until_async(shared)
        await site.write("d", [], deleted=True)

        async def buried() -> bool:
            return not await site.sync.state.read(lambda tables: tables.outbox.items("k"))

        await until_async(buried)
        assert await site.sync.upkeep.expire() == 0
        left = [each.subject async for each in site.link.scan("OUTBOX_a", [subjects.OUTBOX_DOCUMENT.at("a")])]
        assert len(left) == 1
