"""Public documents arrive at the other side whole, what stays stays, and both sides hold the same."""

from pathlib import Path

from tests.support.linked_servers import linked
from tests.support.sync_delta_places import running


async def test_a_public_document_of_a_site_arrives_at_the_hub_and_one_of_the_hub_at_the_site(tmp_path: Path) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path) as site,
    ):
        up = await site.write("up.md", ["one", "two", "three"])
        down = await hub.write("down.md", ["eins", "zwei"])
        revised = await hub.until_revision("a", "up.md", up)
        assert revised.stamp is not None
        assert await hub.texts("a", "up.md") == ["one", "two", "three"]
        await site.until_revision("hub", "down.md", down)
        assert await site.texts("hub", "down.md") == ["eins", "zwei"]
        await site.until_quiet()
        here = await site.sync.state.read(lambda tables: tables.outbox.items("k"))
        there = await hub.sync.state.read(lambda tables: tables.inbox.items("a", "k"))
        assert here == there
        assert len(here) == 1
