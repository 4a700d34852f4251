"""What comes over the link and is not what it should be: a dead letter, or a wait that holds up nobody."""

from pathlib import Path

import msgspec

from causeway.proto import subjects
from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import Stamp
from causeway.proto.outbox import ChunkShared, DocumentShared, Run
from tests.support.linked_servers import linked
from tests.support.sync_delta_places import RunningPlace, running
from tests.support.waiting import until_async

KEY = bytes(16)


def shared(runs: list[Run], origin: str = "a", kb: str = "k") -> DocumentShared:
    manifest = Manifest(kb=kb, document_id="odd", document_key=KEY, revision=5)
    return DocumentShared(manifest=manifest, runs=runs, stamp=Stamp(wall_ms=1, counter=0, origin=origin))


async def dead(place: RunningPlace) -> list[str]:
    return [entry.letter.reason async for entry in place.app.dead_letters.entries()]


async def until_dead(place: RunningPlace, count: int) -> list[str]:
    async def there() -> bool:
        return len(await dead(place)) == count

    await until_async(there)
    return await dead(place)


async def test_messages_that_can_not_be_right_are_dead_letters_and_the_next_document_comes(tmp_path: Path) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path) as site,
    ):
        subject = subjects.OUTBOX_DOCUMENT.at("a", "k", KEY.hex())
        await site.link.client.publish(subject, b"not msgpack", headers={"Nats-Msg-Id": "1"})
        await until_dead(hub, 1)
        chunk = ChunkShared(
            kb="k", number=3, chunk_id=KEY, model="m", language="en", context="", text=b"x", scale=0.0, vector_i8=b""
        )
        await site.link.publish(subjects.OUTBOX_CHUNK.at("a", "k", "3"), chunk, msg_id="2")
        await site.link.publish(subjects.OUTBOX_CHUNK.at("a", "k", "4"), chunk, msg_id="3")
        await site.link.publish(subject, shared([], origin="b"), msg_id="4")
        await until_dead(hub, 4)
        await site.link.publish(subject, shared([Run(start=1, count=2**40)]), msg_id="5")
        reasons = await until_dead(hub, 5)
        assert all(reasons)
        await hub.until_revision("a", "good", await site.write("good", ["text"]))
        assert await hub.texts("a", "good") == ["text"]


async def test_a_document_whose_chunk_is_missing_waits_is_reported_and_stands_when_the_chunk_comes(
    tmp_path: Path,
) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path) as site,
    ):
        await hub.until_revision("a", "good", await site.write("good", ["text"]))
        stored = [each async for each in site.link.scan("OUTBOX_a", [subjects.OUTBOX_CHUNK.at("a")])]
        sample = stored[0].message
        assert isinstance(sample, ChunkShared)
        await site.link.publish(
            subjects.OUTBOX_DOCUMENT.at("a", "k", KEY.hex()), shared([Run(start=9, count=1)]), msg_id="early"
        )

        async def waits() -> bool:
            return await hub.sync.state.read(lambda tables: tables.inbox.waiting_count()) == 1

        await until_async(waits)
        other = await site.write("other", ["meanwhile"])
        await hub.until_revision("a", "other", other)
        late = msgspec.structs.replace(sample, number=9, chunk_id=bytes(15) + b"9")
        await site.link.publish(subjects.OUTBOX_CHUNK.at("a", "k", "9"), late, msg_id="late")

        async def stands() -> bool:
            subject = subjects.KNOWLEDGE_DOCUMENT.at("a", "k", KEY.hex())
            return await hub.app.last("KNOWLEDGE", subject) is not None

        await until_async(stands)

        async def waits_no_more() -> bool:
            return await hub.sync.state.read(lambda tables: tables.inbox.waiting_count()) == 0

        await until_async(waits_no_more)
