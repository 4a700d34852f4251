"""What site.yaml may say."""

import pytest

from causeway.cli.errors import BadConfigError
from causeway.cli.site_config import SERVICES, Role, SiteConfig, example_config, parse_site_config


def refusal(text: str) -> BadConfigError:
    with pytest.raises(BadConfigError) as caught:
        parse_site_config(text, "site.yaml")
    return caught.value


def test_an_empty_file_is_the_default_site() -> None:
    assert parse_site_config("", "site.yaml") == SiteConfig()


def test_the_annotated_example_says_the_defaults() -> None:
    assert parse_site_config(example_config(), "example") == SiteConfig()


def test_the_annotated_example_of_a_hub_says_the_defaults_too() -> None:
    assert parse_site_config(example_config(Role.HUB), "example", Role.HUB) == SiteConfig(site="hub")


def test_a_hub_takes_its_ports_from_the_fleet_and_not_from_here() -> None:
    with pytest.raises(BadConfigError, match=r"hub.yaml, line 1: ports\.nats is not a key"):
        parse_site_config("ports: {nats: 4222}", "hub.yaml", Role.HUB)


def test_no_site_can_have_the_name_of_the_hub() -> None:
    assert refusal("site: hub").message == "site.yaml: no site can be named hub"


def test_a_store_that_is_smaller_than_what_the_streams_reserve_is_refused() -> None:
    assert refusal("limits: {store_gb: 78}").mend == "limits.store_gb takes a whole number from 79 to 100000."


def test_there_is_one_sync_delta() -> None:
    assert "replicas is not a key" in refusal("services: {sync-delta: {replicas: 2}}").message


def test_every_service_keeps_its_default_when_one_is_set() -> None:
    config = parse_site_config("services:\n  embedder: {replicas: 2}\n", "site.yaml")
    assert {name: config.services[name].replicas for name in SERVICES} == {
        "ingestor": 1,
        "embedder": 2,
        "edge-inference": 1,
    }


def test_an_unknown_key_is_answered_with_its_line_the_nearest_key_and_all_keys() -> None:
    error = refusal("site: a\nmodel:\n  name: x\n  precison: int8\n")
    assert error.message == "site.yaml, line 4: model.precison is not a key (did you mean precision?)"
    assert error.mend == "Keys here: name, precision, device."


def test_a_bad_choice_is_answered_with_what_may_stand_there() -> None:
    error = refusal("model: {precision: int4}")
    assert error.message == "site.yaml, line 1: model.precision is 'int4'"
    assert error.mend == "model.precision takes int8 or fp32."


@pytest.mark.parametrize("value", ["-1", "70000", "'4222'", "yes", "4222.5", "[1]", "{}"])
def test_a_port_is_a_number_of_a_port(value: str) -> None:
    assert refusal(f"ports:\n  nats: {value}\n").mend == "ports.nats takes a whole number from 0 to 65535."


def test_encryption_takes_only_a_truth_value() -> None:
    assert refusal("security: {encryption: aes}").mend == "security.encryption takes true or false."


def test_a_site_name_must_be_able_to_be_a_subject_token() -> None:
    assert "'Branch 1'" in refusal("site: Branch 1").message


def test_a_site_name_of_digits_is_taken_as_it_is_written() -> None:
    assert parse_site_config("site: 0042", "site.yaml").site == "0042"


def test_a_key_that_is_there_twice_is_refused() -> None:
    assert "line 2: site is there twice" in refusal("site: a\nsite: b\n").message


def test_what_is_not_yaml_is_refused_with_the_place() -> None:
    assert "line 2" in refusal("site: a\n  model: [\n").message


def test_a_list_is_not_a_configuration() -> None:
    assert "the file must be keys with values" in refusal("- a\n- b\n").message


def test_a_section_without_keys_keeps_its_defaults() -> None:
    assert parse_site_config("model:\nstorage:\n", "site.yaml") == SiteConfig()


def test_further_settings_of_a_service_become_text() -> None:
    config = parse_site_config("services: {ingestor: {settings: {workers: 2, ocr: true, rate: 0.5}}}", "site.yaml")
    assert config.services["ingestor"].settings == {"workers": "2", "ocr": "true", "rate": "0.5"}


def test_a_site_that_nothing_answers_from_is_refused() -> None:
    assert "replicas is 0" in refusal("services: {edge-inference: {replicas: 0}}").message
