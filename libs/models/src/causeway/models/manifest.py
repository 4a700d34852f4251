"""The record beside an installed model: what it is, where its bytes came from, and the sha256 of every file."""

from __future__ import annotations

import hashlib
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


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`spaces` maps a precision to the digest of all that decides its vectors; it is empty for a generator."""

    name: str
    licence: str
    source_sha256: str
    builder: str
    files: dict[str, FileRecord]
    spaces: dict[str, str] = {}
    dims: int = 0
    tokens_max: int = 0


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
        raise ModelMissing(f"{folder} holds no installed model; run `causeway model fetch embedding`, or name its folder.")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.DecodeError as error:
        raise ModelMismatch(f"{path} can not be read ({error}); delete {folder} and fetch again.") from error


def verify_file(folder: Path, name: str, record: FileRecord) -> None:
    """Raises unless the file is the recorded one; hashes it only when size and mtime differ from the stamp."""
    path = folder / name
    if not path.is_file():
        raise ModelMissing(f"{path} is missing; delete {folder} and fetch again.")
    stat = path.stat()
    if (stat.st_size, stat.st_mtime_ns) == (record.size_bytes, record.mtime_ns):
        return
    if stat.st_size != record.size_bytes or sha256_of(path) != record.sha256:
        raise ModelMismatch(f"{path} is not the file that was installed; delete {folder} and fetch again.")
