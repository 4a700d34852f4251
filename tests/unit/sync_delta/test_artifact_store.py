"""What lies on a site's disk: verified, switched in one step, taken back, pruned."""

import hashlib
import io
import tarfile
from pathlib import Path

import msgspec
import pytest

from causeway.proto.outbox import ArtifactKind, ArtifactOffered
from causeway.sync_delta.artifact_store import ArtifactDamaged, ArtifactRefused, ArtifactStore
from causeway.sync_delta.artifact_trials import try_out


def offer(
    body: bytes, version: str = "1", kind: ArtifactKind = ArtifactKind.FILE, filename: str = "a.json"
) -> ArtifactOffered:
    return ArtifactOffered(
        kind=kind,
        name="handbook",
        version=version,
        filename=filename,
        object_name=f"{kind.value}/handbook/{version}",
        size_bytes=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
    )


def unpacked(store: ArtifactStore, body: bytes, offered: ArtifactOffered) -> Path:
    part = store.part_of(offered)
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(body)
    return store.unpack(offered)


def tar_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return packed.getvalue()


def test_a_version_takes_effect_and_is_taken_back(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    for number in ("1", "2", "3"):
        body = f'{{"version": {number}}}'.encode()
        offered = offer(body, number)
        unpacked(store, body, offered)
        assert store.activate(offered) == ("" if number == "1" else str(int(number) - 1))
        store.prune(offered)
    folder = tmp_path / "file" / "handbook"
    assert (folder / "current" / "a.json").read_bytes() == b'{"version": 3}'
    assert sorted(path.name for path in folder.iterdir()) == ["2", "3", "current", "previous"]
    assert store.all_current() == {"file/handbook": "3"}
    assert store.roll_back(offer(b"", "3")) == "2"
    assert (folder / "current" / "a.json").read_bytes() == b'{"version": 2}'


def test_the_first_version_taken_back_leaves_nothing_in_force(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    offered = offer(b"{}")
    unpacked(store, b"{}", offered)
    store.activate(offered)
    assert store.roll_back(offered) == ""
    assert store.all_current() == {}


@pytest.mark.parametrize("body", [b"", b"{", b"{}}", b"[]"])
def test_other_bytes_than_offered_are_thrown_away(tmp_path: Path, body: bytes) -> None:
    store = ArtifactStore(tmp_path)
    offered = offer(b"{}")
    with pytest.raises(ArtifactDamaged):
        unpacked(store, body, offered)
    assert not store.part_of(offered).exists()
    assert not store.holds(offered)


def test_a_tar_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    body = tar_of({"../../outside": b"x"})
    with pytest.raises(ArtifactRefused, match="unpacked"):
        unpacked(ArtifactStore(tmp_path / "store"), body, offer(body, filename="a.tar"))
    assert not (tmp_path / "outside").exists()


def test_a_file_name_with_a_path_stays_in_its_folder(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "store")
    folder = unpacked(store, b"{}", offer(b"{}", filename="../../../x.json"))
    assert [path.name for path in folder.iterdir()] == ["x.json"]


def _model(sha256: str) -> dict[str, bytes]:
    manifest = {"name": "m", "files": {"weights.onnx": {"sha256": sha256, "size_bytes": 3, "mtime_ns": 0}}}
    return {"m/manifest.json": msgspec.json.encode(manifest), "m/weights.onnx": b"abc"}


@pytest.mark.parametrize(
    ("kind", "files", "passes"),
    [
        (ArtifactKind.MODEL, _model(hashlib.sha256(b"abc").hexdigest()), True),
        (ArtifactKind.MODEL, _model("0" * 64), False),
        (ArtifactKind.MODEL, {"weights.onnx": b"abc"}, False),
        (ArtifactKind.ADAPTER, {"adapter_config.json": b"{}", "adapter.safetensors": b"x"}, True),
        (ArtifactKind.ADAPTER, {"adapter_config.json": b"{}"}, False),
        (ArtifactKind.CALIBRATION, {"zh.json": b'{"slope": 1}'}, True),
        (ArtifactKind.CALIBRATION, {"zh.json": b"[1"}, False),
        (ArtifactKind.CALIBRATION, {}, False),
        (ArtifactKind.FILE, {"anything": b""}, True),
        (ArtifactKind.FILE, {}, False),
    ],
)
def test_each_kind_has_its_trial(tmp_path: Path, kind: ArtifactKind, files: dict[str, bytes], passes: bool) -> None:
    body = tar_of(files)
    folder = unpacked(ArtifactStore(tmp_path), body, offer(body, kind=kind, filename="a.tar"))
    if passes:
        try_out(kind, folder)
        return
    with pytest.raises(ArtifactRefused):
        try_out(kind, folder)
