"""Begins a vault as a copy of another replica's, which may be running: its history comes along."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from causeway.edge_inference.errors import VaultBusyError
from causeway.edge_inference.schema import DATABASE
from causeway.edge_inference.vault_folder import KEYRING

_TRIES_MAX = 3


def seed(folder: Path, source: Path | None) -> bool:
    """Copy the vault of `source` to `folder` unless there is one. Returns whether it did.

    A crash leaves no vault, and the next start copies again. The keys are the same, and so is the operator's key.

    Raises:
        VaultBusyError: the keys of the source are being changed.
    """
    if source is None or (folder / DATABASE).exists() or not (source / DATABASE).exists():
        return False
    draft = folder / f"{DATABASE}.new"
    for _ in range(_TRIES_MAX):
        keyring = (source / KEYRING).read_bytes()
        draft.unlink(missing_ok=True)
        _copy(source / DATABASE, draft)
        # A record sealed by a key that a rotation has just removed could never be opened.
        if (source / KEYRING).read_bytes() == keyring:
            _write(folder / KEYRING, keyring)
            draft.replace(folder / DATABASE)
            return True
    raise VaultBusyError(vault=source, pid="unknown")


def _copy(source: Path, target: Path) -> None:
    """One moment of a database, however it is written to meanwhile."""
    os.close(os.open(target, os.O_RDWR | os.O_CREAT, 0o600))
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as reading,
        closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing)


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
