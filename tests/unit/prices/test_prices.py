"""Prices: the table is whole and dated, arithmetic is exact, and what nobody knows is said."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.prices import SHIPPED, Price, PriceTable, Tokens, cost, energy_usd, read_table, watt_hours

COUNTS = st.integers(min_value=0, max_value=10_000_000)


def test_every_shipped_price_has_a_source_and_a_name_of_its_own() -> None:
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", SHIPPED.as_of)
    assert (SHIPPED.currency, SHIPPED.unit) == ("USD", "per million tokens")
    assert all(price.source.startswith("https://") for price in SHIPPED.models)
    assert all(price.output >= price.input > 0 for price in SHIPPED.models)
    assert all(price.cached_input is None or price.cached_input <= price.input for price in SHIPPED.models)
    assert len({price.model for price in SHIPPED.models}) == len(SHIPPED.models)


def test_a_million_of_each_costs_what_the_table_says() -> None:
    million = 1_000_000
    found = cost(Tokens(prompt=2 * million, completion=million, cached=million), "gpt-4o-mini")
    assert found.usd == pytest.approx(0.15 + 0.075 + 0.6)
    assert found.known
    assert SHIPPED.as_of in found.why


@pytest.mark.parametrize(
    "name",
    ["gpt-4o-mini", "GPT-4o-mini", "openai/gpt-4o-mini", "gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini-20240718"],
)
def test_a_model_is_found_with_its_vendor_and_its_date(name: str) -> None:
    price = SHIPPED.of(name)
    assert price is not None
    assert price.model == "gpt-4o-mini"


@pytest.mark.parametrize("name", ["", "gpt-4o-mini-audio", "gpt", "gpt-4o-mini-2024-07", "mini"])
def test_another_name_is_another_model(name: str) -> None:
    assert SHIPPED.of(name) is None


def test_an_unknown_model_costs_nothing_and_says_that_nobody_knows() -> None:
    found = cost(Tokens(prompt=100, completion=100), "qwen2.5-0.5b-instruct")
    assert (found.usd, found.known) == (0.0, False)
    assert "qwen2.5-0.5b-instruct" in found.why


def test_the_operators_own_price_goes_before_the_table() -> None:
    own = Price(model="anything", input=1.0, output=2.0)
    found = cost(Tokens(prompt=500_000, completion=250_000, cached=100_000), "gpt-4o-mini", configured=own)
    assert found.usd == pytest.approx(1.0)
    assert found.why == "the configured price"


@given(prompt=COUNTS, completion=COUNTS, more=COUNTS)
def test_more_tokens_never_cost_less_and_cached_ones_never_more(prompt: int, completion: int, more: int) -> None:
    name = "deepseek-chat"
    little = cost(Tokens(prompt=prompt, completion=completion), name).usd
    assert cost(Tokens(prompt=prompt + more, completion=completion), name).usd >= little
    assert cost(Tokens(prompt=prompt, completion=completion + more), name).usd >= little
    assert cost(Tokens(prompt=prompt, completion=completion, cached=prompt), name).usd <= little


@pytest.mark.parametrize("tokens", [Tokens(prompt=-1), Tokens(prompt=5, cached=6), Tokens(completion=-2)])
def test_counts_that_can_not_be_are_refused(tokens: Tokens) -> None:
    with pytest.raises(ValueError, match="can not be"):
        cost(tokens, "deepseek-chat")


def test_a_table_with_a_negative_price_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        read_table(b'{"as_of": "2026-01-01", "models": [{"model": "m", "input": -1, "output": 1}]}')
    empty = read_table(b'{"as_of": "2026-01-01", "models": []}')
    assert empty == PriceTable(as_of="2026-01-01", models=())


def test_energy_is_power_times_time_and_unknown_without_power() -> None:
    assert watt_hours(3_600_000, 40.0) == 40.0
    assert watt_hours(90_000, 40.0) == pytest.approx(1.0)
    assert watt_hours(1_000, None) is None
    assert energy_usd(500.0, 0.2) == pytest.approx(0.1)
    assert energy_usd(None, 0.2) == 0.0
