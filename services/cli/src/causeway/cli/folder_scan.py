"""The files below the paths that a person wants to publish, and what changed between two looks at them."""

import mimetypes
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from causeway.cli.errors import BadPathError

_HIDDEN = (".", "~$")
_LEFTOVERS = {"Thumbs.db", "desktop.ini"}
_LEFTOVER_SUFFIXES = {".tmp", ".part", ".crdownload", ".swp"}
# What the platform's table may lack; the ingestor looks at the bytes anyway.
_MEDIA_TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".epub": "application/epub+zip",
    ".eml": "message/rfc822",
    ".jsonl": "application/jsonl",
}


@dataclass(frozen=True)
class FoundFile:
    """A file and the stamp by which an edit is noticed."""

    path: Path
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class Changes:
    """What to publish and what to delete, by document id."""

    changed: dict[str, FoundFile]
    removed: tuple[str, ...]


def scan(paths: Iterable[Path], prefix: str = "") -> dict[str, FoundFile]:
    """Document id to file. The id is the path relative to the given folder, or the name of a given file.

    Raises:
        BadPathError: a path is not there, or two files would have the same id.
    """
    found: dict[str, FoundFile] = {}
    for given in paths:
        for relative, path in _files(given):
            document_id = prefix + relative
            if document_id in found:
                raise BadPathError(
                    f"{path} and {found[document_id].path} would both be the document {document_id!r}",
                    "Publish the folders one by one, each with a --prefix of its own.",
                )
            stamp = _stamp(path)
            if stamp is not None:
                found[document_id] = stamp
    return found


def differences(before: Mapping[str, FoundFile], after: Mapping[str, FoundFile]) -> Changes:
    """What was edited, added or renamed to, and what is gone."""
    changed = {key: file for key, file in after.items() if before.get(key) != file}
    return Changes(changed, tuple(sorted(before.keys() - after.keys())))


def media_type(path: Path) -> str:
    """What the name says the file is, empty when it says nothing."""
    return _MEDIA_TYPES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0] or ""


def _files(given: Path) -> Iterator[tuple[str, Path]]:
    if given.is_file():
        yield given.name, given
        return
    if not given.is_dir():
        raise BadPathError(f"{given} is not there", "Give files or folders that exist.")
    for folder, folders, names in os.walk(given):
        folders[:] = sorted(name for name in folders if not name.startswith(_HIDDEN))
        for name in sorted(names):
            path = Path(folder, name)
            if not _is_leftover(path):
                yield path.relative_to(given).as_posix(), path


def _is_leftover(path: Path) -> bool:
    name = path.name
    return name.startswith(_HIDDEN) or name in _LEFTOVERS or path.suffix.lower() in _LEFTOVER_SUFFIXES


def _stamp(path: Path) -> FoundFile | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return FoundFile(path, stat.st_size, stat.st_mtime_ns)
