"""Bytes on the link for an edit of one document in a hundred, against a full resync and the changed text alone."""

from dataclasses import dataclass

from causeway.proto.outbox import ChunkShared
from tests.bench.link_documents import Documents, Encoding, Written
from tests.bench.link_fleet import OUTBOX, BenchLink, Crossed
from tests.bench.table import Row
from tests.support.waiting import pause

EDIT_S = 5.0
KB_BYTES = 1_000


@dataclass(frozen=True, kw_only=True)
class Bytes:
    """What crossed for all documents, for the edit, and in the same time for nothing."""

    documents: int
    edited: int
    whole: Written
    edit: Written
    resync: Crossed
    changed: Crossed
    idle: Crossed
    text_share: float

    def rows(self, how: str) -> list[Row]:
        """In kB, both directions, as the wire carried them."""
        idle_per_s = self.idle.bytes / self.idle.seconds
        edited = f"edit of {self.edited} of {self.documents} documents, {how}"
        return [
            Row(
                name=edited,
                value=self.changed.bytes / KB_BYTES,
                unit="kB",
                floor=self.edit.text_bytes / KB_BYTES,
                floor_name=f"the changed text alone, UTF-8 (zstd makes it {self.text_share:.2f} of that)",
            ),
            Row(
                name=f"full resync of {self.documents} documents, {how}",
                value=self.resync.bytes / KB_BYTES,
                unit="kB",
                floor=self.changed.bytes / KB_BYTES,
                floor_name=f"the edit; the records in KNOWLEDGE are {self.whole.knowledge_bytes / KB_BYTES:.0f} kB",
            ),
            Row(
                name=f"an idle link for the {self.idle.seconds:.0f} s of the edit, {how}",
                value=self.idle.bytes / KB_BYTES,
                unit="kB",
                floor=self.changed.bytes / KB_BYTES,
                floor_name=f"the edit, which includes as much; {idle_per_s:.0f} B/s",
            ),
        ]


async def link_bytes(
    link: BenchLink, documents: Documents, count: int, revision: int = 2, encoding: Encoding | None = None
) -> Bytes:
    """Load, be idle, edit one in a hundred. Nothing is subtracted from what was counted."""
    whole = documents.written(range(count))
    edit = documents.written(range(0, count, 100), revision, encoding)

    async def load() -> None:
        await link.write(whole)
        await link.until_applied(whole.deltas)

    async def change() -> None:
        await link.write(edit)
        await link.until_applied(whole.deltas + edit.deltas)

    resync = await link.crossing(load())
    changed = await link.crossing(change(), EDIT_S)
    idle = await link.crossing(pause(changed.seconds))
    return Bytes(
        documents=count,
        edited=len(edit.documents),
        whole=whole,
        edit=edit,
        resync=resync,
        changed=changed,
        idle=idle,
        text_share=await _text_share(link, edit),
    )


async def _text_share(link: BenchLink, edit: Written) -> float:
    """Bytes of the changed texts in the outbox against those of the texts."""
    chunks = ["site.*.outbox.*.chunk.*"]
    sizes = [
        len(delivery.message.text)
        async for delivery in link.link.scan(OUTBOX, chunks)
        if isinstance(delivery.message, ChunkShared)
    ]
    newest = sizes[-len(edit.chunks) :]
    return sum(newest) / edit.text_bytes
