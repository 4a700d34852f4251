"""sync-delta dies between any two of its steps: after the restart nothing is lost and nothing was applied twice."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from causeway.bus import Bus, Delivery, Position
from causeway.proto import subjects
from causeway.proto.knowledge import DocumentRevised
from causeway.sync_delta import ledger
from tests.support.dying_place import Death, receiver_dies, sender_dies
from tests.support.linked_servers import linked
from tests.support.sync_delta_places import running
from tests.support.waiting import until

NAMES = [f"d{number}" for number in range(6)]


def publishes(part: str) -> Any:
    """Publications of a subject with this part, one or many."""

    def fatal(name: str, args: tuple[Any, ...]) -> bool:
        if name == "publish":
            return part in args[0]
        return name == "publish_many" and any(part in subject for subject, _, _ in args[0])

    return fatal


def calls(name: str) -> Any:
    return lambda called, args: called == name


SENDER = {
    "before the numbers, the ledger and the intent are written": (calls("write"), "before", 1),
    "after the ledger, before the chunks": (calls("write"), "after", 1),
    "after the chunks": (publishes(".chunk."), "after", 1),
    "before the documents": (publishes(".document."), "before", 1),
    "after the documents, before the purge": (publishes(".document."), "after", 1),
    "after the first purge": (calls("purge"), "after", 1),
    "before the state says that it is done": (calls("write"), "before", 2),
    "after the state says that it is done": (calls("write"), "after", 2),
}
RECEIVER = {
    "before the chunks": (publishes(".chunk."), "before", 1),
    "after the chunks": (publishes(".chunk."), "after", 1),
    "between two manifests": (publishes(".document."), "after", 2),
    "after the manifests, before the state": (calls("write"), "before", 1),
    "after the state, before the watermark": (publishes(".watermark"), "before", 1),
    "after the watermark": (publishes(".watermark"), "after", 1),
}


async def manifests_seen(bus: Bus, origin: str, seen: Counter[tuple[str, int]]) -> None:
    """Count every manifest of an origin that is written to KNOWLEDGE, as it is written."""

    async def take(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            assert isinstance(delivery.message, DocumentRevised)
            manifest = delivery.message.manifest
            seen[manifest.document_id, manifest.revision] += 1

    async def start() -> Position:
        return following.position if seen else Position()

    following = bus.follow(
        "KNOWLEDGE",
        [subjects.KNOWLEDGE_DOCUMENT.at(origin)],
        start,
        take,
        message_types=subjects.KNOWLEDGE_DOCUMENT.carries,
    )
    await following.ready.wait()


@pytest.mark.parametrize("point", SENDER)
async def test_a_sender_that_dies_at_any_step_loses_nothing_and_sends_nothing_twice(tmp_path: Path, point: str) -> None:
    fatal, when, nth = SENDER[point]
    seen: Counter[tuple[str, int]] = Counter()
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        fleet.bus("hub", service="observer") as observer,
        running(fleet, "hub", tmp_path) as hub,
    ):
        await manifests_seen(observer, "a", seen)
        async with running(fleet, "a", tmp_path) as site:
            for name in NAMES:
                await hub.until_revision("a", name, await site.write(name, [f"{name} stays", f"{name} one"]))
            await site.until_quiet()
            death = Death(fatal, when, nth)
            sender_dies(site, death)
            revisions = {name: await site.write(name, [f"{name} stays", f"{name} two"]) for name in NAMES}
            await until(lambda: death.dead)
        async with running(fleet, "a", tmp_path) as site:
            for name in NAMES:
                await hub.until_revision("a", name, revisions[name])
                assert await hub.texts("a", name) == [f"{name} stays", f"{name} two"]
            await site.until_quiet()
            here = await site.sync.state.read(lambda tables: tables.outbox.items("k"))
            there = await hub.sync.state.read(lambda tables: tables.inbox.items("a", "k"))
            assert here == there
            lines = await site.sync.state.read(lambda tables: list(tables.outbox.lines()))
            assert ledger.verify(lines) is None
            await until(lambda: Counter((line.document_id, line.revision) for line in lines) == seen)
            assert set(seen.values()) == {1}
            numbers = [each async for each in site.link.scan("OUTBOX_a", [subjects.OUTBOX_CHUNK.at("a")])]
            assert len(numbers) == 2 * len(NAMES), "what is not named any more was purged"


@pytest.mark.parametrize("point", RECEIVER)
async def test_a_receiver_that_dies_at_any_step_loses_nothing_and_applies_nothing_twice(
    tmp_path: Path, point: str
) -> None:
    fatal, when, nth = RECEIVER[point]
    seen: Counter[tuple[str, int]] = Counter()
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        fleet.bus("hub", service="observer") as observer,
        running(fleet, "a", tmp_path) as site,
    ):
        await manifests_seen(observer, "a", seen)
        async with running(fleet, "hub", tmp_path) as hub:
            await hub.until_revision("a", "first", await site.write("first", ["one"]))
            death = Death(fatal, when, nth)
            receiver_dies(hub, death)
            revisions = {name: await site.write(name, [f"{name} one", f"{name} two"]) for name in NAMES}
            await until(lambda: death.dead)
        async with running(fleet, "hub", tmp_path) as hub:
            for name in NAMES:
                await hub.until_revision("a", name, revisions[name])
                assert await hub.texts("a", name) == [f"{name} one", f"{name} two"]
            await site.until_quiet()
            here = await site.sync.state.read(lambda tables: tables.outbox.items("k"))
            there = await hub.sync.state.read(lambda tables: tables.inbox.items("a", "k"))
            assert here == there
            await until(lambda: len(seen) == 1 + len(NAMES))
            assert set(seen.values()) == {1}
