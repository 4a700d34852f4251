"""The folder of a vault: its lock and its keyring file. A wrong key is found before the database is touched."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from causeway.edge_inference.errors import KeyringMissingError, VaultBusyError
from causeway.edge_inference.keys import Keyring, unwrap_keyring, wrap_keyring
from causeway.edge_inference.schema import DATABASE

KEYRING = "keyring.json"
LOCK = "vault.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the vault alone; the lock goes with the process, however it ends.

    Raises:
        VaultBusyError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VaultBusyError(vault=folder, pid=os.read(handle, 32).decode() or "unknown") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def open_keyring(folder: Path, kek: bytes) -> Keyring:
    """The keyring of the vault, made now if the vault is new.

    Raises:
        KeyWrongError: `kek` is not the vault's key. KeyringMissingError: there are records but no keyring.
    """
    path = folder / KEYRING
    try:
        wrapped = path.read_bytes()
    except FileNotFoundError:
        if (folder / DATABASE).exists():
            raise KeyringMissingError(vault=folder) from None
        ring = Keyring.create()
        save_keyring(folder, ring, kek)
        return ring
    return unwrap_keyring(wrapped, kek, folder)


def save_keyring(folder: Path, ring: Keyring, kek: bytes) -> None:
    """Replace the keyring file as one step: after a crash it is the old one or the new one, whole."""
    draft = folder / f"{KEYRING}.new"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(wrap_keyring(ring, kek))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / KEYRING)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
