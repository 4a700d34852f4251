"""While the link is down a site goes on; afterwards only what is still true crosses, and soon."""

from pathlib import Path

from causeway.bus import Bus, source_states
from causeway.proto import subjects
from tests.support.linked_servers import linked
from tests.support.sync_delta_places import running
from tests.support.waiting import until_async


async def test_ten_edits_while_the_link_is_cut_carry_the_last_state_only(tmp_path: Path) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path) as site,
    ):
        await hub.until_revision("a", "d", await site.write("d", ["same", "edit 0"]))
        await site.until_quiet()
        before = (await hub.app.broker.js.stream_info("INBOX")).state.last_seq
        fleet.cut("a")
        last = 0
        for edit in range(1, 11):
            last = await site.write("d", ["same", f"edit {edit}"])

        async def decided() -> bool:
            shared = await site.sync.state.read(lambda tables: tables.outbox.items("k"))
            seq = site.sync.knowledge_following.lag
            return (
                bool(shared)
                and seq == 0
                and not await site.sync.state.read(lambda tables: tables.outbox.queued_counts())
            )

        await until_async(decided)
        fleet.heal("a")
        await hub.until_revision("a", "d", last)
        assert await hub.texts("a", "d") == ["same", "edit 10"]
        await site.until_quiet()
        after = (await hub.app.broker.js.stream_info("INBOX")).state.last_seq
        assert after - before == 2, "one chunk and one document"


async def test_a_source_that_the_server_left_asleep_is_kicked_when_the_link_is_back(tmp_path: Path) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path) as site,
    ):
        await hub.until_revision("a", "up", await site.write("up", ["1"]))
        await site.until_revision("hub", "down", await hub.write("down", ["1"]))
        fleet.cut("a")
        await fleet.until_unlinked("a")
        await until_async(lambda: _silent(hub.sync.kicking.bus, 3.5), 20)
        up, down = await site.write("up", ["2"]), await hub.write("down", ["2"])
        fleet.heal("a")
        await fleet.until_linked("a")
        await hub.until_revision("a", "up", up, bound_s=15)
        await site.until_revision("hub", "down", down, bound_s=25)
        assert subjects.HUB in site.sync.peers.known


async def _silent(bus: Bus, for_s: float) -> bool:
    states = await source_states(bus, "INBOX")
    return all(state.heard_s < 0 or state.heard_s > for_s for state in states)
