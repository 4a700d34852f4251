"""Drift over a real nats-server: what an alarm raised stays raised, whoever starts and whatever it can still read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from causeway.bus import Bus, Delivery
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.answer_index import AnswerIndex
from causeway.edge_inference.answers_following import AnswersFollowing
from causeway.edge_inference.confidence import CalibratedConfidence, ConfidenceMetrics
from causeway.edge_inference.drift import CLOSED
from causeway.edge_inference.drift_watching import DriftMetrics, DriftWatch, publish_on
from causeway.edge_inference.feedback_following import FeedbackFollowing
from causeway.proto import streams, subjects
from causeway.proto.calibration import CalibrationDrifted
from causeway.proto.feedback import AnswerAudited, Feedback, Verdict
from tests.integration.edge_inference.test_confidence_over_nats import MODEL, publish
from tests.support.answers_given import AT_MS, given, keep
from tests.support.knowledge_builders import KB
from tests.support.nats_server import NatsServer, nats_server
from tests.support.replica_site import SITE, bus, bus_to
from tests.support.waiting import until

__all__ = ["bus", "nats_server"]
ANSWERED = subjects.ANSWERED.at(SITE, KB)


@dataclass
class Replica:
    """The part of a replica that watches drift."""

    confidence: CalibratedConfidence
    watch: DriftWatch
    feedback: FeedbackFollowing
    answers: AnswersFollowing

    @property
    def threshold(self) -> float:
        """The threshold of English answers that live answers support; 0 before a calibration is read."""
        return self.watch.threshold(KB, "en")

    async def at_end(self, bus: Bus) -> None:
        """Wait until all feedback has been taken, also what was quicker here than its answer."""
        kept, last = await bus.last(streams.ANSWERS.name, ANSWERED), await bus.last_seq(streams.FEEDBACK.name)
        await until(lambda: kept is None or self.answers.follower.position.seq >= kept.seq)
        await until(lambda: self.feedback.follower.position.seq >= last)


@asynccontextmanager
async def replica(server: NatsServer, bus: Bus, *, followed_max: int = 5_000) -> AsyncIterator[Replica]:
    """One that has read all that there is."""
    registry, own = CollectorRegistry(), bus_to(server, "edge-inference")
    watch = DriftWatch(publish_on(own, SITE), DriftMetrics(registry))
    confidence = CalibratedConfidence(MODEL, ConfidenceMetrics(registry), watch)
    calibrations = confidence.follow(own, SITE)
    metrics = AftermathMetrics(registry)
    answers = AnswersFollowing(own, SITE, AnswerIndex(followed_max), metrics)
    feedback = FeedbackFollowing(
        own, SITE, answers, metrics, observers=[watch.observe], ready=calibrations.caught_up.wait
    )
    one = Replica(confidence, watch, feedback, answers)
    async with own:
        await until(feedback.follower.caught_up.is_set)
        await one.at_end(bus)
        yield one


async def judge(bus: Bus, first: int, count: int, *, right: bool) -> None:
    """Answers that are kept, with a verdict on each."""
    verdict = Verdict.RIGHT if right else Verdict.WRONG
    names = [f"a{number}" for number in range(first, first + count)]
    await keep(bus, *(given(name, confidence=0.97) for name in names))
    for name in names:
        said = Feedback(answer_id=name, kb=KB, verdict=verdict)
        await bus.publish(subjects.FEEDBACK.at(SITE, KB), said, msg_id=name)


async def forget_answers(bus: Bus) -> None:
    """As when so many answers were given since that none of these is read at a start."""
    await bus.purge(streams.ANSWERS.name, ANSWERED)


async def said(bus: Bus) -> list[CalibrationDrifted]:
    """All turns that stand on the stream."""
    found: list[Delivery] = [one async for one in bus.scan(streams.CALIBRATION.name, [subjects.DRIFT.at(SITE)])]
    return [one.message for one in found if isinstance(one.message, CalibrationDrifted)]


async def test_a_raised_threshold_outlives_a_restart_that_knows_none_of_the_answers(
    bus: Bus, nats_server: NatsServer
) -> None:
    await publish(bus, KB, "v1")
    async with replica(nats_server, bus) as first:
        fitted = first.threshold
        await judge(bus, 0, 60, right=False)
        await first.at_end(bus)
        assert first.threshold == CLOSED
        assert [(one.resolved, one.threshold, one.version) for one in await said(bus)] == [(False, CLOSED, "v1")]
    await forget_answers(bus)
    async with replica(nats_server, bus) as second:
        assert second.threshold == CLOSED
        await judge(bus, 1_000, 600, right=True)
        await second.at_end(bus)
        assert second.threshold == fitted
        assert (await said(bus))[-1].resolved
    await forget_answers(bus)
    async with replica(nats_server, bus) as third:
        assert third.threshold == fitted
        turns = await said(bus)
        await publish(bus, KB, "v2", at_unix_ms=2)
        await until(lambda: third.confidence._files[KB].version == "v2")
        assert third.threshold == fitted
        await judge(bus, 2_000, 60, right=False)
        await third.at_end(bus)
        assert third.threshold == CLOSED
        assert [one.version for one in (await said(bus))[len(turns) :]] == ["v2"]


async def test_a_new_calibration_starts_afresh_after_a_restart_too(bus: Bus, nats_server: NatsServer) -> None:
    await publish(bus, KB, "v1")
    async with replica(nats_server, bus) as first:
        fitted = first.threshold
        await judge(bus, 0, 40, right=False)
        await first.at_end(bus)
        assert first.threshold == CLOSED
    await forget_answers(bus)
    await publish(bus, KB, "v2", at_unix_ms=2)
    async with replica(nats_server, bus) as second:
        assert second.threshold == fitted


async def test_a_replica_that_follows_fewer_answers_comes_to_the_threshold_of_the_others(
    bus: Bus, nats_server: NatsServer
) -> None:
    await publish(bus, KB, "v1")
    async with replica(nats_server, bus) as knows, replica(nats_server, bus, followed_max=0) as knows_none:
        await judge(bus, 0, 40, right=False)
        await knows.at_end(bus)
        assert knows.threshold == CLOSED
        await until(lambda: knows_none.threshold == CLOSED)


async def test_audits_raise_the_threshold_where_their_answers_are_not_followed(
    bus: Bus, nats_server: NatsServer
) -> None:
    await publish(bus, KB, "v1")
    for number in range(40):
        audited = AnswerAudited(
            answer_id=f"a{number}",
            kb=KB,
            language="en",
            confidence=0.97,
            agrees=False,
            cloud_text="no",
            cost_usd=0.0,
            at_unix_ms=AT_MS,
            calibrated=True,
            given_unix_ms=AT_MS,
        )
        await bus.publish(subjects.AUDITED.at(SITE, KB), audited, msg_id=f"a{number}")
    async with replica(nats_server, bus) as one:
        assert one.threshold == CLOSED
