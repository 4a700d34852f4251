"""What hub.yaml and the command line may say of the engine."""

from dataclasses import replace

import pytest

from causeway.cli.commands.up import with_engine
from causeway.cli.engine_config import EngineConfig, EngineKind, words
from causeway.cli.errors import BadConfigError
from causeway.cli.site_config import Role, SiteConfig, parse_site_config

HUB = SiteConfig(site="hub")


def engine(text: str) -> EngineConfig:
    return parse_site_config(f"engine: {text}", "hub.yaml", Role.HUB).engine


def refusal(text: str) -> BadConfigError:
    with pytest.raises(BadConfigError) as caught:
        engine(text)
    return caught.value


def test_a_hub_has_no_engine_unless_it_is_asked_for() -> None:
    assert not parse_site_config("", "hub.yaml", Role.HUB).engine.own
    assert EngineConfig().kind is EngineKind.NONE


def test_a_site_has_no_engine() -> None:
    with pytest.raises(BadConfigError, match="engine is not a key"):
        parse_site_config("engine: {kind: vllm}", "site.yaml")


def test_the_settings_of_gpus_are_taken_as_they_are_written() -> None:
    found = engine(
        "{kind: vllm, device: cuda, tensor_parallel: 4, max_num_batched_tokens: 512, max_num_seqs: 256,"
        " prefix_caching: false, cuda_graphs: false, gpu_memory_utilization: 0.85, extra_args: '--seed 7'}"
    )
    assert (found.kind, found.device, found.tensor_parallel) == (EngineKind.VLLM, "cuda", 4)
    assert (found.max_num_batched_tokens, found.max_num_seqs) == (512, 256)
    assert (found.prefix_caching, found.cuda_graphs, found.gpu_memory_utilization) == (False, False, 0.85)
    assert words(found) == ("--seed", "7")


@pytest.mark.parametrize("share", ["0", "1.5", "-1", "ninety", "true", "[1]"])
def test_a_share_of_memory_is_above_zero_and_at_most_one(share: str) -> None:
    assert "above 0 and up to 1" in refusal(f"\n  kind: vllm\n  gpu_memory_utilization: {share}\n").mend


def test_a_wrong_kind_is_answered_with_its_line_and_the_kinds_that_there_are() -> None:
    error = refusal("\n  kind: tgi\n")
    assert error.message == "hub.yaml, line 2: engine.kind is 'tgi'"
    assert error.mend == "engine.kind takes none or vllm or llama.cpp or openai-url."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{kind: openai-url, model: m}", "url is ''"),
        ("{kind: openai-url, url: 'ftp://h', model: m}", "url is 'ftp://h'"),
        ("{kind: openai-url, url: 'https://user:pass@h/v1', model: m}", "url is"),
        ("{kind: openai-url, url: 'http://h:8000'}", "model is empty"),
        ("{kind: openai-url, url: 'http://h', model: m, metrics_url: h}", "metrics_url is 'h'"),
        ("{kind: vllm, url: 'http://h'}", "are of openai-url"),
        ("{kind: llama.cpp, key_file: k}", "are of openai-url"),
        ("{kind: llama.cpp, adapters: {k: a}}", "adapters are there and kind is llama.cpp"),
        ("{adapters: {k: a}}", "adapters are there and kind is none"),
        ("{kind: vllm, adapters: {'No Kb': a}}", "adapters has 'No Kb'"),
        ("{kind: vllm, max_num_batched_tokens: 256, max_num_seqs: 300}", "below max_num_seqs (300)"),
        ("{kind: vllm, tensor_parallel: 2}", "tensor_parallel is of device cuda"),
        ('{kind: vllm, extra_args: "--x \'open"}', "extra_args can not be taken apart"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_the_key(text: str, said: str) -> None:
    error = refusal(text)
    assert error.message.startswith("hub.yaml: engine.")
    assert said in error.message
    assert error.mend


def test_an_address_may_end_in_v1_which_clients_add_themselves() -> None:
    for url in ("http://h:8000", "http://h:8000/", "http://h:8000/v1", "http://h:8000/v1/"):
        assert engine(f"{{kind: openai-url, url: '{url}', model: m}}").base_url == "http://h:8000"
    assert engine("{kind: openai-url, url: 'https://h/api/v1', model: m}").base_url == "https://h/api"


def test_the_command_line_goes_before_the_file_and_leaves_what_it_does_not_name() -> None:
    config = replace(HUB, engine=EngineConfig(kind=EngineKind.VLLM, model="mine", max_num_seqs=7))
    assert with_engine(config, None, "", "", "") == config
    other = with_engine(config, EngineKind.LLAMA, "", "generator", "").engine
    assert (other.kind, other.model, other.max_num_seqs) == (EngineKind.LLAMA, "generator", 7)
    url = with_engine(HUB, EngineKind.URL, "http://h/v1", "m", "/k").engine
    assert (url.base_url, url.model, url.key_file) == ("http://h", "m", "/k")


def test_the_command_line_too_is_refused_when_it_does_not_fit() -> None:
    with pytest.raises(BadConfigError, match=r"--engine: engine\.url is ''"):
        with_engine(HUB, EngineKind.URL, "", "m", "")
    with pytest.raises(BadConfigError, match="are of openai-url"):
        with_engine(HUB, None, "http://h", "", "")
