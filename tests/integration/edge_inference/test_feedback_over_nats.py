"""Feedback over a real nats-server: joined with its answer, counted once, handed on, and read again at a start."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from causeway.bus import Bus
from causeway.client import Client
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.answer_index import AnswerIndex
from causeway.edge_inference.answers_following import AnswersFollowing
from causeway.edge_inference.feedback_following import FeedbackFollowing
from causeway.edge_inference.feedback_rules import Observation
from causeway.proto import streams, subjects
from causeway.proto.answers import Route
from causeway.proto.feedback import AnswerAudited, Verdict
from tests.support.answers_given import AT_MS, given, keep
from tests.support.knowledge_builders import KB
from tests.support.nats_server import NatsServer, nats_server
from tests.support.replica_site import BOUND_S, SITE, bus, bus_to
from tests.support.waiting import until

__all__ = ["bus", "nats_server"]


@dataclass
class Listening:
    """What the neighbours of a follower of feedback heard."""

    registry: CollectorRegistry
    following: FeedbackFollowing | None = None
    rejected: list[tuple[str, str, str]] = field(default_factory=list)
    observed: list[Observation] = field(default_factory=list)
    failures: int = 0

    async def reject(self, kb: str, answer_id: str, reason: str) -> None:
        """As the cache does."""
        self.rejected.append((kb, answer_id, reason))

    async def observe(self, observation: Observation) -> None:
        """As drift does; fails as often as it is told to."""
        if self.failures:
            self.failures -= 1
            raise TimeoutError
        self.observed.append(observation)

    def count(self, name: str, **labels: str) -> float:
        """A counter's value."""
        return self.registry.get_sample_value(f"causeway_edge_inference_{name}", labels) or 0.0

    def counted(self, verdict: Verdict, route: Route = Route.EDGE) -> float:
        """How many verdicts of English answers were counted."""
        return self.count("feedback_total", kb=KB, language="en", route=route.value, verdict=verdict.value)

    async def at_end(self, bus: Bus) -> None:
        """Wait until all feedback has been taken."""
        following, last = self.following, await bus.last_seq(streams.FEEDBACK.name)
        assert following is not None
        await until(lambda: following.follower.position.seq >= last)


@asynccontextmanager
async def listening(server: NatsServer, *, failures: int = 0) -> AsyncIterator[Listening]:
    """A follower of feedback that has begun."""
    heard = Listening(CollectorRegistry(), failures=failures)
    metrics, own = AftermathMetrics(heard.registry), bus_to(server, "edge-inference")
    answers = AnswersFollowing(own, SITE, AnswerIndex(100), metrics)
    heard.following = FeedbackFollowing(own, SITE, answers, metrics, cache=heard, observers=[heard.observe])
    async with own:
        await asyncio.wait_for(heard.following.follower.caught_up.wait(), BOUND_S)
        yield heard


def client(server: NatsServer) -> Client:
    """A frontend."""
    return Client.at(server.url, site=SITE)


async def test_right_and_wrong_are_counted_observed_and_only_wrong_leaves_the_cache(
    bus: Bus, nats_server: NatsServer
) -> None:
    await keep(bus, given("a1"), given("a2", confidence=0.7), given("a3", language="zh"))
    async with listening(nats_server) as heard, client(nats_server) as frontend:
        await frontend.feedback(KB, "a1", Verdict.RIGHT)
        await frontend.feedback(KB, "a2", Verdict.WRONG)
        await frontend.feedback(KB, "a3", Verdict.CORRECTED, corrected_text="十五天")
        await until(lambda: len(heard.observed) == 3)
        assert [(one.confidence, one.right, one.language, one.source) for one in heard.observed] == [
            (0.9, True, "en", "feedback"),
            (0.7, False, "en", "feedback"),
            (0.9, False, "zh", "feedback"),
        ]
        assert heard.rejected == [(KB, "a2", "feedback: wrong"), (KB, "a3", "feedback: corrected")]
        assert (heard.counted(Verdict.RIGHT), heard.counted(Verdict.WRONG)) == (1, 1)


async def test_an_answer_of_the_cache_is_rejected_by_the_answer_that_was_kept_and_is_no_example(
    bus: Bus, nats_server: NatsServer
) -> None:
    await keep(bus, given("a1.7f", route=Route.CACHE), given("a2", route=Route.CLOUD))
    async with listening(nats_server) as heard, client(nats_server) as frontend:
        await frontend.feedback(KB, "a1.7f", Verdict.WRONG)
        await frontend.feedback(KB, "a2", Verdict.RIGHT)
        await heard.at_end(bus)
        assert heard.rejected == [(KB, "a1", "feedback: wrong")]
        assert heard.observed == []
        assert (heard.counted(Verdict.WRONG, Route.CACHE), heard.counted(Verdict.RIGHT, Route.CLOUD)) == (1, 1)


async def test_said_twice_by_another_or_of_nothing_known_is_counted_as_ignored(
    bus: Bus, nats_server: NatsServer
) -> None:
    await keep(bus, given("a1", asker="ann"))
    async with listening(nats_server) as heard, client(nats_server) as frontend:
        await frontend.feedback(KB, "a1", Verdict.RIGHT, asker="ann")
        await frontend.feedback(KB, "a1", Verdict.RIGHT, asker="ann")
        await frontend.feedback(KB, "a1", Verdict.WRONG, asker="ann")
        await frontend.feedback(KB, "a1", Verdict.WRONG, asker="bob")
        await frontend.feedback(KB, "a9", Verdict.WRONG, asker="ann")
        await heard.at_end(bus)
        # The second of the five is the first again, and was stored once.
        assert await bus.count(streams.FEEDBACK.name) == 4
        assert [one.right for one in heard.observed] == [True]
        assert heard.rejected == [(KB, "a1", "feedback: wrong")]
        for reason in ("repeated", "other_asker", "unknown_answer"):
            assert heard.count("feedback_ignored_total", reason=reason) == 1, reason


async def test_a_verdict_that_is_quicker_than_the_ledger_counts_when_its_answer_comes(
    bus: Bus, nats_server: NatsServer
) -> None:
    async with listening(nats_server) as heard, client(nats_server) as frontend:
        await frontend.feedback(KB, "a1", Verdict.WRONG)
        await heard.at_end(bus)
        assert heard.observed == []
        await keep(bus, given("a1"))
        await until(lambda: len(heard.observed) == 1)
        assert heard.rejected == [(KB, "a1", "feedback: wrong")]


async def test_a_start_reads_all_again_for_drift_and_counts_nothing_twice(bus: Bus, nats_server: NatsServer) -> None:
    await keep(bus, given("a1"), given("a2", confidence=0.6, calibrated=False))
    audited = AnswerAudited(
        answer_id="a2",
        kb=KB,
        language="en",
        confidence=0.6,
        agrees=False,
        cloud_text="no",
        cost_usd=0.0,
        at_unix_ms=5,
    )
    await bus.publish(subjects.AUDITED.at(SITE, KB), audited, msg_id="a2")
    async with listening(nats_server) as first, client(nats_server) as frontend:
        await frontend.feedback(KB, "a1", Verdict.RIGHT)
        await until(lambda: len(first.observed) == 2)
        assert first.counted(Verdict.RIGHT) == 1
    async with listening(nats_server) as second:
        await until(lambda: len(second.observed) == 2)
        assert second.observed == first.observed
        assert [(one.source, one.right, one.confidence, one.calibrated) for one in second.observed] == [
            ("audit", False, 0.6, False),
            ("feedback", True, 0.9, True),
        ]
        assert {one.given_unix_ms for one in second.observed} == {AT_MS}
        assert second.counted(Verdict.RIGHT) == 0


async def test_a_verdict_whose_effect_failed_has_it_later_once(bus: Bus, nats_server: NatsServer) -> None:
    await keep(bus, given("a1"))
    async with listening(nats_server, failures=2) as heard, client(nats_server) as frontend:
        await frontend.feedback(KB, "a1", Verdict.RIGHT)
        await until(lambda: bool(heard.observed))
        await heard.at_end(bus)
        assert [one.right for one in heard.observed] == [True]
