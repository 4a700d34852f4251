"""Whose word on an answer counts."""

import pytest

from causeway.edge_inference.answer_index import Followed
from causeway.edge_inference.feedback_rules import Ignored, Ruling, Verdicts, rule
from causeway.proto.answers import Route
from causeway.proto.feedback import Feedback, Verdict


def answer(asker: str = "", route: Route = Route.EDGE, *, abstained: bool = False) -> Followed:
    """An answer to somebody."""
    return Followed(
        answer_id="a1",
        kb="kb",
        language="en",
        asker=asker,
        route=route,
        abstained=abstained,
        confidence=0.8,
        since=1,
        at_unix_ms=1,
        cited=(),
    )


def said(verdict: Verdict, asker: str = "", kb: str = "kb") -> Feedback:
    """A verdict on it."""
    return Feedback(answer_id="a1", kb=kb, verdict=verdict, asker=asker)


def test_an_unknown_answer_another_kb_and_another_asker_do_not_count() -> None:
    wrong = said(Verdict.WRONG, "ann")
    assert rule(wrong, None, None) == Ruling(ignored=Ignored.UNKNOWN_ANSWER)
    assert rule(said(Verdict.WRONG, "ann", "other"), answer("ann"), None) == Ruling(ignored=Ignored.OTHER_KB)
    assert rule(wrong, answer("bob"), None) == Ruling(ignored=Ignored.OTHER_ASKER)
    assert rule(said(Verdict.WRONG), answer("bob"), None) == Ruling(ignored=Ignored.OTHER_ASKER)


def test_the_asker_counts_and_of_an_anonymous_answer_anybody() -> None:
    assert rule(said(Verdict.RIGHT, "ann"), answer("ann"), None) == Ruling(example=True)
    assert rule(said(Verdict.WRONG, "ann"), answer(), None) == Ruling(rejects=True, example=True)
    assert rule(said(Verdict.CORRECTED), answer(), None) == Ruling(rejects=True, example=True)


@pytest.mark.parametrize(
    ("before", "now", "rejects"),
    [
        (Verdict.RIGHT, Verdict.RIGHT, False),
        (Verdict.RIGHT, Verdict.WRONG, True),
        (Verdict.RIGHT, Verdict.CORRECTED, True),
        (Verdict.WRONG, Verdict.RIGHT, False),
        (Verdict.WRONG, Verdict.CORRECTED, False),
    ],
)
def test_a_second_verdict_is_never_counted_and_rejects_only_what_was_right_before(
    before: Verdict, now: Verdict, rejects: bool
) -> None:
    assert rule(said(now), answer(), before) == Ruling(ignored=Ignored.REPEATED, rejects=rejects)


@pytest.mark.parametrize("route", [Route.CLOUD, Route.CACHE])
def test_only_local_answers_are_examples_of_the_local_confidence(route: Route) -> None:
    assert rule(said(Verdict.WRONG), answer(route=route), None) == Ruling(rejects=True)
    assert rule(said(Verdict.WRONG), answer(abstained=True), None) == Ruling(rejects=True)
    assert rule(said(Verdict.RIGHT), answer(route=Route.FALLBACK), None) == Ruling(example=True)


def test_the_first_verdict_of_each_asker_is_remembered_up_to_a_limit() -> None:
    verdicts = Verdicts(2)
    for asker in ("ann", "bob", "eve"):
        verdicts.remember(said(Verdict.RIGHT, asker))
    verdicts.remember(said(Verdict.WRONG, "eve"))
    assert [verdicts.first(said(Verdict.WRONG, asker)) for asker in ("ann", "bob", "eve")] == [
        None,
        Verdict.RIGHT,
        Verdict.RIGHT,
    ]
