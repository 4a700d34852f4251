"""Settings that contradict themselves refuse the start, with the name of the variable."""

import pytest

from causeway.cloud_inference.settings import from_environment
from causeway.runtime import BadSettingError

HUB = {"CAUSEWAY_SITE": "hub"}
ENGINE = {
    **HUB,
    "CLOUD_INFERENCE_ENGINE": "vllm",
    "CLOUD_INFERENCE_ENGINE_URL": "http://127.0.0.1:8000",
    "CLOUD_INFERENCE_MILVUS_URI": "http://127.0.0.1:19530",
}


def test_a_hub_without_an_engine_needs_no_more_than_its_name() -> None:
    assert from_environment(HUB).engine == "none"


@pytest.mark.parametrize("missing", ["CLOUD_INFERENCE_ENGINE_URL", "CLOUD_INFERENCE_MILVUS_URI"])
def test_an_engine_needs_its_address_and_something_to_search(missing: str) -> None:
    with pytest.raises(BadSettingError, match=missing):
        from_environment({name: value for name, value in ENGINE.items() if name != missing})


def test_adapters_are_by_kb() -> None:
    settings = from_environment({**ENGINE, "CLOUD_INFERENCE_ADAPTERS": "leave=lora1, plant=lora2"})
    assert settings.adapters_by_kb() == {"leave": "lora1", "plant": "lora2"}
    assert from_environment(ENGINE).adapters_by_kb() == {}


@pytest.mark.parametrize("wrong", ["leave", "leave=", "=lora", "a=b=c"])
def test_adapters_that_can_not_be_read_refuse_the_start(wrong: str) -> None:
    with pytest.raises(BadSettingError, match="ADAPTERS"):
        from_environment({**ENGINE, "CLOUD_INFERENCE_ADAPTERS": wrong})


@pytest.mark.parametrize(("chosen", "expected"), [({}, 8), ({"REQUESTS_MAX": "1"}, 1), ({"SITE_REQUESTS_MAX": "3"}, 3)])
def test_one_site_may_have_half_of_all_asks_unless_it_is_set(chosen: dict[str, str], expected: int) -> None:
    environment = {f"CLOUD_INFERENCE_{name}": value for name, value in chosen.items()}
    assert from_environment({**ENGINE, **environment}).requests_max_of_site() == expected


def test_a_price_is_the_operators_only_when_both_halves_are_set() -> None:
    half = {**ENGINE, "CLOUD_INFERENCE_PRICE_PROMPT_USD": "2"}
    assert from_environment(half).price() is None
    price = from_environment({**half, "CLOUD_INFERENCE_PRICE_COMPLETION_USD": "8"}).price()
    assert price is not None
    assert (price.input, price.output, price.cached_input) == (2.0, 8.0, None)
