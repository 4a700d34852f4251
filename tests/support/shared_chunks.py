"""Messages that cross a link, for tests that count them."""

from causeway.bus import Bus
from causeway.proto import subjects
from causeway.proto.outbox import ChunkShared
from tests.support.waiting import until_async


def shared_chunk(number: int, kb: str = "k", text: bytes = b"text" * 100) -> ChunkShared:
    """A small chunk, whose vector is nought."""
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


async def share(
    bus: Bus, place: str, count: int, *, kb: str = "k", first: int = 0, text: bytes = b"text" * 100
) -> None:
    """Put chunks into the outbox of a place, each once."""
    entries = [
        (subjects.OUTBOX_CHUNK.at(place, kb, str(number)), shared_chunk(number, kb, text), f"{place}.{kb}.{number}")
        for number in range(first, first + count)
    ]
    await bus.publish_many(entries)


async def held(bus: Bus, stream: str = "INBOX") -> int:
    """How many messages the stream holds."""
    return int((await bus.broker.js.stream_info(stream)).state.messages)


async def until_holds(bus: Bus, count: int, stream: str = "INBOX", bound_s: float = 30.0) -> None:
    """Return once the stream holds exactly so many messages."""

    async def holds() -> bool:
        return await held(bus, stream) == count

    await until_async(holds, bound_s)


async def subjects_of(bus: Bus, stream: str = "INBOX") -> set[str]:
    """The subjects of what the stream holds."""
    info = await bus.broker.js.stream_info(stream, subjects_filter=">")
    return set(info.state.subjects or {})
