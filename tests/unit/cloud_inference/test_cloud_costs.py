"""What an answer costs: tokens by price, and its share of the engine's time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.cloud_inference.completions import Usage
from causeway.cloud_inference.pricing import SharedTime, cost_usd
from causeway.prices import Price

PRICE = Price(model="m", input=2.0, output=10.0, cached_input=0.5)


def test_each_kind_of_token_has_its_price() -> None:
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=100_000, cached_tokens=400_000)
    assert cost_usd(usage, "m", PRICE) == pytest.approx(0.6 * 2.0 + 0.4 * 0.5 + 0.1 * 10.0)


def test_more_cached_tokens_than_there_are_cost_no_more_and_end_no_answer() -> None:
    odd = Usage(prompt_tokens=10, completion_tokens=0, cached_tokens=99)
    assert cost_usd(odd, "m", PRICE) == cost_usd(
        Usage(prompt_tokens=10, completion_tokens=0, cached_tokens=10), "m", PRICE
    )


def test_a_model_without_a_price_costs_nothing_that_is_known() -> None:
    assert cost_usd(Usage(prompt_tokens=10, completion_tokens=5), "nobody's model", None) == 0.0


def test_two_requests_at_once_share_the_time() -> None:
    shared = SharedTime()
    first = shared.began(0.0)
    second = shared.began(1.0)
    assert shared.ended(first, 3.0) == pytest.approx(2.0)
    assert shared.ended(second, 4.0) == pytest.approx(2.0)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=10))
def test_the_shares_add_up_to_the_time_that_anything_ran(spans: list[tuple[float, float]]) -> None:
    events = sorted(
        [(start, 0, number) for number, (start, _) in enumerate(spans)]
        + [(start + length, 1, number) for number, (start, length) in enumerate(spans)]
    )
    shared, began, shares, busy_s, running, at_s = SharedTime(), {}, {}, 0.0, 0, 0.0
    for now_s, kind, number in events:
        busy_s += now_s - at_s if running else 0.0
        at_s = now_s
        if kind == 0:
            began[number] = shared.began(now_s)
            running += 1
        else:
            shares[number] = shared.ended(began[number], now_s)
            running -= 1
    assert sum(shares.values()) == pytest.approx(busy_s, abs=1e-6)
    assert all(share >= -1e-9 for share in shares.values())
