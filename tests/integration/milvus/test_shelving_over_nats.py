"""KNOWLEDGE on a real nats-server into a shelf in memory: what is written, deleted, hidden, and tried again."""

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator, Sequence
from functools import partial

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from causeway.bus import Bus, BusSettings
from causeway.bus.streams import declare
from causeway.milvus.errors import ShelfRefused, ShelfUnavailable
from causeway.milvus.values import FORM, ShelfPosition, ShelvedChunk, ShelvedDocument
from causeway.proto import subjects
from causeway.proto.documents import Residency
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised, DocumentShadowed, Stamp
from causeway.sync_delta.shelving import Name, Shelving
from tests.support import knowledge_log
from tests.support.knowledge_builders import KB, chunk_id, document_key, unit_vector
from tests.support.knowledge_log import Entry, chunk_entry, publish
from tests.support.memory_shelf import MemoryShelf
from tests.support.nats_server import NatsServer, nats_server
from tests.support.shelved import digests_of_log, digests_of_shelf, shelving
from tests.support.waiting import until, until_async

__all__ = ["nats_server"]
SITE = "branch-1"
document_entries = partial(knowledge_log.document_entries, residency=Residency.PUBLIC)
manifest_entry = partial(knowledge_log.manifest_entry, residency=Residency.PUBLIC)
_serial = itertools.count()


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with Bus(BusSettings(url=nats_server.url, site="hub", service="test")) as bus:
        await declare(bus, fresh=True)
        yield bus


@pytest.fixture
def shelf() -> MemoryShelf:
    return MemoryShelf()


@pytest.fixture
async def follower(bus: Bus, shelf: MemoryShelf) -> AsyncIterator[Shelving]:
    async with shelving(bus, shelf) as running:
        yield running


async def applied(bus: Bus, shelf: MemoryShelf) -> None:
    """Return once the shelf is where the log is."""

    async def there() -> bool:
        return not shelf.away and (await shelf.position()).seq >= await bus.last_seq("KNOWLEDGE")

    await until_async(there)


async def texts(shelf: MemoryShelf, document_id: str, *, live: bool | None = None) -> set[str]:
    """The texts of a document's rows."""
    rows = await shelf.chunks([document_key(document_id)])
    return {row.text for row in rows if live in (None, row.live)}


def shadow_entry(document_id: str, revision: int, origin: str = SITE) -> Entry:
    """A document that gives way up to a revision."""
    key = document_key(document_id)
    message = DocumentShadowed(
        kb=KB,
        document_id=document_id,
        document_key=key,
        revision=revision,
        winner="hub",
        winner_revision=1,
        concurrent=True,
    )
    return subjects.KNOWLEDGE_SHADOW.at(origin, KB, key.hex()), message, f"shadow/{document_id}/{next(_serial)}"


def repaired(entry: Entry, repair: int) -> Entry:
    """The same manifest, sent again."""
    subject, message, msg_id = entry
    assert isinstance(message, DocumentRevised)
    stamp = Stamp(wall_ms=1, counter=0, origin=SITE, repair=repair)
    return subject, msgspec.structs.replace(message, stamp=stamp), f"{msg_id}/{repair}"


@pytest.mark.usefixtures("follower")
async def test_a_document_is_on_the_shelf_when_its_manifest_comes(bus: Bus, shelf: MemoryShelf) -> None:
    *chunks, manifest = document_entries(SITE, "d", ["one", "two", "one"], 5)
    await publish(bus, *chunks)
    await applied_seq(shelf, 0)
    assert await texts(shelf, "d") == set()
    await publish(bus, manifest)
    await applied(bus, shelf)
    assert await texts(shelf, "d", live=True) == {"one", "two"}
    held = (await shelf.documents([document_key("d")]))[document_key("d")]
    assert (held.origin, held.manifest.revision, len(held.manifest.places)) == (SITE, 5, 3)


async def applied_seq(shelf: MemoryShelf, seq: int) -> None:
    """Return once the shelf is beyond a sequence."""

    async def there() -> bool:
        return (await shelf.position()).seq > seq

    await until_async(there)


@pytest.mark.usefixtures("follower")
async def test_an_edit_writes_what_is_new_and_deletes_what_is_gone(bus: Bus, shelf: MemoryShelf) -> None:
    await publish(bus, *document_entries(SITE, "d", ["one", "two", "three"], 1))
    await applied(bus, shelf)
    written = shelf.writes
    await publish(bus, chunk_entry(SITE, "four"), manifest_entry(SITE, "d", ["three", "four", "one"], 2))
    await applied(bus, shelf)
    assert await texts(shelf, "d") == {"one", "three", "four"}
    assert shelf.writes == written + 1


@pytest.mark.usefixtures("follower")
async def test_a_tombstone_takes_the_rows_and_stays_itself(bus: Bus, shelf: MemoryShelf) -> None:
    await publish(bus, *document_entries(SITE, "d", ["one"], 1), *document_entries(SITE, "e", ["one"], 1))
    await publish(bus, manifest_entry(SITE, "d", [], 2, deleted=True))
    await applied(bus, shelf)
    assert (await texts(shelf, "d"), await texts(shelf, "e")) == (set(), {"one"})
    held = (await shelf.documents([document_key("d")]))[document_key("d")]
    assert (held.manifest.deleted, held.live) == (True, False)


@pytest.mark.usefixtures("follower")
async def test_a_shadow_hides_up_to_its_revision_and_is_lifted_by_zero(bus: Bus, shelf: MemoryShelf) -> None:
    await publish(bus, shadow_entry("d", 3))
    await publish(bus, *document_entries(SITE, "d", ["one", "two"], 3))
    await applied(bus, shelf)
    assert await texts(shelf, "d", live=False) == {"one", "two"}
    await publish(bus, shadow_entry("d", 0))
    await applied(bus, shelf)
    assert await texts(shelf, "d", live=True) == {"one", "two"}
    await publish(bus, shadow_entry("d", 3))
    await applied(bus, shelf)
    assert await texts(shelf, "d", live=True) == set()
    await publish(bus, manifest_entry(SITE, "d", ["one"], 4))
    await applied(bus, shelf)
    assert await texts(shelf, "d", live=True) == {"one"}


@pytest.mark.usefixtures("follower")
async def test_a_revision_older_than_the_one_held_changes_nothing(bus: Bus, shelf: MemoryShelf) -> None:
    await publish(bus, *document_entries(SITE, "d", ["new"], 7))
    await applied(bus, shelf)
    await publish(bus, *document_entries(SITE, "d", ["old"], 6))
    await publish(bus, repaired(manifest_entry(SITE, "d", ["old"], 6), 3))
    await applied(bus, shelf)
    assert await texts(shelf, "d") == {"new"}


@pytest.mark.usefixtures("follower")
async def test_a_repair_writes_every_row_again(bus: Bus, shelf: MemoryShelf) -> None:
    await publish(bus, *document_entries(SITE, "d", ["one", "two"], 1))
    await applied(bus, shelf)
    (row, *_) = await shelf.chunks([document_key("d")], vectors=True)
    await shelf.upsert_chunks([dataclasses.replace(row, text="damaged")])
    await publish(bus, repaired(manifest_entry(SITE, "d", ["one", "two"], 1), 1))
    await applied(bus, shelf)
    assert await texts(shelf, "d") == {"one", "two"}


@pytest.mark.usefixtures("follower")
async def test_chunks_that_are_long_gone_by_are_read_from_the_log(bus: Bus) -> None:
    await publish(bus, *document_entries(SITE, "d", ["one", "two"], 1))
    late = MemoryShelf()
    await late.put_position(ShelfPosition(seq=2))
    async with shelving(bus, late):
        await applied(bus, late)
    assert await texts(late, "d") == {"one", "two"}


async def test_what_was_done_before_a_kill_between_effects_and_position_is_not_done_twice(bus: Bus) -> None:
    shelf = NoPosition()
    await publish(bus, *document_entries(SITE, "d", ["one", "two"], 1), *document_entries("hub", "h", ["three"], 1))
    async with shelving(bus, shelf) as first:
        await until(lambda: shelf.refusals >= 2)
        assert "no position" in first.reason
    assert shelf.writes == 3
    shelf.broken = False
    async with shelving(bus, shelf) as second:
        await applied(bus, shelf)
        assert await digests_of_shelf(second, SITE, "hub", kb=KB) == await digests_of_log(bus)
        assert second.reason == ""
    assert shelf.writes == 3
    assert await shelf.spaces() == {"hashed": 3}


class NoPosition(MemoryShelf):
    """Does everything but keep the position."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = True
        self.refusals = 0

    async def put_position(self, position: ShelfPosition) -> None:
        if self.broken:
            self.refusals += 1
            raise ShelfUnavailable("no position")
        await super().put_position(position)


async def test_while_the_shelf_is_away_it_is_asked_again_and_then_caught_up(bus: Bus, shelf: MemoryShelf) -> None:
    registry = CollectorRegistry()
    async with shelving(bus, shelf, registry) as follower:
        await publish(bus, *document_entries(SITE, "a", ["one"], 1))
        await applied(bus, shelf)
        shelf.away = True
        await publish(bus, *document_entries(SITE, "b", ["two"], 1))
        await until(lambda: (registry.get_sample_value("causeway_sync_delta_shelf_failures_total") or 0) >= 2)
        assert "away" in follower.reason
        shelf.away = False
        await applied(bus, shelf)
        assert await digests_of_shelf(follower, SITE, kb=KB) == await digests_of_log(bus)
        await asyncio.wait_for(follower.caught_up.wait(), 20)
        assert (follower.reason, follower.lag) == ("", 0)


async def test_a_shelf_that_was_wiped_is_filled_from_the_start_of_the_log(bus: Bus, shelf: MemoryShelf) -> None:
    async with shelving(bus, shelf) as follower:
        await publish(bus, *document_entries(SITE, "a", ["one"], 1))
        await applied(bus, shelf)
        shelf.away = True
        await shelf_wiped(shelf)
        await publish(bus, *document_entries(SITE, "b", ["two"], 1))
        await until(lambda: follower.reason != "")
        shelf.away = False
        await applied(bus, shelf)
        assert await digests_of_shelf(follower, SITE, kb=KB) == await digests_of_log(bus)


async def shelf_wiped(shelf: MemoryShelf) -> None:
    """As after a start with an empty data folder."""
    shelf.away = False
    await shelf.clear()
    await shelf.put_position(ShelfPosition())
    shelf.away = True


async def test_a_log_that_was_made_anew_is_taken_from_its_start(bus: Bus, shelf: MemoryShelf) -> None:
    async with shelving(bus, shelf):
        await publish(bus, *document_entries(SITE, "a", ["one"], 9), *document_entries(SITE, "b", ["two"], 9))
        await applied(bus, shelf)
    await bus.broker.js.delete_stream("KNOWLEDGE")
    await declare(bus, fresh=True)
    await publish(bus, *document_entries(SITE, "a", ["three"], 1))
    async with shelving(bus, shelf) as follower:
        await until_async(lambda: has_texts(shelf, "a", {"three"}))
        await asyncio.wait_for(follower.caught_up.wait(), 20)
        assert await digests_of_shelf(follower, SITE, kb=KB) == await digests_of_log(bus)


async def has_texts(shelf: MemoryShelf, document_id: str, expected: set[str]) -> bool:
    """Whether a document's rows are these."""
    return await texts(shelf, document_id) == expected


async def test_a_shelf_emptied_halfway_is_emptied_to_the_end(bus: Bus, shelf: MemoryShelf) -> None:
    await publish(bus, *document_entries(SITE, "a", ["one"], 1))
    async with shelving(bus, shelf):
        await applied(bus, shelf)
    await shelf.put_position(ShelfPosition(clearing=True))
    async with shelving(bus, shelf) as follower:
        await applied(bus, shelf)
        assert await digests_of_shelf(follower, SITE, kb=KB) == await digests_of_log(bus)
    assert shelf.writes == 2


async def test_a_document_that_is_refused_does_not_hold_up_the_others(bus: Bus) -> None:
    shelf, registry = Picky(), CollectorRegistry()
    async with shelving(bus, shelf, registry):
        await publish(
            bus,
            *document_entries(SITE, "a", ["one"], 1),
            *document_entries(SITE, "b", ["poison"], 1),
            *document_entries(SITE, "c", ["two"], 1),
        )
        await applied(bus, shelf)
    assert [await texts(shelf, name) for name in "abc"] == [{"one"}, set(), {"two"}]
    assert registry.get_sample_value("causeway_sync_delta_shelf_refused_total") == 1


class Picky(MemoryShelf):
    """Refuses one text."""

    async def upsert_chunks(self, chunks: Sequence[ShelvedChunk]) -> None:
        if any(chunk.text == "poison" for chunk in chunks):
            raise ShelfRefused("poison")
        await super().upsert_chunks(chunks)


@pytest.mark.usefixtures("follower")
async def test_a_document_embedded_anew_moves_to_the_other_space_and_the_old_one_is_dropped(
    bus: Bus, shelf: MemoryShelf
) -> None:
    await publish(bus, *document_entries(SITE, "d", ["one", "two"], 1))
    await applied(bus, shelf)
    entries = [other_space(chunk_entry(SITE, f"{text} again"), text) for text in ("one", "two")]
    subject, message, msg_id = manifest_entry(SITE, "d", ["one again", "two again"], 1)
    assert isinstance(message, DocumentRevised)
    anew = DocumentRevised(manifest=msgspec.structs.replace(message.manifest, model="other"))
    await publish(bus, *entries, (subject, anew, f"{msg_id}/other"))
    await applied(bus, shelf)
    assert {(row.model, row.text) for row in await shelf.chunks([document_key("d")])} == {
        ("other", "one"),
        ("other", "two"),
    }


def other_space(entry: Entry, text: str) -> Entry:
    """A chunk with the vector of another model."""
    subject, message, msg_id = entry
    assert isinstance(message, ChunkEmbedded)
    vector = unit_vector(text, 64).astype("<f2").tobytes()
    return subject, msgspec.structs.replace(message, model="other", text=text, dims=64, vector_f16=vector), msg_id


async def test_a_row_that_was_changed_by_hand_is_seen_and_mended(bus: Bus, shelf: MemoryShelf) -> None:
    await publish(bus, *document_entries(SITE, "a", ["one", "two"], 1), *document_entries(SITE, "b", ["two"], 1))
    async with shelving(bus, shelf) as follower:
        await applied(bus, shelf)
        whole = await digests_of_log(bus)
        (row, *_) = await shelf.chunks([document_key("a")], vectors=True)
        assert row.vector is not None
        await shelf.upsert_chunks([dataclasses.replace(row, vector=-row.vector)])
        found = await digests_of_shelf(follower, SITE, kb=KB)
        assert {name for name in whole if whole[name] != found[name]} == {(SITE, "a")}
        await follower.mend([Name(origin=SITE, kb=KB, key=document_key("a"))])
        assert await digests_of_shelf(follower, SITE, kb=KB) == whole


async def test_a_document_that_the_log_does_not_know_is_forgotten_by_a_mend(bus: Bus, shelf: MemoryShelf) -> None:
    await publish(bus, *document_entries(SITE, "a", ["one"], 1))
    async with shelving(bus, shelf) as follower:
        await applied(bus, shelf)
        await bus.purge("KNOWLEDGE", subjects.KNOWLEDGE_DOCUMENT.at(SITE, KB, document_key("a").hex()))
        await follower.mend([Name(origin=SITE, kb=KB, key=document_key("a"))])
    assert await shelf.documents([document_key("a")]) == {}
    assert await texts(shelf, "a") == set()


async def test_a_chunk_that_is_gone_is_counted_and_the_rest_is_written(bus: Bus, shelf: MemoryShelf) -> None:
    registry = CollectorRegistry()
    await publish(bus, chunk_entry(SITE, "one"), manifest_entry(SITE, "d", ["one", "lost"], 1))
    async with shelving(bus, shelf, registry):
        await applied(bus, shelf)
    assert await texts(shelf, "d") == {"one"}
    assert registry.get_sample_value("causeway_sync_delta_shelf_chunks_missing_total") == 1
    assert chunk_id("lost") not in {row.chunk_id for row in await shelf.chunks([document_key("d")])}


def own(residency: Residency, revision: int, document_id: str = "salaries") -> list[Entry]:
    """The hub's own document under a label."""
    return knowledge_log.document_entries("hub", document_id, ["a secret"], revision, residency=residency)


@pytest.mark.usefixtures("follower")
@pytest.mark.parametrize("label", [Residency.RESTRICTED, Residency.INTERNAL])
async def test_what_is_not_public_is_not_on_the_shelf_and_what_becomes_so_leaves_a_bare_tombstone(
    bus: Bus, shelf: MemoryShelf, label: Residency
) -> None:
    await publish(bus, *own(label, 1))
    await applied(bus, shelf)
    assert (await texts(shelf, "salaries"), await shelf.documents([document_key("salaries")])) == (set(), {})
    await publish(bus, *own(Residency.PUBLIC, 2))
    await applied(bus, shelf)
    assert await texts(shelf, "salaries", live=True) == {"a secret"}
    await publish(bus, *own(label, 3))
    await applied(bus, shelf)
    assert await texts(shelf, "salaries") == set()
    (held,) = (await shelf.documents([document_key("salaries")])).values()
    assert (held.manifest.revision, held.manifest.deleted, held.live) == (3, True, False)
    assert (held.manifest.title, held.manifest.places) == ("", [])
    await publish(bus, *own(Residency.PUBLIC, 4))
    await applied(bus, shelf)
    assert await texts(shelf, "salaries", live=True) == {"a secret"}


async def test_a_shelf_of_an_older_form_loses_what_is_not_public_and_nothing_else(bus: Bus, shelf: MemoryShelf) -> None:
    await publish(bus, *document_entries(SITE, "d", ["one"], 1), *own(Residency.PUBLIC, 2))
    async with shelving(bus, shelf):
        await applied(bus, shelf)
    # As it was filled before: the label did not matter.
    (row,) = await shelf.chunks([document_key("salaries")], vectors=True)
    (_, restricted) = own(Residency.RESTRICTED, 3)
    assert isinstance(restricted[1], DocumentRevised)
    await publish(bus, restricted)
    await shelf.put_documents([ShelvedDocument(origin="hub", revised=restricted[1])])
    position, written = await shelf.position(), shelf.writes
    last = await bus.last_seq("KNOWLEDGE")
    await shelf.put_position(dataclasses.replace(position, seq=last, form=0))
    async with shelving(bus, shelf):
        await until_async(partial(is_of_form, shelf, FORM))
        await applied(bus, shelf)
    assert (await texts(shelf, "salaries"), await texts(shelf, "d", live=True)) == (set(), {"one"})
    (held,) = (await shelf.documents([document_key("salaries")])).values()
    assert (held.manifest.deleted, held.manifest.title) == (True, "")
    assert (row.live, shelf.writes) == (True, written)


async def is_of_form(shelf: MemoryShelf, form: int) -> bool:
    """Whether the shelf says so."""
    return (await shelf.position()).form == form


async def test_rows_that_a_crash_left_of_a_document_that_is_not_public_now_are_deleted(
    bus: Bus, shelf: MemoryShelf
) -> None:
    await publish(bus, *own(Residency.PUBLIC, 1))
    async with shelving(bus, shelf):
        await applied(bus, shelf)
    # Rows come before their manifest.
    await shelf.remove_documents([document_key("salaries")])
    await publish(bus, *own(Residency.RESTRICTED, 2))
    async with shelving(bus, shelf):
        await applied(bus, shelf)
    assert await texts(shelf, "salaries") == set()
