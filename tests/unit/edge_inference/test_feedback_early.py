"""Judgements that come before their answer: the first few of each wait for it, without texts, and not for ever."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from prometheus_client import CollectorRegistry

from causeway.bus import Bus, Delivery, Position
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.answer_index import AnswerIndex
from causeway.edge_inference.answers_following import AnswersFollowing
from causeway.edge_inference.feedback_following import EARLY_EACH_MAX, EARLY_MAX, EARLY_MS_MAX, FeedbackFollowing
from causeway.edge_inference.feedback_rules import Observation
from causeway.proto import Message
from causeway.proto.feedback import AnswerAudited, Feedback, Verdict
from tests.support.answers_given import given
from tests.support.knowledge_builders import KB
from tests.support.replica_site import SITE

NOW_MS = 1_760_000_000_000


class Place:
    """A follower of feedback whose streams are the test's."""

    def __init__(self) -> None:
        metrics = AftermathMetrics(CollectorRegistry())
        self.observed: list[Observation] = []
        self.seq = 0
        bus = cast(Bus, self)
        self.answers = AnswersFollowing(bus, SITE, AnswerIndex(100), metrics)
        self.feedback = FeedbackFollowing(bus, SITE, self.answers, metrics, observers=[self.observe])

    def follow(self, *where: Any, **how: Any) -> SimpleNamespace:
        return SimpleNamespace(position=Position(), caught_up=asyncio.Event())

    async def observe(self, observation: Observation) -> None:
        self.observed.append(observation)

    async def judge(self, *judgements: Message, at_ms: int = NOW_MS) -> None:
        await self.feedback._on_feedback(self._deliveries(judgements, at_ms))

    async def give(self, *answer_ids: str) -> None:
        await self.answers.handle(self._deliveries([given(one) for one in answer_ids], NOW_MS))

    def _deliveries(self, messages: Sequence[Message], at_ms: int) -> list[Delivery]:
        found = []
        for message in messages:
            self.seq += 1
            found.append(
                Delivery(
                    subject="any",
                    message=message,
                    stream="any",
                    stream_seq=self.seq,
                    num_delivered=1,
                    timestamp=datetime.fromtimestamp(at_ms / 1000, UTC),
                    headers={},
                    size_bytes=1,
                )
            )
        return found


def wrong(answer_id: str, asker: str = "ann", text: str = "") -> Feedback:
    verdict = Verdict.CORRECTED if text else Verdict.WRONG
    return Feedback(answer_id=answer_id, kb=KB, verdict=verdict, corrected_text=text, asker=asker)


def audit(answer_id: str, given_unix_ms: int = 0) -> AnswerAudited:
    return AnswerAudited(
        answer_id=answer_id,
        kb=KB,
        language="zh",
        confidence=0.75,
        agrees=False,
        cloud_text="no",
        cost_usd=0.0,
        at_unix_ms=5,
        calibrated=given_unix_ms > 0,
        given_unix_ms=given_unix_ms,
    )


async def test_of_one_answer_only_the_first_few_wait_and_none_with_its_text() -> None:
    place = Place()
    for number in range(100):
        await place.judge(wrong("a1", f"asker-{number}", text="x" * 1_000))
    waiting = place.feedback._early["a1"]
    assert len(waiting) == EARLY_EACH_MAX
    assert all(isinstance(one, Feedback) and not one.corrected_text for one, _ in waiting)
    await place.give("a1")
    assert [one.seq for one in place.observed] == list(range(1, EARLY_EACH_MAX + 1))
    assert not place.feedback._early


async def test_what_has_waited_for_minutes_waits_no_longer() -> None:
    place = Place()
    await place.judge(wrong("a1"))
    await place.judge(wrong("a2"), at_ms=NOW_MS + EARLY_MS_MAX)
    assert list(place.feedback._early) == ["a1", "a2"]
    await place.judge(wrong("a3"), at_ms=NOW_MS + EARLY_MS_MAX + 1)
    await place.give("a1", "a2")
    assert len(place.observed) == 1


async def test_a_judgement_of_an_answer_whose_first_one_waited_too_long_waits_itself() -> None:
    place = Place()
    await place.judge(wrong("a1"))
    await place.judge(wrong("a1", "bob"), at_ms=NOW_MS + EARLY_MS_MAX + 1)
    await place.give("a1")
    assert [one.seq for one in place.observed] == [2]


async def test_no_more_answers_are_waited_for_than_the_limit() -> None:
    place = Place()
    await place.judge(*(wrong(f"a{number}") for number in range(EARLY_MAX + 5)))
    assert len(place.feedback._early) == EARLY_MAX


async def test_an_audit_that_tells_of_its_answer_waits_for_nothing() -> None:
    place = Place()
    await place.judge(audit("old"), audit("gone", given_unix_ms=77))
    (one,) = place.observed
    assert (one.kb, one.language, one.confidence, one.right) == (KB, "zh", 0.75, False)
    assert (one.calibrated, one.given_unix_ms, one.at_unix_ms, one.seq) == (True, 77, NOW_MS, 2)
    assert list(place.feedback._early) == ["old"]
