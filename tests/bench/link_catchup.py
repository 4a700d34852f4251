"""Catching up after a cut: until the hub's KNOWLEDGE has all that a site wrote meanwhile, then until Milvus has."""

import time

from causeway.proto.subjects import HUB
from tests.bench.link_documents import Documents
from tests.bench.link_fleet import KEY, SITE, BenchLink
from tests.bench.link_raw import raw_seconds
from tests.bench.table import Row

PARAGRAPHS = 4
DECIDED = "causeway_sync_delta_decisions_total"
SHELVED = "causeway_sync_delta_shelf_documents_total"
DECISIONS_S = 2.0


async def link_catchup(link: BenchLink, deltas: int) -> list[Row]:
    """`deltas` are messages of the link: chunks and documents of four chunks each."""
    count = deltas // (PARAGRAPHS + 1)
    written = Documents(site=SITE, key=KEY, paragraphs=PARAGRAPHS).written(range(count))
    await link.cut()
    await link.write(written)
    await link.until_counted(SITE, DECIDED, count)
    link.wire.reset()
    healed_s = await link.heal()
    linked_s = time.monotonic() - healed_s
    await link.until_applied(written.deltas)
    applied_s = time.monotonic() - healed_s
    crossed = (link.wire.bytes_up + link.wire.bytes_down) / 1e6
    raw_s, raw_linked_s = await raw_seconds(link, 0, written.deltas)
    shelved_s = await _shelve(link, count)
    came = f"raw sourcing of the same messages, kicked at once: {written.deltas / raw_s:.0f}/s"
    return [
        Row(
            name=f"{written.deltas} deltas after a cut, cure to the hub's KNOWLEDGE",
            value=applied_s,
            unit="s",
            floor=raw_s,
            floor_name=came,
            why=f"{written.deltas / applied_s:.0f} deltas/s, {crossed:.1f} MB on the wire",
        ),
        Row(
            name=f"{written.deltas} deltas after a cut, link-up to the hub's KNOWLEDGE",
            value=applied_s - linked_s,
            unit="s",
            floor=raw_s - raw_linked_s,
            floor_name="the same from its link-up",
        ),
        Row(
            name=f"{written.deltas} deltas from the hub's KNOWLEDGE into an empty Milvus",
            value=shelved_s,
            unit="s",
            floor=raw_s - raw_linked_s,
            floor_name="raw sourcing of the same messages from its link-up",
        ),
    ]


async def _shelve(link: BenchLink, documents: int) -> float:
    """Seconds for all, by the share that was written after the process had started."""
    await link.add_milvus()
    began_s, before = time.monotonic(), await link.metric(HUB, SHELVED)
    await link.until_counted(HUB, SHELVED, documents)
    return (time.monotonic() - began_s) * documents / max(1.0, documents - before)
