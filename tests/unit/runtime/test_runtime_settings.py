"""A service reads its settings once, and says which variable is wrong."""

from pathlib import Path

import pytest

from causeway.runtime import BadSettingError, ServiceSettings, load


class Settings(ServiceSettings, frozen=True, kw_only=True):
    pages_max: int = 5_000
    key_file: Path | None = None


def test_common_fields_come_from_causeway_and_own_fields_from_the_service() -> None:
    environ = {"CAUSEWAY_SITE": "plant", "INGESTOR_PAGES_MAX": "7", "INGESTOR_KEY_FILE": "/keys/chunk", "PATH": "/bin"}
    assert load(Settings, "ingestor", environ) == Settings(site="plant", pages_max=7, key_file=Path("/keys/chunk"))


def test_a_misspelt_variable_refuses_and_lists_what_there_is() -> None:
    with pytest.raises(BadSettingError, match="unknown setting INGESTOR_PAGE_MAX: this service takes .*PAGES_MAX"):
        load(Settings, "ingestor", {"CAUSEWAY_SITE": "plant", "INGESTOR_PAGE_MAX": "7"})


def test_a_value_of_the_wrong_type_names_the_variable() -> None:
    with pytest.raises(BadSettingError, match="INGESTOR_PAGES_MAX"):
        load(Settings, "ingestor", {"CAUSEWAY_SITE": "plant", "INGESTOR_PAGES_MAX": "many"})


def test_a_missing_site_names_the_variable() -> None:
    with pytest.raises(BadSettingError, match="CAUSEWAY_SITE"):
        load(Settings, "ingestor", {})
