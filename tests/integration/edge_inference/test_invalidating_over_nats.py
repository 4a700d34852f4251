"""Invalidations over a real nats-server: told once by however many replicas, after restarts, links and races."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry

from causeway.bus import Bus, BusSettings, Delivery
from causeway.edge_inference import invalidating as module
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.answer_index import AnswerIndex, DocumentName
from causeway.edge_inference.answers_following import AnswersFollowing
from causeway.edge_inference.doubts import Changed, Standing, Standings
from causeway.edge_inference.invalidating import Invalidating
from causeway.proto import streams, subjects
from causeway.proto.feedback import AnswerInvalidated, Change
from causeway.proto.knowledge import DocumentShadowed
from tests.support.answers_given import AT_MS, cited, given, keep
from tests.support.knowledge_builders import KB, document_key
from tests.support.knowledge_log import (
    Entry,
    document_entries,
    foreign_entries,
    manifest_entry,
    publish,
    shadow_entry,
)
from tests.support.nats_server import NatsServer, nats_server
from tests.support.replica_site import BOUND_S, SITE, bus
from tests.support.waiting import pause, until, until_async

__all__ = ["bus", "nats_server"]
OLD, NEW, OTHER = "Leave is twelve days.", "Leave is thirty days.", "Lunch is at noon."


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica on a busy machine may be long behind what another has told."""
    monkeypatch.setattr(module, "RACE_WAIT_S", BOUND_S)


@dataclass
class Watch:
    """One replica's part that invalidates."""

    invalidating: Invalidating
    answers: AnswersFollowing
    registry: CollectorRegistry
    changed: list[Changed]
    told_before: list[int]

    async def at_end(self, bus: Bus) -> None:
        """Wait until it has read all that there is of both logs."""
        ends = {name: await bus.last_seq(name) for name in (streams.KNOWLEDGE.name, streams.ANSWERS.name)}
        await asyncio.wait_for(self.invalidating.follower.caught_up.wait(), BOUND_S)
        changes = await _last_of(bus, streams.KNOWLEDGE.name, _CHANGES)
        await until(lambda: self.invalidating.follower.position.seq >= changes)
        await until(lambda: self.answers.follower.position.seq >= ends[streams.ANSWERS.name])

    def count(self, name: str, **labels: str) -> float:
        """A counter's value."""
        return self.registry.get_sample_value(f"causeway_edge_inference_{name}", labels) or 0.0


_CHANGES = [subjects.KNOWLEDGE_DOCUMENT.at("*"), subjects.KNOWLEDGE_SHADOW.at("*")]


async def _last_of(bus: Bus, stream: str, filters: list[str]) -> int:
    return max([delivery.stream_seq async for delivery in bus.scan(stream, filters)], default=0)


class HardOfHearing(Invalidating):
    """Hears of what was told only while it is let. `refused` is set once it was not the first to tell something."""

    hears: asyncio.Event
    refused: asyncio.Event

    async def _on_told(self, deliveries: Sequence[Delivery]) -> None:
        await self.hears.wait()
        await super()._on_told(deliveries)

    async def _read_told(self, kb: str, subject: str) -> None:
        self.refused.set()
        await super()._read_told(kb, subject)


@asynccontextmanager
async def watch(
    server: NatsServer,
    *,
    per_kb_max: int = 100,
    documents_max: int = 1_000,
    hears: asyncio.Event | None = None,
    attempt_s: float = BOUND_S,
) -> AsyncIterator[Watch]:
    """A replica's part that invalidates, begun. What is published again after `attempt_s` may have been stored, and is
    then counted by nobody."""
    settings = BusSettings(
        url=server.url, site=SITE, service="edge-inference", publish_attempt_s=attempt_s, publish_timeout_s=BOUND_S
    )
    registry, own, changed = CollectorRegistry(), Bus(settings), list[Changed]()
    told_before: list[int] = []
    metrics = AftermathMetrics(registry)
    answers = AnswersFollowing(own, SITE, AnswerIndex(per_kb_max), metrics)

    async def note(change: Changed) -> None:
        changed.append(change)
        told_before.append(len(await told(own)))

    standings = Standings(documents_max=documents_max, chunks_max=10_000)
    kind = Invalidating if hears is None else HardOfHearing
    invalidating = kind(own, SITE, answers, metrics, on_changed=[note], standings=standings)
    if isinstance(invalidating, HardOfHearing) and hears is not None:
        invalidating.hears, invalidating.refused = hears, asyncio.Event()
    async with own:
        await asyncio.wait_for(invalidating.follower.caught_up.wait(), BOUND_S)
        yield Watch(invalidating, answers, registry, changed, told_before)


async def told(bus: Bus) -> list[AnswerInvalidated]:
    """All that was told."""
    messages = [delivery.message async for delivery in bus.scan(streams.INVALIDATIONS.name, [])]
    assert all(isinstance(message, AnswerInvalidated) for message in messages)
    return messages  # type: ignore[return-value]


async def told_of(bus: Bus, many: int, bound_s: float = BOUND_S) -> list[AnswerInvalidated]:
    """Wait until so many were told, and return them."""

    async def there() -> bool:
        return len(await told(bus)) >= many

    await until_async(there, bound_s)
    return await told(bus)


def shadow(revision: int) -> Entry:
    """A shadow over a revision of leave.md."""
    message = DocumentShadowed(
        kb=KB,
        document_id="leave.md",
        document_key=document_key("leave.md"),
        revision=revision,
        winner="hub",
        winner_revision=1,
        concurrent=False,
    )
    return shadow_entry(SITE, message)


async def test_a_revision_without_the_cited_chunk_tells_the_asker_of_each_answer_that_cites_it(
    bus: Bus, nats_server: NatsServer
) -> None:
    await publish(bus, *document_entries(SITE, "leave.md", [OLD, OTHER], 1))
    await keep(
        bus,
        given("a1", cited("leave.md", OLD, 1), since=3, asker="ann"),
        given("a2", cited("leave.md", OTHER, 1), since=3),
        given("a3", cited("other.md", OLD, 1), since=3),
    )
    async with watch(nats_server) as one:
        await publish(bus, *document_entries(SITE, "leave.md", [NEW, OTHER], 2))
        (found,) = await told_of(bus, 1)
        assert (found.answer_id, found.asker, found.kb) == ("a1", "ann", KB)
        assert (found.change, found.document_id, found.origin, found.revision) == (Change.REVISED, "leave.md", "", 2)
        assert found.at_unix_ms > 1_700_000_000_000
        await publish(bus, manifest_entry(SITE, "leave.md", [], 3, deleted=True))
        both = await told_of(bus, 2)
        assert [(each.answer_id, each.change, each.revision) for each in both[1:]] == [("a2", Change.DELETED, 3)]
        assert one.count("answers_invalidated_total", kb=KB, change="revised") == 1
        stored = [delivery.msg_id async for delivery in bus.scan(streams.INVALIDATIONS.name, [])]
        assert stored == ["a1:leave.md:2", "a2:leave.md:3"]
        last = one.changed[-1]
        assert (last.document, last.standing.deleted) == (DocumentName(KB, "", "leave.md"), True)


async def test_a_shadow_over_the_cited_revision_tells_and_one_over_another_does_not(
    bus: Bus, nats_server: NatsServer
) -> None:
    await publish(bus, *document_entries(SITE, "leave.md", [OLD], 5))
    await keep(bus, given("a1", cited("leave.md", OLD, 5), since=2))
    async with watch(nats_server) as one:
        await publish(bus, shadow(4))
        await one.at_end(bus)
        assert await told(bus) == []
        await publish(bus, shadow(5))
        (found,) = await told_of(bus, 1)
        assert (found.change, found.revision) == (Change.REPLACED, 5)


async def test_a_document_of_the_hub_is_followed_by_its_origin_and_a_namesake_here_is_another(
    bus: Bus, nats_server: NatsServer
) -> None:
    await publish(bus, *foreign_entries("hub", "leave.md", [OLD], 1), *document_entries(SITE, "leave.md", [OLD], 1))
    await keep(
        bus,
        given("hubs", cited("leave.md", OLD, 1, "hub"), since=4),
        given("ours", cited("leave.md", OLD, 1), since=4),
    )
    async with watch(nats_server) as one:
        await publish(bus, *foreign_entries("hub", "leave.md", [NEW], 2))
        (found,) = await told_of(bus, 1)
        await one.at_end(bus)
        assert [(each.answer_id, each.origin) for each in await told(bus)] == [("hubs", "hub")]
        assert found.revision == 2


async def test_a_word_of_the_hub_is_told_once_by_however_many_hear_it_and_the_cache_hears_it_first(
    bus: Bus, nats_server: NatsServer
) -> None:
    theirs = DocumentName(KB, "plant-1", "leave.md")
    await keep(
        bus,
        given("a1", cited("leave.md", OLD, 1, "plant-1")),
        given("a2", cited("leave.md", OLD, 1, "plant-1")),
        given("newer", cited("leave.md", OLD, 2, "plant-1")),
        given("ours", cited("leave.md", OLD, 1)),
    )
    async with watch(nats_server) as one, watch(nats_server) as two:
        assert set(await one.invalidating.cited_elsewhere({})) == {theirs}
        assert await one.invalidating.cited_elsewhere({theirs}) == {}
        word = Changed(document=theirs, standing=Standing(revision=2), hub_seq=9)
        await one.invalidating.hear(word)
        assert one.told_before == [0]
        await asyncio.gather(one.invalidating.hear(word), two.invalidating.hear(word))
        assert [(each.answer_id, each.origin) for each in await told(bus)] == [("a1", "plant-1"), ("a2", "plant-1")]
        # An answer that comes to be known later is asked about itself: of the document nothing is remembered.
        await keep(bus, given("later", cited("leave.md", OTHER, 1, "plant-1")))
        await one.at_end(bus)
        assert len(await told(bus)) == 2
        assert await one.invalidating.cited_elsewhere({}) == {
            theirs: {each.chunk_id for each in (cited("leave.md", text, 1, "plant-1") for text in (OLD, OTHER))}
        }


async def test_two_replicas_and_a_restart_tell_once_however_the_revisions_went_by(
    bus: Bus, nats_server: NatsServer
) -> None:
    await publish(bus, *document_entries(SITE, "leave.md", [OLD], 1))
    await keep(bus, *(given(f"a{number}", cited("leave.md", OLD, 1), since=2) for number in range(40)))
    async with watch(nats_server) as one, watch(nats_server) as two:
        # Each replica may see another revision first: they follow so closely that a batch may hold one or both.
        for revision in range(2, 8):
            await publish(bus, *document_entries(SITE, "leave.md", [f"{NEW} {revision}"], revision))
        await told_of(bus, 40)
        await asyncio.gather(one.at_end(bus), two.at_end(bus))
        by_replica = [each.count("answers_invalidated_total", kb=KB, change="revised") for each in (one, two)]
        assert sum(by_replica) == 40
    async with watch(nats_server) as again:
        await again.at_end(bus)
    assert sorted(each.answer_id for each in await told(bus)) == sorted(f"a{number}" for number in range(40))


async def test_a_replica_that_has_not_heard_of_another_ones_word_yet_is_silent_all_the_same(
    bus: Bus, nats_server: NatsServer
) -> None:
    """The other has seen a revision that the log has forgotten since, so no message id tells that it is the same."""
    await publish(bus, *document_entries(SITE, "leave.md", [OLD], 1))
    await keep(bus, given("a1", cited("leave.md", OLD, 1), since=2), given("a2", cited("leave.md", OLD, 1), since=2))
    hears = asyncio.Event()
    async with watch(nats_server, hears=hears) as one:
        other = AnswerInvalidated(
            answer_id="a1", kb=KB, change=Change.REVISED, document_id="leave.md", revision=2, at_unix_ms=1
        )
        await bus.publish(subjects.INVALIDATED.at(SITE, KB), other, msg_id="a1:leave.md:2")
        await publish(bus, *document_entries(SITE, "leave.md", [NEW], 3))
        assert isinstance(one.invalidating, HardOfHearing)
        await asyncio.wait_for(one.invalidating.refused.wait(), BOUND_S)
        assert len(await told(bus)) == 1
        hears.set()
        found = await told_of(bus, 2)
        await one.at_end(bus)
        assert [(each.answer_id, each.revision) for each in await told(bus)] == [("a1", 2), ("a2", 3)]
        assert found[0] == other


async def test_what_changed_while_no_replica_ran_is_told_at_the_next_start(bus: Bus, nats_server: NatsServer) -> None:
    await publish(bus, *document_entries(SITE, "leave.md", [OLD], 1))
    await keep(bus, given("a1", cited("leave.md", OLD, 1), since=2))
    async with watch(nats_server) as one:
        await one.at_end(bus)
    for revision in (2, 3):
        await publish(bus, *document_entries(SITE, "leave.md", [f"{NEW} {revision}"], revision))
    # Far more entries than are read again for the sake of answers on their way.
    filler = [document_entries(SITE, f"d{number}", [f"text {number}"], 1) for number in range(600)]
    await bus.publish_many(entry for entries in filler for entry in entries)
    async with watch(nats_server):
        (found,) = await told_of(bus, 1)
    # The log has forgotten revision 2.
    assert (found.answer_id, found.revision) == ("a1", 3)


async def test_an_answer_that_is_kept_after_the_change_that_it_did_not_see_is_told_at_once(
    bus: Bus, nats_server: NatsServer
) -> None:
    async with watch(nats_server) as one:
        await publish(bus, *document_entries(SITE, "leave.md", [OLD], 1))
        await publish(bus, *document_entries(SITE, "leave.md", [NEW], 2))
        await one.at_end(bus)
        await keep(bus, given("late", cited("leave.md", OLD, 1), since=2), given("sound", cited("leave.md", NEW, 2)))
        (found,) = await told_of(bus, 1)
        await one.at_end(bus)
        assert [each.answer_id for each in await told(bus)] == ["late"]
        assert found.revision == 2


async def test_answers_given_while_the_link_was_down_are_told_when_the_delta_arrives(
    bus: Bus, nats_server: NatsServer
) -> None:
    """At the site, a link that comes back is a burst of the hub's entries after answers that did not know of them."""
    await publish(bus, *foreign_entries("hub", "leave.md", [OLD], 1))
    async with watch(nats_server) as one:
        nats_server.freeze()
        await pause(0.3)
        nats_server.thaw()
        await keep(bus, given("offline", cited("leave.md", OLD, 1, "hub"), since=2))
        await one.at_end(bus)
        assert await told(bus) == []
        await publish(bus, *foreign_entries("hub", "leave.md", [NEW], 2))
        assert [each.answer_id for each in await told_of(bus, 1)] == ["offline"]


async def test_a_server_that_is_killed_in_the_middle_loses_and_doubles_nothing(
    bus: Bus, nats_server: NatsServer
) -> None:
    await publish(bus, *document_entries(SITE, "leave.md", [OLD], 1))
    await keep(bus, *(given(f"a{number}", cited("leave.md", OLD, 1), since=2) for number in range(60)))
    async with watch(nats_server, attempt_s=2.0), watch(nats_server, attempt_s=2.0):
        await publish(bus, *document_entries(SITE, "leave.md", [NEW], 2))
        await told_of(bus, 1)
        await nats_server.restart()
        await told_of(bus, 60, 60.0)
    assert sorted(each.answer_id for each in await told(bus)) == sorted(f"a{number}" for number in range(60))


async def test_answers_beyond_the_limit_and_too_late_to_be_judged_are_counted(
    bus: Bus, nats_server: NatsServer
) -> None:
    async with watch(nats_server, per_kb_max=3, documents_max=2) as one:
        await keep(bus, *(given(f"a{number}", since=9_999) for number in range(5)))
        await one.at_end(bus)
        assert one.count("answers_unfollowed_total", reason="limit") == 2
        assert one.count("answers_followed", kb=KB) == 3
        for number in range(4):
            await publish(bus, *document_entries(SITE, f"d{number}", [f"text {number}"], 1))
        await until(lambda: len(one.changed) == 4)
        await keep(bus, given("late", cited("d0", "text 0", 1), since=1))
        await until(lambda: one.count("answers_unfollowed_total", reason="late") == 1)


async def test_answers_of_a_log_that_is_no_more_are_judged_by_the_new_one_from_its_start(
    bus: Bus, nats_server: NatsServer
) -> None:
    """The sequence that an answer names means nothing in a log that was made after it."""
    filler = [document_entries(SITE, f"d{number}", [f"text {number}"], 1) for number in range(700)]
    await publish(bus, *document_entries(SITE, "leave.md", [NEW], 2))
    await bus.publish_many(entry for entries in filler for entry in entries)
    await keep(bus, given("old", cited("leave.md", OLD, 1), since=1_390, at_unix_ms=AT_MS))
    async with watch(nats_server) as one:
        await one.at_end(bus)
        assert await told(bus) == []
    await keep(bus, given("before", cited("leave.md", OLD, 1), since=1_390, at_unix_ms=1_000))
    async with watch(nats_server):
        assert {each.answer_id for each in await told_of(bus, 2)} == {"old", "before"}
