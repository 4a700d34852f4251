"""From the cure of a cut until both sides have compared what they hold and found it equal."""

import time

from tests.bench.link_documents import Documents
from tests.bench.link_fleet import BenchLink
from tests.bench.link_raw import raw_seconds
from tests.bench.table import Row


async def link_heal(link: BenchLink, documents: Documents, edits: int, count: int, revision: int = 3) -> list[Row]:
    """`edits` of the `count` documents that are there are edited while the link is cut."""
    before = await link.outbox_seq()
    edit = documents.written(range(edits), revision)
    await link.cut()
    await link.write(edit)
    healed_s = await link.heal()
    linked_s = time.monotonic() - healed_s
    found = await link.until_equal()
    equal_s = time.monotonic() - healed_s
    assert found.documents == count, found
    compared = (found.bytes_sent + found.bytes_received) / 1_000
    came = f"raw sourcing of the same {edit.deltas} messages after a cut, kicked at once"
    raw_s, raw_linked_s = await raw_seconds(link, before, edit.deltas)
    name = f"{edits} edits while cut, {count} documents"
    return [
        Row(name=f"{name}: cure to equal digests", value=equal_s, unit="s", floor=raw_s, floor_name=came),
        Row(
            name=f"{name}: link-up to equal digests",
            value=equal_s - linked_s,
            unit="s",
            floor=raw_s - raw_linked_s,
            floor_name=f"the same from its link-up; comparing took {found.rounds} rounds and {compared:.1f} kB",
        ),
    ]
