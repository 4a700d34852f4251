"""The record beside an installed model: what it is, where its bytes came from, and the sha256 of every file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from causeway.models.errors import ModelMismatch, ModelMissing

MANIFEST_NAME = "manifest.json"
_READ_BYTES = 1 << 20


class FileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One file as it was when it was installed; size and mtime are the cheap stamp of a checked file."""

    sha256: str
    size_bytes: int
    mtime_ns: int


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """One precision of an embedding model. `digest` covers all that decides its vectors, `files` are what it loads."""

    digest: str
    files: list[str]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`recipe` digests the registry entry and the builder; `spaces`, by precision, is empty for a generator."""

    name: str
    licence: str
    recipe: str
    files: dict[str, FileRecord]
    spaces: dict[str, Space] = {}
    dims: int = 0
    tokens_max: int = 0
    query_prefix: str = ""
    passage_prefix: str = ""


def sha256_of(path: Path) -> str:
    """The hex sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def record_of(path: Path, sha256: str | None = None) -> FileRecord:
    """The record of a file; its bytes are hashed unless `sha256` is already known."""
    stat = path.stat()
    return FileRecord(sha256=sha256 or sha256_of(path), size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest into `folder`, indented for people."""
    (folder / MANIFEST_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of `folder`; raises ModelMissing without one and ModelMismatch when it can not be read."""
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise ModelMissing(f"{folder} holds no installed model; run `causeway model fetch`, or name another folder.")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.DecodeError as error:
        raise ModelMismatch(f"{path} can not be read ({error}); delete {folder} and fetch again.") from error


def verify_files(folder: Path, manifest: Manifest, names: Iterable[str]) -> None:
    """Raises ModelMissing or ModelMismatch unless the named files are the recorded ones."""
    for name in names:
        _verify_file(folder, folder / name, manifest.files.get(name))


def _verify_file(folder: Path, path: Path, record: FileRecord | None) -> None:
    if record is None or not path.is_file():
        raise ModelMissing(f"{path} is missing; delete {folder} and fetch again.")
    stat = path.stat()
    # The stamp of a file that was hashed when it was installed; hashing again would cost a second at each start.
    if (stat.st_size, stat.st_mtime_ns) == (record.size_bytes, record.mtime_ns):
        return
    if stat.st_size != record.size_bytes or sha256_of(path) != record.sha256:
        raise ModelMismatch(f"{path} is not the file that was installed; delete {folder} and fetch again.")
