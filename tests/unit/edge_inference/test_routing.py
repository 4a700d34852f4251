"""The decision: its order by examples, and what holds of it whatever the inputs are."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.edge_inference.routing import Cloud, Inputs, Reason, decide, may_leave, strictest
from causeway.edge_inference.routing_table import document
from causeway.proto.answers import Route
from causeway.proto.documents import Residency
from causeway.proto.reasons import REASONS, reason_text

DOCUMENT = Path(__file__).parents[3] / "docs" / "routing.md"
UNSURE = Inputs(probability=0.4, threshold=0.8)
shares = st.floats(0, 1)
times_ms = st.floats(0, 130_000)
any_inputs = st.builds(
    Inputs,
    cached=st.booleans(),
    cache_wanted=st.booleans(),
    abstained=st.booleans(),
    probability=shares,
    threshold=shares,
    question_residency=st.sampled_from(Residency),
    evidence_residency=st.sampled_from(Residency),
    cloud_wanted=st.booleans(),
    link_connected=st.booleans(),
    breaker_allows=st.booleans(),
    budget_allows=st.booleans(),
    left_ms=times_ms,
    margin_ms=st.floats(0, 500),
    local_p99_ms=st.floats(0, 5_000),
    cloud_first_token_ms=st.floats(0, 5_000),
    cloud_ms_min=st.floats(1, 500),
    hedge_ms=st.floats(1, 5_000),
    link_ms=st.floats(0, 1_000),
    cloud=st.sampled_from(Cloud),
)


@pytest.mark.parametrize(
    ("changes", "route", "reason"),
    [
        ({"cached": True, "probability": 1.0}, Route.CACHE, Reason.CACHED),
        ({"cached": True, "cache_wanted": False, "probability": 1.0}, Route.EDGE, Reason.CONFIDENT),
        ({"probability": 0.8}, Route.EDGE, Reason.CONFIDENT),
        ({"probability": 1.0, "abstained": True}, Route.CLOUD, Reason.ABSTAINED),
        ({}, Route.CLOUD, Reason.UNSURE),
        ({"question_residency": Residency.INTERNAL}, Route.EDGE, Reason.INTERNAL),
        ({"evidence_residency": Residency.RESTRICTED}, Route.EDGE, Reason.RESTRICTED),
        ({"cloud_wanted": False, "link_connected": False}, Route.EDGE, Reason.NOT_WANTED),
        ({"link_connected": False, "breaker_allows": False}, Route.EDGE, Reason.NO_LINK),
        ({"breaker_allows": False, "budget_allows": False}, Route.EDGE, Reason.BREAKER_OPEN),
        ({"budget_allows": False, "left_ms": 1.0}, Route.EDGE, Reason.BUDGET),
        ({"left_ms": 99.0}, Route.EDGE, Reason.NO_TIME),
        ({"left_ms": 400.0, "cloud_first_token_ms": 380.0}, Route.EDGE, Reason.NO_TIME),
        ({"left_ms": 400.0, "local_p99_ms": 390.0}, Route.EDGE, Reason.NO_TIME),
        ({"left_ms": 400.0, "link_ms": 301.0}, Route.EDGE, Reason.NO_TIME),
        ({"left_ms": 400.0, "link_ms": 300.0}, Route.CLOUD, Reason.UNSURE),
        ({"link_ms": 500.0}, Route.EDGE, Reason.NO_TIME),
        ({"cloud": Cloud.ANSWERED, "breaker_allows": False, "left_ms": 0.0}, Route.CLOUD, Reason.UNSURE),
        ({"cloud": Cloud.BROKEN}, Route.FALLBACK, Reason.CLOUD_BROKEN),
        ({"cloud": Cloud.BROKEN, "cached": True}, Route.CACHE, Reason.CACHED),
        ({"cloud": Cloud.REFUSED_BUSY, "evidence_residency": Residency.RESTRICTED}, Route.EDGE, Reason.RESTRICTED),
    ],
)
def test_the_first_rule_that_holds_decides(changes: dict[str, object], route: Route, reason: Reason) -> None:
    decision = decide(replace(UNSURE, **changes))  # type: ignore[arg-type]
    assert (decision.route, decision.reason) == (route, reason)


def test_the_cloud_gets_the_hedge_for_its_first_token_and_the_rest_less_the_margin_in_all() -> None:
    asked = decide(replace(UNSURE, left_ms=2_000.0, margin_ms=50.0, hedge_ms=500.0))
    assert (asked.ask, asked.first_token_ms, asked.total_ms) == (True, 500.0, 1_950.0)
    assert decide(replace(UNSURE, left_ms=300.0)).first_token_ms == 250.0


def test_the_hub_gets_what_the_link_leaves_of_both() -> None:
    near, far = (decide(replace(UNSURE, left_ms=2_000.0, link_ms=link_ms)) for link_ms in (0.0, 200.0))
    assert (near.hub_first_token_ms, near.hub_total_ms) == (near.first_token_ms, near.total_ms) == (500.0, 1_950.0)
    assert (far.hub_first_token_ms, far.hub_total_ms) == (300.0, 1_750.0)
    assert (far.first_token_ms, far.total_ms) == (500.0, 1_950.0), "whoever waits waits as long"


def test_a_slow_hub_is_tried_for_the_hedge_where_there_is_time_for_it() -> None:
    """What a first token took lately keeps nobody from trying who would wait for the hedge anyhow."""
    assert decide(replace(UNSURE, cloud_first_token_ms=9_000.0)).ask


@given(any_inputs)
def test_every_input_gives_exactly_one_decision_and_the_same_again(inputs: Inputs) -> None:
    decision = decide(inputs)
    assert decision == decide(replace(inputs))
    assert decision.ask <= (decision.route is Route.CLOUD)
    if decision.ask:
        assert 0 < decision.first_token_ms <= decision.total_ms <= inputs.left_ms
        assert 0 < decision.hub_first_token_ms <= decision.hub_total_ms


@given(any_inputs)
def test_what_is_not_public_never_goes_to_the_cloud_whatever_else_holds(inputs: Inputs) -> None:
    for label in (Residency.RESTRICTED, Residency.INTERNAL):
        for marked in (replace(inputs, question_residency=label), replace(inputs, evidence_residency=label)):
            decision = decide(marked)
            assert decision.route is not Route.CLOUD
            assert not decision.ask
            assert not may_leave(marked)


@given(any_inputs)
def test_an_asker_who_wants_no_cloud_gets_none(inputs: Inputs) -> None:
    assert not decide(replace(inputs, cloud_wanted=False)).ask


@given(any_inputs, shares)
def test_more_confidence_never_sends_a_question_away(inputs: Inputs, other: float) -> None:
    low, high = sorted((inputs.probability, other))
    sure, unsure = (decide(replace(inputs, probability=value)) for value in (high, low))
    assert sure.ask <= unsure.ask
    if unsure.route is Route.EDGE:
        assert sure.route is Route.EDGE


@given(any_inputs)
def test_a_lower_threshold_never_sends_a_question_away(inputs: Inputs) -> None:
    assert decide(replace(inputs, threshold=inputs.threshold / 2)).ask <= decide(inputs).ask


@given(any_inputs)
def test_more_time_never_keeps_a_question_from_the_cloud(inputs: Inputs) -> None:
    assert decide(inputs).ask <= decide(replace(inputs, left_ms=inputs.left_ms + 1_000)).ask


@given(any_inputs)
def test_a_fallback_is_given_only_after_the_cloud_was_asked_and_names_what_it_came_to(inputs: Inputs) -> None:
    decision = decide(inputs)
    if decision.route is Route.FALLBACK:
        assert decision.reason.value == inputs.cloud.value
        assert inputs.cloud not in (Cloud.NOT_ASKED, Cloud.ANSWERED)


def test_the_strictest_of_labels_is_the_one_that_allows_least() -> None:
    for some in itertools.product(Residency, repeat=2):
        assert strictest(*some) is strictest(*reversed(some))
    assert strictest(Residency.PUBLIC, Residency.INTERNAL) is Residency.INTERNAL
    assert strictest(Residency.INTERNAL, Residency.RESTRICTED) is Residency.RESTRICTED
    assert strictest() is Residency.PUBLIC


def test_every_reason_has_a_text_in_both_languages() -> None:
    assert set(REASONS) == {reason.value for reason in Reason}
    for reason in Reason:
        english, chinese = reason_text(reason, "en"), reason_text(reason, "zh-CN")
        assert english.isascii()
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
        assert reason_text(reason, "und") == english


def test_a_pause_is_the_operators_and_no_budget_is_blamed_for_it() -> None:
    english, chinese = (reason_text(Reason.REFUSED_PAUSED, language) for language in ("en", "zh"))
    assert "operator" in english
    assert "运维人员" in chinese
    assert "budget" not in english
    assert "预算" not in chinese


def test_the_document_is_what_the_function_decides() -> None:
    stale = "run `python -m causeway.edge_inference.routing_table > docs/routing.md`"
    assert DOCUMENT.read_text(encoding="utf-8") == document(), stale
