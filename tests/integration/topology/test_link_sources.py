"""What crosses a link, both ways and at volume, from the rendered configurations alone."""

from pathlib import Path

from causeway.bus import Bus
from causeway.proto import streams, subjects
from causeway.proto.outbox import ChunkShared
from tests.support.linked_servers import LinkedServers, linked
from tests.support.waiting import until_async

COUNT = 10_000


def chunk(number: int, kb: str = "k", text: bytes = b"text" * 100) -> ChunkShared:
    """A small chunk."""
    return ChunkShared(
        kb=kb,
        number=number,
        chunk_id=number.to_bytes(16, "big"),
        model="m",
        language="en",
        context="",
        text=text,
        scale=1.0,
        vector_i8=bytes(384),
    )


async def share(bus: Bus, place: str, count: int, kb: str = "k") -> None:
    entries = [
        (subjects.OUTBOX_CHUNK.at(place, kb, str(number)), chunk(number, kb), f"{place}.{kb}.{number}")
        for number in range(count)
    ]
    await bus.publish_many(entries)


async def until_holds(bus: Bus, stream: str, count: int, bound_s: float = 30.0) -> None:
    async def holds() -> bool:
        return (await bus.broker.js.stream_info(stream)).state.messages == count

    await until_async(holds, bound_s)


async def test_ten_thousand_messages_of_each_side_reach_the_other(tmp_path: Path) -> None:
    async with linked(tmp_path) as fleet:
        async with fleet.bus("a", "link") as a, fleet.bus("b", "link") as b, fleet.bus("hub") as hub:
            await share(a, "a", COUNT)
            await share(hub, "hub", COUNT)
            await until_holds(hub, streams.INBOX.name, COUNT)
            await until_holds(a, streams.INBOX.name, COUNT)
            await until_holds(b, streams.INBOX.name, COUNT)
