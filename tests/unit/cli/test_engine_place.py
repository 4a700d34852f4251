"""What the engine is made of is found on the machine, or the error says what to run."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from causeway.cli.engine_config import EngineConfig, EngineKind
from causeway.cli.engine_place import find_engine
from causeway.cli.errors import BadConfigError, SiteFolderError
from causeway.cli.keys import SiteKeys
from causeway.models import ModelError

KEYS = SiteKeys(Path("/keys"))


@pytest.fixture
def environment(tmp_path: Path) -> str:
    """A virtual environment that has vLLM, by its looks."""
    root = tmp_path / "venv"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "python").touch()
    (root / "lib" / "python3.11" / "site-packages" / "vllm").mkdir(parents=True)
    return str(root)


@pytest.fixture
def model(tmp_path: Path) -> str:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return str(folder)


@pytest.fixture
def adapter(tmp_path: Path) -> Callable[[str], str]:
    def make(name: str) -> str:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "adapter_config.json").write_text(json.dumps({"r": 8}))
        return str(folder)

    return make


def vllm(model: str, environment: str, **more: object) -> EngineConfig:
    return EngineConfig(kind=EngineKind.VLLM, model=model, environment=environment, **more)  # type: ignore[arg-type]


def test_no_engine_needs_nothing() -> None:
    assert find_engine(EngineConfig(), KEYS).program == ""


def test_a_folder_is_served_by_its_own_name_with_the_python_of_vllm(model: str, environment: str) -> None:
    found = find_engine(vllm(model, environment), KEYS)
    assert (found.name, str(found.model)) == ("tiny", model)
    assert found.program == f"{environment}/bin/python"
    assert found.key_file == Path("/keys/engine.key")


def test_kbs_may_share_an_adapter(model: str, environment: str, adapter: Callable[[str], str]) -> None:
    folder = adapter("finance")
    found = find_engine(vllm(model, environment, adapters={"loans": folder, "bonds": folder}), KEYS)
    assert found.adapters == {"finance": Path(folder)}
    assert found.by_kb == {"loans": "finance", "bonds": "finance"}


def test_two_adapters_of_one_name_are_refused(model: str, environment: str, adapter: Callable[[str], str]) -> None:
    config = vllm(model, environment, adapters={"a": adapter("x/lora"), "b": adapter("y/lora")})
    with pytest.raises(BadConfigError, match="two folders are named 'lora'"):
        find_engine(config, KEYS)


def test_an_adapter_that_is_none_is_refused(model: str, environment: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfigError, match=r"engine\.adapters\.k: .* has no adapter_config\.json"):
        find_engine(vllm(model, environment, adapters={"k": str(tmp_path)}), KEYS)


def test_where_vllm_is_not_installed_the_mend_is_said(model: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfigError, match="vLLM is not installed") as caught:
        find_engine(vllm(model, str(tmp_path)), KEYS)
    assert "make setup-vllm" in caught.value.mend


def test_a_model_that_is_not_installed_is_answered_with_how_to_get_it(
    tmp_path: Path, environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAUSEWAY_MODELS", str(tmp_path / "none"))
    with pytest.raises(ModelError, match="causeway model fetch hf-generator"):
        find_engine(vllm("", environment), KEYS)
    with pytest.raises(ModelError, match="causeway model fetch generator"):
        find_engine(EngineConfig(kind=EngineKind.LLAMA), KEYS)


def test_each_engine_takes_the_form_of_model_that_it_reads(tmp_path: Path, model: str, environment: str) -> None:
    weights = tmp_path / "weights.gguf"
    weights.touch()
    with pytest.raises(BadConfigError, match=r"is not a folder with config\.json"):
        find_engine(vllm(str(weights), environment), KEYS)
    with pytest.raises(BadConfigError, match="is not a GGUF file"):
        find_engine(EngineConfig(kind=EngineKind.LLAMA, model=model), KEYS)
    assert find_engine(EngineConfig(kind=EngineKind.LLAMA, model=str(weights)), KEYS).name == "weights"


def test_the_key_of_an_engine_elsewhere_is_there_and_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "key"
    config = EngineConfig(kind=EngineKind.URL, url="http://h", model="m", key_file=str(path), adapters={"k": "lora"})
    with pytest.raises(SiteFolderError, match="can not be read"):
        find_engine(config, KEYS)
    path.write_text("short\n")
    path.chmod(0o644)
    with pytest.raises(SiteFolderError, match="can be read by others"):
        find_engine(config, KEYS)
    path.chmod(0o600)
    found = find_engine(config, KEYS)
    assert (found.key_file, found.by_kb, found.name) == (path, {"k": "lora"}, "m")
    path.write_text("")
    with pytest.raises(SiteFolderError, match="is empty"):
        find_engine(config, KEYS)
