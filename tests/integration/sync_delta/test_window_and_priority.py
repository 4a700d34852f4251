"""On a link that does not keep up, little is on the way, and an edit does not wait behind an import."""

import random
from pathlib import Path

from causeway.proto import streams, subjects
from causeway.sync_delta import window
from causeway.sync_delta.service import Limits
from tests.support.linked_servers import linked
from tests.support.sync_delta_places import running
from tests.support.waiting import until_async

KIB = 1024
POLICY = window.Policy(interactive_chunks_max=2, floor_bytes=64 * KIB, ceiling_bytes=64 * KIB, bulk_wait_s=600)
LIMITS = Limits(policy=POLICY, report_every_s=0.3, upkeep_every_s=0.5)
BULK = 40


async def test_a_small_document_overtakes_a_load_and_the_window_bounds_what_is_on_the_way(tmp_path: Path) -> None:
    chance = random.Random(7)
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path, LIMITS) as site,
    ):
        await hub.until_revision("a", "first", await site.write("first", ["first"]))
        await site.until_quiet()
        fleet.cut("a")
        for number in range(BULK):
            await site.write(f"bulk{number}", [chance.randbytes(1_500).hex() for _ in range(4)])

        async def stalled() -> bool:
            counts = await site.sync.state.read(lambda tables: tables.outbox.queued_counts())
            return site.sync.knowledge_following.lag == 0 and sum(counts.values()) > BULK // 2

        await until_async(stalled)
        flight = await site.sync.state.read(lambda tables: site.sync.flow.flight(tables.outbox))
        assert 0 < flight.bytes <= 128 * KIB, "a batch was begun within the window"
        small = await site.write("small", ["an edit that somebody waits for"])

        async def small_waits() -> bool:
            heads = await site.sync.state.read(
                lambda tables: tables.outbox.heads(window.Class.INTERACTIVE, 2**62, BULK)
            )
            return "small" in {each.decided.manifest.document_id for each in heads}

        # The link is back within a second, and the load then goes on as fast as it is read.
        await until_async(small_waits)
        fleet.heal("a")
        await hub.until_revision("a", "small", small, bound_s=60)
        await site.until_quiet(60)
        # The order in which they left: the hub applies the documents of a batch side by side.
        order = [
            each.message.manifest.document_id  # type: ignore[attr-defined]
            async for each in site.link.scan(streams.outbox("a").name, [subjects.OUTBOX_DOCUMENT.at("a")])
        ]
        assert len(order) == BULK + 2
        assert order.index("small") < BULK // 2


async def test_the_window_opens_as_the_hub_applies_and_everything_arrives(tmp_path: Path) -> None:
    chance = random.Random(8)
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path, LIMITS) as site,
    ):
        for number in range(BULK):
            await site.write(f"bulk{number}", [chance.randbytes(1_500).hex() for _ in range(4)])
        for number in range(BULK):
            await hub.until_revision("a", f"bulk{number}", 1, bound_s=60)
        assert site.sync.flow.rate.bytes_per_s > 0
