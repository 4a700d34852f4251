"""The small parts of scheduling: what a reply of the hub must be, what bears a text, names, times of late."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.breaker import Outcome, Phase, Result, Rule, closed, record
from causeway.edge_inference.answer_ids import AnswerIds
from causeway.edge_inference.cloud_client import TEXT_CHARS_MAX, Checking
from causeway.edge_inference.composing import cited_chunks, support
from causeway.edge_inference.pace import NEWS_S, Pace
from causeway.edge_inference.routing import Cloud
from causeway.edge_inference.scheduling_ports import CloudFailed
from causeway.edge_inference.settings import Settings
from causeway.edge_inference.surroundings import (
    OPENS_BY_GOOD_ANSWERS,
    breaker_rule,
    scheduling_rule,
    tariff_of,
)
from causeway.proto.cloud import CloudPart, CloudPartKind
from causeway.runtime import BadSettingError
from tests.support.scripted_cloud import accepted, citation, cloud_answer, final, token


def fault(*parts: CloudPart) -> str:
    """The code of what is wrong with a reply of these parts, or nothing."""
    checking = Checking()
    try:
        for part in parts:
            checking.check(part)
    except CloudFailed as error:
        return error.code
    return ""


def test_a_good_reply_passes_also_without_an_admission_or_tokens() -> None:
    assert fault(accepted(), token(1, "a"), token(2, "b"), final(3)) == ""
    assert fault(token(0, "a"), final(1)) == ""
    assert fault(final(0)) == ""
    assert fault(final(0, finish_reason="length")) == ""
    assert fault(final(0, finish_reason="abort")) == ""
    assert fault(final(0, abstained=True, text="", finish_reason="")) == ""


@pytest.mark.parametrize(
    "parts",
    [
        (token(1, "a"), token(1, "a")),
        (token(2, "a"), token(1, "b")),
        (token(0, "a"), CloudPart(kind=CloudPartKind.ACCEPTED, index=1)),
        (CloudPart(kind=CloudPartKind.FINAL, index=0),),
        (final(0, text="  "),),
        (final(0, cost_usd=-1.0),),
        (final(0, cost_usd=float("nan")),),
        (final(0, watt_hours=float("inf")),),
        (final(0, completion_tokens=-3),),
        (token(1, "a" * TEXT_CHARS_MAX), token(2, "a")),
    ],
)
def test_what_can_not_be_a_reply_is_garbage(parts: tuple[CloudPart, ...]) -> None:
    assert fault(*parts) == CloudFailed.GARBAGE


def test_an_engine_that_gave_up_is_broken() -> None:
    assert fault(final(0, finish_reason="error")) == CloudFailed.BROKEN


def test_a_text_is_borne_by_what_it_cites_and_its_marks_are_no_part_of_it() -> None:
    assert support(cloud_answer()) == 1.0
    assert support(cloud_answer(text="Bananas grow on trees [1].")) == 0.0
    assert support(cloud_answer(citations=[])) == 0.0
    assert support(cloud_answer(text="[1]")) == 0.0
    chinese = cloud_answer(text="每位员工有十二天年假[1]。", citations=[citation(quote="每位员工每年有十二天年假。")])
    assert support(chinese) > 0.9


def test_across_languages_it_is_the_share_of_sentences_with_a_mark() -> None:
    assert support(cloud_answer(text="每位员工有十二天年假[1]。其余情况不详。")) == 0.5


def test_a_chunk_that_is_cited_twice_is_one() -> None:
    assert len(cited_chunks([citation(), citation(), citation("branch-2")])) == 2


@given(st.lists(st.integers(-5, 5), max_size=60))
def test_names_of_answers_are_unique_and_rise_whatever_the_clock_does(steps: list[int]) -> None:
    now = [1_800_000_000_000]
    chance = random.Random(0)
    ids = AnswerIds(lambda: now[0], chance.randbytes)
    names = []
    for step in steps:
        now[0] += step
        names.append(ids.next())
    assert names == sorted(set(names))
    assert all(name[14] == "7" and name[19] in "89ab" for name in names)


def test_more_names_than_a_millisecond_has_still_rise() -> None:
    ids = AnswerIds(lambda: 1, lambda count: b"\xff" * count)
    names = [ids.next() for _ in range(10_000)]
    assert names == sorted(set(names))


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_quantile_is_one_of_the_times_that_so_many_kept_within(times: list[float], share: float) -> None:
    pace = Pace()
    for took_s in times:
        pace.add(0.0, took_s)
    found = pace.quantile_ms(share, 1.0) / 1000
    assert sum(took_s <= found + 1e-9 for took_s in times) >= share * len(times)
    assert any(abs(took_s - found) < 1e-9 for took_s in times)


def test_what_was_slow_long_ago_is_no_news() -> None:
    pace = Pace()
    pace.add(0.0, 9.0)
    assert pace.quantile_ms(0.5, NEWS_S) == 9_000.0
    assert pace.quantile_ms(0.5, NEWS_S + 1) == 0.0


def settings(**changes: object) -> Settings:
    return Settings(site="branch-1", vault_dir="vault", **changes)  # type: ignore[arg-type]


def test_settings_become_rules() -> None:
    assert breaker_rule(settings()) == Rule()
    rule = scheduling_rule(settings(breaker_failures=" busy, paused ", cloud_first_token_ms=200))
    assert rule.refusals_that_count == {Cloud.REFUSED_BUSY, Cloud.REFUSED_PAUSED}
    assert rule.first_token_ms == 200
    assert scheduling_rule(settings(breaker_failures="")).refusals_that_count == frozenset()


def test_a_site_that_gives_the_hub_more_time_does_not_take_an_answer_in_that_time_for_slow() -> None:
    patient = breaker_rule(settings(cloud_first_token_ms=5_000))
    state = closed(patient)
    for number in range(20):
        state = record(state, Outcome(Result.SUCCESS, 1.2, state.turns), float(number))
    assert state.phase is Phase.CLOSED
    assert breaker_rule(settings(cloud_first_token_ms=5_000, breaker_slow_ms=700)).slow_call_s == 0.7


@pytest.mark.parametrize(("slow_ms", "said"), [(None, False), (5_000, False), (700, True)])
def test_a_breaker_that_answers_in_time_may_open_is_said_in_the_log(
    slow_ms: int | None, said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    breaker_rule(settings(cloud_first_token_ms=5_000, breaker_slow_ms=slow_ms))
    assert (OPENS_BY_GOOD_ANSWERS in caplog.text) is said


def test_settings_that_contradict_themselves_are_refused_by_name() -> None:
    with pytest.raises(BadSettingError, match="EDGE_INFERENCE_BREAKER_FAILURES"):
        scheduling_rule(settings(breaker_failures="busy,tired"))
    # Of one knowledge base alone, or with no reason of its own at the site: the breaker can not count it.
    with pytest.raises(BadSettingError, match="it takes some of deadline_unreachable"):
        scheduling_rule(settings(breaker_failures="engine_refused"))
    with pytest.raises(BadSettingError, match="EDGE_INFERENCE_BREAKER_"):
        breaker_rule(settings(breaker_open_wait_s=90.0))


def test_a_price_takes_both_of_its_halves() -> None:
    assert tariff_of(settings(cloud_usd_per_million_input=1.0)).cloud is None
    price = tariff_of(settings(cloud_usd_per_million_input=1.0, cloud_usd_per_million_output=2.0)).cloud
    assert price is not None
    assert (price.input, price.output) == (1.0, 2.0)
