"""A folder for vLLM is made by a process of another environment, whole or not at all."""

import sys
from pathlib import Path

import pytest

from causeway.models import hf_folder
from causeway.models.errors import ConversionFailed, ConverterMissing, ModelMismatch
from causeway.models.hf_folder import converter_of
from causeway.models.manifest import read_manifest, sha256_of
from causeway.models.registry import ModelFile, ModelSpec, PathSource, Registry, RoleSource
from causeway.models.settings import ModelSettings, vllm_environment
from causeway.models.store import ModelStore

MAKES_ALL = """
import pathlib, sys
source, target = map(pathlib.Path, sys.argv[1:])
for name in ("model.safetensors", "config.json", "tokenizer.json"):
    (target / name).write_bytes(name.encode() + source.read_bytes())
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """What stands in for vLLM's virtual environment: this Python."""
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    return folder


def child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str) -> None:
    """Run this instead of the converter, which needs torch."""
    path = tmp_path / "child.py"
    path.write_text(code)
    monkeypatch.setattr(hf_folder, "_CHILD", path)


def registry(tmp_path: Path) -> Registry:
    weights = tmp_path / "a.gguf"
    weights.write_bytes(b"weights")
    gguf = ModelFile(name="a.gguf", source=PathSource(path=str(weights)), sha256=sha256_of(weights))
    folder = ModelFile(name="a.gguf", source=RoleSource(role="generator"), sha256=gguf.sha256)
    return Registry(
        {
            "generator": ModelSpec(name="a", format="gguf", licence="MIT", files=[gguf]),
            "hf-generator": ModelSpec(name="a-hf", format="hf", licence="MIT", files=[folder]),
        }
    )


def test_it_is_made_from_the_installed_role_and_every_file_has_its_sha256(
    tmp_path: Path, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, tmp_path, MAKES_ALL)
    store = ModelStore(registry(tmp_path), tmp_path / "models", converter=converter_of(environment))
    folder = store.ensure("hf-generator")
    assert (folder / "model.safetensors").read_bytes() == b"model.safetensorsweights"
    records = read_manifest(folder).files
    assert {name: record.sha256 for name, record in records.items()} == {
        name: sha256_of(folder / name) for name in ("config.json", "model.safetensors", "tokenizer.json")
    }
    assert store.locate("generator").name == "a.gguf"
    assert store.locate("hf-generator") == folder


def test_weights_that_were_changed_afterwards_are_refused(
    tmp_path: Path, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, tmp_path, MAKES_ALL)
    store = ModelStore(registry(tmp_path), tmp_path / "models", converter=converter_of(environment))
    (store.ensure("hf-generator") / "model.safetensors").write_bytes(b"other")
    with pytest.raises(ModelMismatch):
        store.locate("hf-generator")


def test_without_vllms_environment_the_mend_is_said(tmp_path: Path) -> None:
    store = ModelStore(registry(tmp_path), tmp_path / "models", converter=converter_of(tmp_path / "none"))
    with pytest.raises(ConverterMissing, match="make setup-vllm"):
        store.ensure("hf-generator")
    assert not (tmp_path / "models" / "a-hf").exists()


def test_what_the_converter_said_last_is_in_the_error(
    tmp_path: Path, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, tmp_path, "raise SystemExit('no memory left')")
    store = ModelStore(registry(tmp_path), tmp_path / "models", converter=converter_of(environment))
    with pytest.raises(ConversionFailed, match="no memory left"):
        store.ensure("hf-generator")
    assert not (tmp_path / "models" / "a-hf").exists()


def test_a_conversion_that_left_a_file_out_installs_nothing(
    tmp_path: Path, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, tmp_path, MAKES_ALL.replace('"config.json", ', ""))
    store = ModelStore(registry(tmp_path), tmp_path / "models", converter=converter_of(environment))
    with pytest.raises(ModelMismatch, match=r"made no config\.json"):
        store.ensure("hf-generator")
    assert not (tmp_path / "models" / "a-hf").exists()


def test_a_conversion_that_takes_too_long_is_ended(
    tmp_path: Path, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, tmp_path, "import signal; signal.pause()")
    converter = converter_of(environment, timeout_s=0.5)
    with pytest.raises(ConversionFailed, match=r"within 0\.5 s"):
        ModelStore(registry(tmp_path), tmp_path / "models", converter=converter).ensure("hf-generator")


def test_vllms_environment_is_beside_ours_unless_it_is_named(tmp_path: Path) -> None:
    assert vllm_environment({}) == Path(sys.prefix).parent / ".venv-vllm"
    assert vllm_environment({"CAUSEWAY_VLLM": str(tmp_path)}) == tmp_path
    assert ModelSettings.from_environment({"CAUSEWAY_VLLM": "/v"}).vllm_environment == Path("/v")
