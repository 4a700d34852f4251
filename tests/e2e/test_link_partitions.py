"""The link between two network namespaces: slow, lossy, and cut without a word. Docs: tests/support/WIDE_LINK.md."""

import asyncio
import random
import time
from functools import partial
from pathlib import Path

import pytest

from causeway.bus import Bus, kick_source
from causeway.proto.answers import Search, SearchResult
from causeway.proto.documents import Residency
from causeway.proto.link import LinkStatus, LinkStatusAsked
from causeway.proto.outbox import DocumentShared
from causeway.proto.streams import INBOX, outbox
from causeway.proto.subjects import HUB, LINK_STATUS, OUTBOX_CHUNK, OUTBOX_DOCUMENT, SEARCH
from causeway.sync_delta.encoding import encode
from causeway.topology.sources import hub_source
from tests.faults.checking import read_hub
from tests.support.line import Conditions
from tests.support.packets import seen
from tests.support.places_apart import ATTEMPT_S, BOUND_S, SITE, Apart, apart, cut, replica_at, servers_apart
from tests.support.sync_delta_places import PlaceLog, embedded
from tests.support.waiting import pause, until_async

PARTITION_S = 10.0
LOADS = 120
LOAD_S = 150.0
FAR = Conditions(delay_s=0.05, jitter_s=0.01, loss=0.01)
NARROW = Conditions(delay_s=0.05, jitter_s=0.005, loss=0.03, bits_per_s=1_000_000)


def unlike(name: str, number: int) -> str:
    """A text of which no compression leaves less than half."""
    return random.Random(f"{name} {number}").randbytes(300).hex()


async def all_at(place: PlaceLog, origin: PlaceLog) -> None:
    """Return once a place holds the last revision of everything that was written at the other."""
    for name, revision in origin.revisions.items():
        await place.until_revision(origin.name, name, revision, bound_s=BOUND_S)


@pytest.mark.timeout(400)
async def test_what_both_sides_write_while_apart_is_equal_on_both_sides_afterwards(tmp_path: Path) -> None:
    async with apart(tmp_path, FAR) as both:
        cut_s = await both.cut()
        noticed_s = time.monotonic() - cut_s
        for number in range(30):
            await both.site.write(f"s{number % 20}", [f"Of the site, {number}.", unlike("s", number)])
            await both.hub.write(f"h{number % 20}", [f"Of the hub, {number}.", unlike("h", number)])
        await pause(max(0.0, PARTITION_S - (time.monotonic() - cut_s)))
        assert await both.hub.revised(SITE, "s0") is None
        assert await both.site.revised(HUB, "h0") is None

        healed_s = await both.heal()
        took_s = {}
        await both.fleet.until_linked(SITE)
        took_s["linked"] = time.monotonic() - healed_s
        await all_at(both.hub, both.site)
        took_s["all at the hub"] = time.monotonic() - healed_s
        await all_at(both.site, both.hub)
        took_s["all at the site"] = time.monotonic() - healed_s
        found = await both.until_equal()
        took_s["digests equal"] = time.monotonic() - healed_s
        assert found.documents == len(both.site.revisions)
        for name in both.hub.revisions:
            assert await both.site.texts(HUB, name) == await both.hub.texts(HUB, name)
        told = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in took_s.items())
        print(f"\nnoticed {noticed_s:.1f} s after the cut; after the cure: {told}")


@pytest.mark.timeout(400)
async def test_an_edit_overtakes_a_load_on_a_slow_and_lossy_link(tmp_path: Path) -> None:
    async with apart(tmp_path, NARROW) as both:
        began_s, before = time.monotonic(), both.link.carried(both.link.hub).arrived
        # On their way for a quarter of a minute: a process that stands still for some seconds writes the edit in time.
        loads = {f"load{number}": [unlike(f"load{number}", part) for part in range(20)] for number in range(LOADS)}
        await asyncio.gather(*(both.site.write(name, texts) for name, texts in loads.items()))
        # The line is full from here on.
        await until_async(lambda: has_loads(both, 3), BOUND_S)
        edited_s = time.monotonic()
        edit = await both.site.write("first", ["It is edited."])
        await both.hub.until_revision(SITE, "first", edit, bound_s=BOUND_S)
        edit_s = time.monotonic() - edited_s

        found = await both.until_equal()
        seconds, crossed = time.monotonic() - began_s, both.link.carried(both.link.hub).arrived - before
        assert found.documents == len(loads) + 1
        left = await left_the_site(both)
        before_it = len(set(left[left.index(("first", edit)) + 1 :]))
        assert before_it, "the edit left after the load"
        for name, texts in loads.items():
            assert await both.hub.texts(SITE, name) == texts
        assert await both.hub.texts(SITE, "first") == ["It is edited."]
        print(
            f"\nthe edit took {edit_s:.1f} s and left before {before_it} of {len(loads)} of the load; "
            f"all in {seconds:.1f} s, {crossed / 1000:.0f} kB, {crossed * 8 / seconds / 1e6:.2f} Mbit/s"
        )


async def has_loads(both: Apart, count: int) -> bool:
    held = await read_hub(both.hub.app, SITE)
    return sum(name.startswith("load") for name in held.manifests) >= count


async def left_the_site(both: Apart) -> list[tuple[str, int]]:
    """Its documents and their revisions as they left, one by one: the hub applies those of a batch side by side."""
    subject, found = OUTBOX_DOCUMENT.at(SITE), list[tuple[str, int]]()
    async for delivery in both.site.link.scan(outbox(SITE).name, [subject]):
        assert isinstance(delivery.message, DocumentShared)
        found.append((delivery.message.manifest.document_id, delivery.message.manifest.revision))
    return found


@pytest.mark.timeout(400)
async def test_a_site_that_is_cut_off_takes_and_answers_as_before(tmp_path: Path) -> None:
    async with apart(tmp_path, FAR) as both, replica_at(both.fleet, SITE, tmp_path / "replica"):
        before_s = await new_is_found(both, "before")
        cut_s = await both.cut()
        during_s = [await new_is_found(both, f"during{number}") for number in range(20)]
        await pause(max(0.0, PARTITION_S / 2 - (time.monotonic() - cut_s)))
        during_s.append(await new_is_found(both, "late"))
        await until_async(partial(says_that_it_is_cut, both), BOUND_S)
        print(f"\nwritten and found: {before_s:.2f} s before the cut, at most {max(during_s):.2f} s during it")


async def says_that_it_is_cut(both: Apart) -> bool:
    status = await both.site.app.request(LINK_STATUS.at(SITE), LinkStatusAsked(), LinkStatus, timeout_s=ATTEMPT_S)
    return [peer.connected for peer in status.peers if peer.origin == SITE] == [False]


async def new_is_found(both: Apart, name: str) -> float:
    """Write a document at the site and search until it is found. Returns how long that took."""
    began_s = time.monotonic()
    await both.site.write(name, [f"The word of this one is {name}."])

    async def is_found() -> bool:
        asked = Search(kb="k", question=f"The word of this one is {name}.")
        found = await both.site.app.request(SEARCH.at(SITE, "k"), asked, SearchResult, timeout_s=ATTEMPT_S)
        return bool(found.passages) and found.passages[0].document_id == name

    await until_async(is_found, BOUND_S)
    return time.monotonic() - began_s


@pytest.mark.timeout(400)
async def test_a_restricted_document_is_in_no_packet(tmp_path: Path) -> None:
    async with apart(tmp_path, Conditions(), compression="off", keep=True) as both:
        shown, hidden = "kMarkerThatMaySeeTheWorld", "kMarkerThatStaysWhereItIs"
        for residency in (Residency.RESTRICTED, Residency.INTERNAL):
            await both.site.write(f"{hidden}-{residency}", [hidden, f"{hidden} {residency}"], residency=residency)
        await both.site.write("raised", [shown])
        await both.site.write("raised", [shown, hidden], residency=Residency.RESTRICTED)
        revision = await both.site.write(f"{shown}-last", [f"{shown} in a text"])
        await both.hub.until_revision(SITE, f"{shown}-last", revision)
        await both.until_equal()
        said = seen(both.link.capture_path).text()
        # The control: what crosses can be read in the packets.
        assert f"{shown} in a text".encode() in said
        assert f"{shown}-last".encode() in said
        assert hidden.encode() not in said
        assert hidden.encode() not in both.link.capture_path.read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kicked", [False, True])
async def test_a_source_resumes_after_a_partition_and_sooner_with_a_kick(tmp_path: Path, kicked: bool) -> None:
    async with servers_apart(tmp_path, FAR) as (link, fleet), fleet.bus(SITE, "link") as site, fleet.bus(HUB) as hub:
        for turn in range(3):
            cut_s = await cut(link, fleet)
            for number in range(100 * turn + 1, 100 * turn + 101):
                chunk = encode(embedded("k", number.to_bytes(16), unlike("chunk", number)), number)
                await site.publish(OUTBOX_CHUNK.at(SITE, "k", str(number)), chunk, msg_id=str(number))
            await pause(max(0.0, PARTITION_S - (time.monotonic() - cut_s)))
            await asyncio.to_thread(link.heal)
            healed_s = time.monotonic()
            await fleet.until_linked(SITE)
            linked_s = time.monotonic() - healed_s
            if kicked:
                await kick_source(hub, INBOX.name, hub_source(SITE))
            await until_async(partial(holds, hub, 100 * (turn + 1)), BOUND_S)
            how = "with a kick" if kicked else "by itself"
            print(
                f"\nlinked {linked_s:.1f} s after the cure, all there after {time.monotonic() - healed_s:.1f} s {how}"
            )


async def holds(hub: Bus, messages: int) -> bool:
    return await hub.count(INBOX.name) >= messages


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("origin", [SITE, HUB])
async def test_a_load_with_the_settings_as_shipped_leaves_a_slow_link_connected(tmp_path: Path, origin: str) -> None:
    async with apart(tmp_path, NARROW, keep=True) as both:
        source, target = (both.site, both.hub) if origin == SITE else (both.hub, both.site)
        sender = both.link.site if origin == SITE else both.link.hub
        began_s, before = time.monotonic(), seen(both.link.capture_path, sender.line_host)
        shared_before = await both.shared_bytes(origin)
        loads = {f"load{number}": [unlike(f"load{number}", part) for part in range(20)] for number in range(200)}
        await asyncio.gather(*(source.write(name, texts) for name, texts in loads.items()))
        await target.until_revision(origin, "load0", 1, bound_s=BOUND_S)
        edited_s = time.monotonic()
        await target.until_revision(origin, "edit", await source.write("edit", ["It is short."]), bound_s=LOAD_S)
        edit_s = time.monotonic() - edited_s
        await all_at(target, source)
        seconds, after = time.monotonic() - began_s, seen(both.link.capture_path, sender.line_host)
        shared = await both.shared_bytes(origin) - shared_before
        crossed, headers = after.whole_bytes - before.whole_bytes, after.header_bytes - before.header_bytes
        repeated = after.repeated_bytes - before.repeated_bytes
        connections = both.fleet.places[HUB].log.count("Leafnode connection created")
        print(
            f"\nfrom {origin}: the edit took {edit_s:.1f} s, all {seconds:.1f} s with {connections} connections; "
            f"{crossed / 1e6:.2f} MB of packets for {shared / 1e6:.2f} MB shared, "
            f"{crossed * 8 / seconds / 1e6:.2f} Mbit/s; "
            f"{headers / crossed:.1%} TCP/IP headers, {repeated / crossed:.1%} sent again by TCP"
        )
        assert connections == 1
