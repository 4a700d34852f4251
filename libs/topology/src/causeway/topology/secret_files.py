"""Files that only their owner may read: written whole or not at all, refused when others can read them."""

import os
import stat
from pathlib import Path

from causeway.topology.errors import BadKeyFileError


def write_secret(path: Path, content: bytes) -> None:
    """Write a secret, mode 0600. A reader sees the old content or the new one, also after a loss of power."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read_secret(path: Path) -> bytes:
    """The content of a secret's file.

    Raises:
        BadKeyFileError: not there, or readable by others.
    """
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as error:
        raise BadKeyFileError(f"{path} can not be read: {error.strerror}", "Put the file back, mode 0600.") from error
    if stat.S_IMODE(mode) & 0o077:
        raise BadKeyFileError(f"{path} can be read by others", f"Run: chmod 600 {path}")
    return content
