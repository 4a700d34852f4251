"""What crosses a link, both ways and at volume, and what a kick mends."""

import json
from pathlib import Path

from causeway.bus import add_source, kick_source, remove_source, source_states
from causeway.bus.sourcing import KICKED, source_config
from causeway.bus.streams import declare
from causeway.proto import streams, subjects
from causeway.topology.sources import hub_source, site_sources
from tests.support.linked_servers import linked
from tests.support.shared_chunks import share, shared_chunk, subjects_of, until_holds

COUNT = 10_000


async def test_ten_thousand_messages_of_each_side_reach_the_other(tmp_path: Path) -> None:
    async with (
        linked(tmp_path) as fleet,
        fleet.bus("a", "link") as a,
        fleet.bus("b", "link") as b,
        fleet.bus("hub") as hub,
    ):
        await share(a, "a", COUNT)
        await share(hub, "hub", COUNT)
        await until_holds(hub, COUNT)
        await until_holds(a, COUNT)
        await until_holds(b, COUNT)
        assert all(subject.startswith("site.a.outbox.k.chunk.") for subject in await subjects_of(hub))
        assert [state.lag for state in await source_states(hub, "INBOX")] == [0, 0]


async def test_the_same_message_id_of_two_sites_is_two_messages(tmp_path: Path) -> None:
    async with (
        linked(tmp_path) as fleet,
        fleet.bus("a", "link") as a,
        fleet.bus("b", "link") as b,
        fleet.bus("hub") as hub,
    ):
        for site, bus in (("a", a), ("b", b)):
            await bus.publish(subjects.OUTBOX_CHUNK.at(site, "k", "1"), shared_chunk(1), msg_id="the same")
        await until_holds(hub, 2)


async def test_declaring_again_changes_nothing_and_keeps_the_sources(tmp_path: Path) -> None:
    async with linked(tmp_path) as fleet, fleet.bus("a", "link") as a, fleet.bus("hub") as hub:
        report = await declare(hub, (streams.CANARY, streams.outbox("hub"), streams.INBOX), fresh=False, buckets=())
        assert report.created == report.updated == ()
        report = await declare(a, (streams.CANARY, streams.outbox("a"), streams.INBOX), fresh=False, buckets=())
        assert report.created == report.updated == ()
        assert len(await source_states(hub, "INBOX")) == 2
        await share(a, "a", 3)
        await until_holds(hub, 3)


async def test_a_source_that_is_removed_brings_nothing_more_and_what_came_stays(tmp_path: Path) -> None:
    async with (
        linked(tmp_path) as fleet,
        fleet.bus("a", "link") as a,
        fleet.bus("b", "link") as b,
        fleet.bus("hub") as hub,
    ):
        await share(a, "a", 3)
        await until_holds(hub, 3)
        await remove_source(hub, "INBOX", hub_source("a"))
        await share(a, "a", 3, first=3)
        await share(b, "b", 1)
        await until_holds(hub, 4)
        await add_source(hub, "INBOX", hub_source("a"))
        await until_holds(hub, 7)


async def test_an_inbox_on_a_new_disk_is_filled_again_by_a_kick(tmp_path: Path) -> None:
    async with linked(tmp_path, sites=("a",)) as fleet, fleet.bus("a", "link") as a, fleet.bus("hub") as hub:
        await share(hub, "hub", 200)
        await until_holds(a, 200)
        await a.broker.js.delete_stream("INBOX")
        await declare(a, (streams.CANARY, streams.INBOX), fresh=False, buckets=())
        for source in site_sources("a", ["k"]):
            await kick_source(a, "INBOX", source)
        await until_holds(a, 200)


async def test_a_kick_that_ended_half_way_is_finished_by_whoever_changes_the_sources_next(tmp_path: Path) -> None:
    async with (
        linked(tmp_path) as fleet,
        fleet.bus("a", "link") as a,
        fleet.bus("b", "link") as b,
        fleet.bus("hub") as hub,
    ):
        config = (await hub.broker.js.stream_info("INBOX")).config
        kept = [source for source in config.sources or [] if source.name != "OUTBOX_a"]
        noted = {KICKED: source_config_text("a")}
        await hub.broker.js.update_stream(config.evolve(sources=kept, metadata=noted))
        await share(a, "a", 2)
        await kick_source(hub, "INBOX", hub_source("b"))
        await share(b, "b", 2)
        await until_holds(hub, 4)
        assert KICKED not in ((await hub.broker.js.stream_info("INBOX")).config.metadata or {})


def source_config_text(site: str) -> str:
    return json.dumps(source_config(hub_source(site)).as_dict())


async def test_after_a_cut_of_the_link_a_kick_brings_everything_within_seconds(tmp_path: Path) -> None:
    async with linked(tmp_path, sites=("a",)) as fleet, fleet.bus("a", "link") as a, fleet.bus("hub") as hub:
        await share(a, "a", 10)
        await until_holds(hub, 10)
        fleet.cut("a")
        await fleet.until_unlinked("a", 15.0)
        await share(a, "a", 500, first=10)
        await share(hub, "hub", 500)
        fleet.heal("a")
        await fleet.until_linked("a", 10.0)
        await kick_source(hub, "INBOX", hub_source("a"))
        for source in site_sources("a", ["k"]):
            await kick_source(a, "INBOX", source)
        await until_holds(hub, 510, bound_s=10.0)
        await until_holds(a, 500, bound_s=10.0)


async def test_what_changed_a_hundred_times_during_a_cut_crosses_once(tmp_path: Path) -> None:
    async with linked(tmp_path, sites=("a",)) as fleet, fleet.bus("a", "link") as a, fleet.bus("hub") as hub:
        fleet.cut("a")
        await fleet.until_unlinked("a", 15.0)
        for number in range(100):
            await a.publish(subjects.OUTBOX_CHUNK.at("a", "k", "1"), shared_chunk(number), msg_id=f"again.{number}")
        fleet.heal("a")
        await fleet.until_linked("a", 10.0)
        await kick_source(hub, "INBOX", hub_source("a"))
        await until_holds(hub, 1)
        last = (await hub.broker.js.stream_info("INBOX")).state.last_seq
        assert last == 1, "the earlier versions did not come"


async def test_servers_that_were_killed_go_on_where_they_were(tmp_path: Path) -> None:
    async with linked(tmp_path, sites=("a",)) as fleet:
        async with fleet.bus("a", "link") as a, fleet.bus("hub") as hub:
            await share(a, "a", 50)
            await share(hub, "hub", 50)
            await until_holds(hub, 50)
            await until_holds(a, 50)
        await fleet.kill("a")
        await fleet.restart("hub")
        async with fleet.bus("hub") as hub:
            await share(hub, "hub", 50, first=50)
        await fleet.restart("a")
        async with fleet.bus("a", "link") as a, fleet.bus("hub") as hub:
            await share(a, "a", 50, first=50)
            await fleet.until_linked("a")
            await kick_source(hub, "INBOX", hub_source("a"))
            for source in site_sources("a", ["k"]):
                await kick_source(a, "INBOX", source)
            await until_holds(hub, 100)
            await until_holds(a, 100)
