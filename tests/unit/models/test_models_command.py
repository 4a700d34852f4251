"""The module's command prints a path on success and the mend on failure; settings come from the environment."""

from pathlib import Path

import pytest

from causeway.models.__main__ import main
from causeway.models.errors import DeviceUnavailable
from causeway.models.session import open_session
from causeway.models.settings import DEFAULT_HUB, ModelSettings

REGISTRY = """
models:
  generator:
    name: mine
    format: gguf
    licence: MIT
    files: [{name: mine.gguf, source: {type: path, path: mine.gguf}}]
"""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "registry.yaml").write_text(REGISTRY)
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    monkeypatch.setenv("CAUSEWAY_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("CAUSEWAY_MODELS_REGISTRY", str(tmp_path / "registry.yaml"))
    return tmp_path


def test_ensure_prints_where_the_model_lies(environment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ensure", "generator"]) == 0
    assert capsys.readouterr().out == f"{environment / 'models/mine/mine.gguf'}\n"


@pytest.mark.usefixtures("environment")
def test_a_missing_model_ends_with_its_mend_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["locate", "generator"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "run `causeway model fetch generator`" in shown.err


def test_settings_have_defaults_for_an_empty_environment() -> None:
    settings = ModelSettings.from_environment({})
    assert settings.folder == Path("~/.cache/causeway/models").expanduser()
    assert settings.registry_file is None
    assert settings.hub.endpoint == DEFAULT_HUB


def test_a_hub_token_is_not_shown() -> None:
    assert "secret" not in repr(ModelSettings.from_environment({"HF_TOKEN": "secret"}))


def test_a_device_without_provider_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("causeway.models.session.ort.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceUnavailable, match="set device: cpu"):
        open_session(tmp_path / "none.onnx", threads=1, device="cuda")
