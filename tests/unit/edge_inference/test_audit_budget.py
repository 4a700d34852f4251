"""Audits: what may leave, and that no day costs more than it may, in whatever order they end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.edge_inference.audit_budget import AuditBudget, AuditRule, may_leave
from causeway.proto.answers import Route
from causeway.proto.documents import Residency
from tests.support.answers_given import answer_of, ask_of

DAY_MS = 86_400_000
NOON = 20_000 * DAY_MS + DAY_MS // 2


def test_a_public_question_with_a_public_local_answer_may_leave() -> None:
    assert may_leave(ask_of(), answer_of())


@pytest.mark.parametrize("residency", [Residency.RESTRICTED, Residency.INTERNAL])
def test_nothing_that_is_not_public_may_leave(residency: Residency) -> None:
    assert not may_leave(ask_of(residency=residency), answer_of())
    assert not may_leave(ask_of(), answer_of(residency=residency))


@pytest.mark.parametrize(
    "more",
    [{"route": Route.CLOUD}, {"route": Route.CACHE}, {"route": Route.FALLBACK}, {"abstained": True}, {"text": " "}],
)
def test_only_local_answers_that_say_something_are_audited(more: dict[str, object]) -> None:
    assert not may_leave(ask_of(), answer_of("a1", **more))


def test_an_asker_who_keeps_the_cloud_out_is_not_audited() -> None:
    assert not may_leave(ask_of(cloud=False), answer_of())
    assert not may_leave(ask_of(), answer_of(answer_id=""))


@given(
    costs=st.lists(st.tuples(st.floats(0, 0.02), st.sampled_from(["settle", "refund", "wait"])), max_size=80),
    day_max=st.integers(0, 20),
)
def test_a_day_never_costs_more_than_it_may_while_each_stays_below_its_bound(
    costs: list[tuple[float, str]], day_max: int
) -> None:
    rule = AuditRule(per_day_max=day_max, usd_per_day_max=0.1, usd_each_max=0.02)
    budget, done = AuditBudget(rule), 0
    for number, (usd, end) in enumerate(costs):
        if budget.reserve(f"a{number}", NOON):
            done += 1
            if end == "settle":
                budget.settle(f"a{number}", NOON, usd, NOON)
            elif end == "refund":
                budget.refund(f"a{number}")
                done -= 1
        assert budget.spent_usd <= 0.1 + 1e-9
        assert done <= day_max


def test_the_number_of_a_day_counts_also_where_audits_cost_nothing() -> None:
    budget = AuditBudget(AuditRule(per_day_max=2, usd_per_day_max=0.0, usd_each_max=0.0))
    assert [budget.reserve(name, NOON) for name in "abc"] == [True, True, False]


def test_what_other_replicas_spent_counts_once_and_a_new_day_begins_at_midnight() -> None:
    budget = AuditBudget(AuditRule(per_day_max=9, usd_per_day_max=0.03, usd_each_max=0.01))
    for _ in range(2):
        budget.settle("theirs", NOON, 0.015, NOON)
    budget.settle("yesterday", NOON - DAY_MS, 5.0, NOON)
    assert budget.spent_usd == 0.015
    assert [budget.reserve(name, NOON) for name in ("theirs", "own", "more")] == [False, True, False]
    assert budget.reserve("tomorrow", NOON + DAY_MS)
    assert budget.spent_usd == 0.0


@pytest.mark.parametrize("ahead_ms", [DAY_MS, 400 * DAY_MS])
def test_a_clock_that_is_ahead_elsewhere_does_not_end_the_day_here(ahead_ms: int) -> None:
    budget = AuditBudget(AuditRule(per_day_max=3, usd_per_day_max=1.0, usd_each_max=0.01))
    budget.settle("ahead", NOON + ahead_ms, 0.01, NOON)
    allowed = 0
    for number in range(1_000):
        if budget.reserve(f"a{number}", NOON):
            allowed += 1
            budget.settle(f"a{number}", NOON, 0.01, NOON)
    assert allowed == 2
    tomorrow = NOON + DAY_MS
    assert [budget.reserve(name, tomorrow) for name in ("b1", "b2", "b3")] == [True, True, False]
    assert budget.reserve("c1", tomorrow + DAY_MS)
    assert budget.spent_usd == 0.0
