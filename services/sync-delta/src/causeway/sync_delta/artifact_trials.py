"""What an artifact must pass before it is put in force, by its kind."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from causeway.proto.outbox import ArtifactKind
from causeway.sync_delta.artifact_store import ArtifactRefused, sha256_of

T = TypeVar("T")
_WEIGHTS = (".safetensors", ".bin", ".gguf", ".onnx")


class _File(msgspec.Struct):
    sha256: str


class _ModelManifest(msgspec.Struct):
    name: str
    files: dict[str, _File]


def try_out(kind: ArtifactKind, folder: Path) -> None:
    """Return if the artifact can be used.

    Raises:
        ArtifactRefused: with what is wrong.
    """
    _TRIALS[kind](folder)


def _model(folder: Path) -> None:
    """A folder as `causeway model fetch` makes it: every file is the one that its manifest records."""
    top = _only_folder(folder)
    manifest = _json(top / "manifest.json", _ModelManifest)
    for name, record in manifest.files.items():
        path = top / name
        if not path.is_file() or sha256_of(path) != record.sha256:
            raise ArtifactRefused(f"{name} is missing or is not the file that the model's manifest records")


def _adapter(folder: Path) -> None:
    top = _only_folder(folder)
    _json(top / "adapter_config.json", dict[str, object])
    if not any(path.suffix in _WEIGHTS for path in top.rglob("*")):
        raise ArtifactRefused(f"an adapter needs a file of weights ({', '.join(_WEIGHTS)})")


def _calibration(folder: Path) -> None:
    files = sorted(folder.rglob("*.json"))
    if not files:
        raise ArtifactRefused("a calibration is at least one .json file")
    for path in files:
        _json(path, dict[str, object])


def _file(folder: Path) -> None:
    if not any(folder.iterdir()):
        raise ArtifactRefused("it is empty")


_TRIALS: dict[ArtifactKind, Callable[[Path], None]] = {
    ArtifactKind.MODEL: _model,
    ArtifactKind.ADAPTER: _adapter,
    ArtifactKind.CALIBRATION: _calibration,
    ArtifactKind.FILE: _file,
}


def _only_folder(folder: Path) -> Path:
    """The folder itself, or the one folder that a tar of a folder unpacks to."""
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _json(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ArtifactRefused(f"{path.name} can not be read: {error}") from error
