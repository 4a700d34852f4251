"""The cache of answers over a real nats-server: shared by replicas, followed through changes, rebuilt after a start."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from causeway.bus import Bus
from causeway.edge_inference import cache_rules
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.answer_cache import AnswerCache
from causeway.edge_inference.answer_cache_metrics import AnswerCacheMetrics
from causeway.edge_inference.answer_index import AnswerIndex, DocumentName
from causeway.edge_inference.answers_following import AnswersFollowing
from causeway.edge_inference.doubts import Changed, Standing
from causeway.edge_inference.invalidating import Invalidating
from causeway.edge_inference.scheduling_ports import CacheLook
from causeway.proto import streams, subjects
from causeway.proto.answers import Answer, Route
from causeway.proto.documents import Residency
from causeway.proto.feedback import CitedChunk
from causeway.semantic_cache import Limit, Limits
from tests.support.answers_given import answer_of, ask_of, cited
from tests.support.knowledge_builders import DIMS, KB, unit_vector
from tests.support.knowledge_log import document_entries, publish
from tests.support.nats_server import NatsServer, nats_server
from tests.support.replica_site import BOUND_S, QUESTION, SITE, bus, bus_to
from tests.support.waiting import until, until_async

__all__ = ["bus", "nats_server"]
MODEL = "hashed/test@1"
OLD, NEW, OTHER = "Leave is twelve days.", "Leave is thirty days.", "Lunch is at noon."
REWORDED = "How many days of annual leave does every employee have?"
LIMITS = Limits(
    provenance={},
    space="hashed/",
    budget=0.01,
    delta=0.05,
    limits={"en": Limit(same_words=0.9), "zh": Limit(same_words=0.9)},
)
HOUR_MS = 3_600_000


@dataclass
class Clock:
    """A clock that a test moves."""

    now_ms: int = 4_000_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@dataclass
class Place:
    """One replica's cache, with what tells it of changes."""

    cache: AnswerCache
    invalidating: Invalidating
    registry: CollectorRegistry
    clock: Clock = field(default_factory=Clock)

    def look(self, question: str = QUESTION, language: str = "en", **more: object) -> CacheLook:
        """What the cache has for a question whose vector is that of QUESTION."""
        return self.cache.look(ask_of(question=question, **more), language, vector_of())

    async def keep(self, answer: Answer, *chunks: CitedChunk, question: str = QUESTION, **more: object) -> None:
        """Keep an answer, and wait until this replica holds what CACHE holds."""
        await self.cache.keep(ask_of(question=question, **more), "en", vector_of(), answer, list(chunks))

    def count(self, name: str, **labels: str) -> float:
        """A counter's value."""
        return self.registry.get_sample_value(f"causeway_edge_inference_cache_{name}", labels) or 0.0


def vector_of(seed: str = QUESTION) -> NDArray[np.float32]:
    return unit_vector(seed)


def cloud(answer_id: str = "a1", since: int = 0, **more: object) -> Answer:
    """An answer of the hub."""
    return answer_of(answer_id, route=Route.CLOUD, epoch={SITE: since}, **more)


@asynccontextmanager
async def place(
    server: NatsServer, *, entries_max: int = 100, told: bool = True, kb_limits: Mapping[str, Limits] | None = None
) -> AsyncIterator[Place]:
    """A replica's cache that has caught up; `told` of changes, or left to what it reads by itself at the start."""
    registry, own, clock = CollectorRegistry(), bus_to(server, "edge-inference"), Clock()
    cache = AnswerCache(
        own,
        SITE,
        MODEL,
        DIMS,
        AnswerCacheMetrics(registry),
        entries_per_kb_max=entries_max,
        age_s_max=3_600,
        limits=LIMITS,
        kb_limits=kb_limits,
        clock_ms=clock,
    )
    aftermath = AftermathMetrics(registry)
    answers = AnswersFollowing(own, SITE, AnswerIndex(100), aftermath)
    invalidating = Invalidating(own, SITE, answers, aftermath, on_changed=[cache.on_changed] if told else [])
    async with own:
        await asyncio.wait_for(cache.follower.caught_up.wait(), BOUND_S)
        await asyncio.wait_for(invalidating.follower.caught_up.wait(), BOUND_S)
        yield Place(cache, invalidating, registry, clock)


async def followed(bus: Bus, *places: Place) -> None:
    """Wait until these hold all that is in CACHE."""
    last = await bus.last_seq(streams.CACHE.name)
    await until(lambda: all(one.cache.follower.position.seq >= last for one in places))


async def test_an_answer_that_one_replica_keeps_is_given_by_the_other(nats_server: NatsServer, bus: Bus) -> None:
    async with place(nats_server) as first, place(nats_server) as second:
        assert second.look().answer is None
        await first.keep(cloud(), cited("leave.md", OLD, 1))
        await followed(bus, first, second)
        for one in (first, second):
            look = one.look()
            assert look.answer is not None
            assert (look.answer.answer_id, look.similarity) == ("a1", 1.0)
        assert second.count("hits_total", kb=KB, by="words") == 1
        assert first.count("kept_total", kb=KB) == 1
        assert second.count("entries", kb=KB) == 1


async def test_a_reworded_question_hits_by_meaning_and_a_guard_that_refuses_names_itself(
    nats_server: NatsServer, bus: Bus
) -> None:
    async with place(nats_server) as one:
        await one.keep(cloud(), cited("leave.md", OLD, 1), question=REWORDED)
        await followed(bus, one)
        hit = one.look("How many days of annual leave every employee does have?")
        assert hit.answer is not None
        assert hit.similarity > 0.99
        refused = one.look("How many hours of annual leave does every employee have?")
        assert (refused.answer, refused.refused_by) == (None, "unit")
        assert one.count("refused_total", kb=KB, guard="unit") == 1
        assert one.count("hits_total", kb=KB, by="meaning") == 1


async def test_a_kb_with_limits_of_its_own_gives_what_the_shipped_ones_keep_back(
    nats_server: NatsServer, bus: Bus
) -> None:
    reworded, asked = Limit(same_words=0.9, reworded=0.95), "How many days of holiday does every employee have?"
    own = {KB: msgspec.structs.replace(LIMITS, limits={"en": reworded})}
    async with place(nats_server) as shipped, place(nats_server, kb_limits=own) as calibrated:
        await shipped.keep(cloud(), cited("leave.md", OLD, 1), question=REWORDED)
        await followed(bus, shipped, calibrated)
        assert shipped.look(asked).refused_by == "content"
        assert calibrated.look(asked).answer is not None
        assert calibrated.look(asked.replace("days", "hours")).refused_by == "unit"


async def test_the_same_words_asked_in_another_language_are_not_given_an_answer_in_this_one(
    nats_server: NatsServer, bus: Bus
) -> None:
    async with place(nats_server) as one:
        await one.keep(cloud(), cited("leave.md", OLD, 1))
        await followed(bus, one)
        assert one.look(language="zh").answer is None
        assert one.look(language="en").answer is not None


async def test_other_tenants_looser_labels_and_those_who_want_no_cache_are_given_nothing(
    nats_server: NatsServer, bus: Bus
) -> None:
    async with place(nats_server) as one:
        await one.keep(cloud(), cited("leave.md", OLD, 1), tenant="a", residency=Residency.RESTRICTED)
        await followed(bus, one)
        assert one.look(tenant="a", residency=Residency.RESTRICTED).answer is not None
        assert one.look(tenant="b", residency=Residency.RESTRICTED).answer is None
        assert one.look(tenant="", residency=Residency.RESTRICTED).answer is None
        assert one.look(tenant="a", residency=Residency.INTERNAL).answer is None
        assert one.look(tenant="a", residency=Residency.RESTRICTED, cache=False).answer is None
        assert one.look(tenant="a", residency=Residency.RESTRICTED, kb="other").answer is None
        assert one.look("年假有几天", "zh", tenant="a", residency=Residency.RESTRICTED).answer is None


async def test_an_entry_that_expired_is_not_given_and_not_held_after_a_start(nats_server: NatsServer, bus: Bus) -> None:
    async with place(nats_server) as one:
        await one.keep(cloud(), cited("leave.md", OLD, 1))
        await followed(bus, one)
        one.clock.now_ms += HOUR_MS - 1
        assert one.look().answer is not None
        one.clock.now_ms += 1
        assert one.look().answer is None


async def test_a_change_of_a_cited_chunk_uncaches_on_every_replica_and_another_change_does_not(
    nats_server: NatsServer, bus: Bus
) -> None:
    async with place(nats_server) as first, place(nats_server) as second:
        await publish(bus, *document_entries(SITE, "leave.md", [OLD, OTHER], 1))
        since = await bus.last_seq(streams.KNOWLEDGE.name)
        await first.keep(cloud(since=since), cited("leave.md", OLD, 1))
        await first.keep(
            cloud("a2", since=since), cited("leave.md", OTHER, 1), question="When is lunch served in the canteen?"
        )
        await followed(bus, first, second)
        await publish(bus, *document_entries(SITE, "leave.md", [NEW, OTHER], 2))
        await until(lambda: first.look().answer is None and second.look().answer is None)
        assert first.look("When is lunch served in the canteen?").answer is not None
        subject = subjects.CACHED.at(SITE, KB, first.cache.key_of(ask_of()).hex())

        async def told() -> bool:
            stored = await bus.last(streams.CACHE.name, subject)
            return stored is not None and getattr(stored.message, "reason", "") == "revised"

        # An entry leaves memory before that is published.
        await until_async(told)
        assert first.count("uncached_total", kb=KB, reason="revised") == 1


async def test_chunks_that_a_document_has_now_decide_and_none_means_that_it_is_deleted(
    nats_server: NatsServer, bus: Bus
) -> None:
    async with place(nats_server) as one:
        chunk = cited("leave.md", OLD, 1)
        await one.keep(cloud(), chunk)
        await followed(bus, one)
        await one.cache.changed(KB, "", "leave.md", frozenset({chunk.chunk_id, b"more"}))
        await one.cache.changed(KB, SITE, "other.md", frozenset())
        assert one.look().answer is not None
        await one.cache.changed(KB, SITE, "leave.md", frozenset())
        assert one.look().answer is None
        assert one.count("uncached_total", kb=KB, reason="deleted") == 1


async def test_a_restarted_replica_holds_what_was_kept_and_not_what_was_rejected(
    nats_server: NatsServer, bus: Bus
) -> None:
    async with place(nats_server) as one:
        await one.keep(cloud(), cited("leave.md", OLD, 1))
        await one.keep(cloud("a2"), cited("leave.md", OLD, 1), question=REWORDED)
        await followed(bus, one)
        await one.cache.reject(KB, "a2", "feedback: wrong")
        await followed(bus, one)
    async with place(nats_server) as again:
        assert again.look().answer is not None
        assert again.cache.held(KB) == 1
        await again.keep(cloud("a3"), cited("leave.md", OLD, 1), question=REWORDED)
        assert again.count("unkept_total", reason="rejected") == 1
        await nats_server.restart()
        await until(lambda: again.cache.follower.caught_up.is_set() and again.look().answer is not None)


async def test_a_change_while_every_replica_was_down_is_not_missed(nats_server: NatsServer, bus: Bus) -> None:
    await publish(bus, *document_entries(SITE, "leave.md", [OLD], 1))
    since = await bus.last_seq(streams.KNOWLEDGE.name)
    async with place(nats_server) as one:
        await one.keep(cloud(since=since), cited("leave.md", OLD, 1))
        await followed(bus, one)
        assert one.look().answer is not None
    await publish(bus, *document_entries(SITE, "leave.md", [NEW], 2))
    async with place(nats_server, told=False) as again:
        assert again.cache.checked
        assert again.look().answer is None
        assert again.count("uncached_total", kb=KB, reason="revised") == 1


async def test_an_answer_that_was_under_way_while_its_document_changed_is_not_kept(
    nats_server: NatsServer, bus: Bus
) -> None:
    async with place(nats_server) as one:
        await publish(bus, *document_entries(SITE, "leave.md", [NEW], 2))
        last = await bus.last_seq(streams.KNOWLEDGE.name)
        await until(lambda: one.invalidating.follower.position.seq >= last)
        await one.keep(cloud(), cited("leave.md", OLD, 1))
        assert one.count("unkept_total", reason="changed_meanwhile") == 1
        await one.keep(cloud("a2"), cited("leave.md", NEW, 2))
        await followed(bus, one)
        assert one.look().answer is not None


async def test_only_answers_of_the_cloud_that_cite_something_are_kept(nats_server: NatsServer, bus: Bus) -> None:
    async with place(nats_server) as one:
        await one.keep(answer_of("a1"), cited("leave.md", OLD, 1))
        await one.keep(cloud(abstained=True), cited("leave.md", OLD, 1))
        await one.keep(cloud())
        assert await bus.count(streams.CACHE.name) == 0
        for reason in ("other_route", "abstained", "cites_nothing"):
            assert one.count("unkept_total", reason=reason) == 1


async def test_the_entry_that_was_given_longest_ago_makes_room(nats_server: NatsServer, bus: Bus) -> None:
    questions = [f"How is form {number} filled in?" for number in (11, 12, 13)]
    async with place(nats_server, entries_max=2) as one:
        for number, question in enumerate(questions[:2]):
            await one.keep(cloud(f"a{number}"), cited("leave.md", OLD, 1), question=question)
        await followed(bus, one)
        assert one.look(questions[0]).answer is not None
        await one.keep(cloud("a2"), cited("leave.md", OLD, 1), question=questions[2])
        await followed(bus, one)
        held = [one.look(question).answer is not None for question in questions]
        assert held == [True, False, True]
        assert one.count("uncached_total", kb=KB, reason="evicted") == 1


async def test_to_keep_fails_quietly_while_the_server_is_gone_and_what_is_held_is_given_on(
    nats_server: NatsServer, bus: Bus
) -> None:
    async with place(nats_server) as one:
        await one.keep(cloud(), cited("leave.md", OLD, 1))
        await followed(bus, one)
        await asyncio.to_thread(nats_server.kill)
        await one.keep(cloud("a2"), cited("leave.md", OLD, 1), question=REWORDED)
        assert one.count("unkept_total", reason="bus") == 1
        assert one.look().answer is not None
        await asyncio.to_thread(nats_server.start)


async def test_a_word_of_the_hub_takes_out_what_it_was_asked_about_and_is_not_kept_for_later_answers(
    nats_server: NatsServer, bus: Bus
) -> None:
    """It says nothing of chunks that were not asked about."""
    async with place(nats_server) as one:
        await one.keep(cloud(), cited("leave.md", OLD, 1, "plant-1"))
        await followed(bus, one)
        word = Changed(document=DocumentName(KB, "plant-1", "leave.md"), standing=Standing(revision=2), hub_seq=9)
        await one.cache.on_changed(word)
        assert one.look().answer is None
        await one.keep(cloud("a2"), cited("leave.md", OTHER, 1, "plant-1"))
        await followed(bus, one)
        assert one.look().answer is not None
        one.cache.withheld = lambda document, chunks: document.origin == "plant-1" and bool(chunks)
        assert one.look().answer is None
        assert one.count("withheld_total", kb=KB) >= 1


@pytest.mark.parametrize(("question", "language"), [("Who is on shift today?", "en"), ("今天谁值班？", "zh")])
async def test_what_is_asked_of_today_is_neither_kept_nor_looked_for(
    nats_server: NatsServer, bus: Bus, question: str, language: str
) -> None:
    async with place(nats_server) as one:
        answer = cloud()
        await one.keep(answer, cited("leave.md", OLD, 1), question=question)
        assert one.count("unkept_total", reason="relative_time") == 1.0
        await one.keep(answer, cited("leave.md", OLD, 1))
        await until(lambda: one.cache.held(KB) == 1)
        assert one.look(question, language) == CacheLook()
        assert one.count("unlooked_total", kb=KB, reason="relative_time") == 1.0
        assert one.count("misses_total", kb=KB) == 0.0


async def test_what_an_earlier_release_kept_of_a_question_of_today_is_not_given(
    nats_server: NatsServer, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place(nats_server) as one:
        with monkeypatch.context() as earlier:
            earlier.setattr(cache_rules, "relative_time", lambda question: False)
            await one.keep(cloud(), cited("leave.md", OLD, 1), question="Who is on shift today?")
        await until(lambda: one.cache.held(KB) == 1)
        assert one.look("Who is on shift today?").answer is None


async def test_an_ask_that_looks_twice_is_one_miss(nats_server: NatsServer, bus: Bus) -> None:
    far = unit_vector("something else")
    async with place(nats_server) as one:
        await one.keep(cloud(), cited("leave.md", OLD, 1))
        await until(lambda: one.cache.held(KB) == 1)
        ask = ask_of(question="Which door is red?")
        for again in (False, True):
            one.cache.look(ask, "en", far, again=again)
        assert one.count("misses_total", kb=KB) == 1.0
        refused = ask_of(question="How many days of leave does no employee have?")
        for again in (False, True):
            assert one.cache.look(refused, "en", vector_of(), again=again).refused_by == "negation"
        assert one.count("refused_total", kb=KB, guard="negation") == 1.0
        assert one.count("misses_total", kb=KB) == 1.0
        for again in (False, True):
            assert one.cache.look(ask_of(), "en", vector_of(), again=again).answer is not None
        assert one.count("hits_total", kb=KB, by="words") == 2.0, "an answer that is given is counted whenever"


async def test_an_ask_whose_entry_is_withheld_is_counted_once_and_is_no_miss(nats_server: NatsServer, bus: Bus) -> None:
    async with place(nats_server) as one:
        await one.keep(cloud(), cited("leave.md", OLD, 1, "plant-1"))
        await until(lambda: one.cache.held(KB) == 1)
        one.cache.withheld = lambda document, chunks: True
        for again in (False, True):
            assert one.cache.look(ask_of(), "en", vector_of(), again=again).answer is None
        assert (one.count("withheld_total", kb=KB), one.count("misses_total", kb=KB)) == (1.0, 0.0)
