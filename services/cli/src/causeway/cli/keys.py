"""The secrets of a site, each in a file of its own that only its owner can read."""

import hmac
import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from causeway.cli.errors import SiteFolderError

SECRET_CHARS_MIN = 32
KEY_CHECK_CHARS = 16


@dataclass(frozen=True)
class SiteKeys:
    """Files below one folder, which need not lie beside the data."""

    folder: Path

    @property
    def storage(self) -> Path:
        """Encrypts the message store of nats-server."""
        return self.folder / "storage.key"

    @property
    def vault(self) -> Path:
        """Wraps the keys of edge-inference's vault."""
        return self.folder / "vault.key"

    @property
    def chunk(self) -> Path:
        """Keys the hashes that name chunks, so that a chunk's id tells nothing of its text."""
        return self.folder / "chunk.key"

    @property
    def password(self) -> Path:
        """What services and commands show to nats-server."""
        return self.folder / "nats.password"

    @property
    def link_password(self) -> Path:
        """What sync-delta shows for the account that the link is bound to."""
        return self.folder / "link.password"

    @property
    def engine(self) -> Path:
        """What a hub's cloud-inference shows to the hub's own engine."""
        return self.folder / "engine.key"

    def all(self) -> tuple[Path, ...]:
        """Every file."""
        return (*self.lasting(), *self.passwords())

    def lasting(self) -> tuple[Path, ...]:
        """Those that data depends on."""
        return (self.storage, self.vault, self.chunk)

    def passwords(self) -> tuple[Path, ...]:
        """Those that can be made anew: no data depends on them."""
        return (self.password, self.link_password)


def make_missing(keys: SiteKeys, initialised: bool, needed: Iterable[Path] | None = None) -> list[Path]:
    """Make the key files that are not there and return them. `needed` are those that the place has, all by default.

    Raises:
        SiteFolderError: the site was initialised before, so that a new key could only be a wrong one.
    """
    missing = [path for path in needed or keys.all() if not path.exists()]
    lost = [path for path in missing if initialised and path in keys.lasting()]
    if lost:
        raise SiteFolderError(
            f"key {lost[0]} is gone, and the site's data can not be read without it",
            "Put the key files back from where you keep them, or name their folder with --keys. Nothing was touched.",
        )
    keys.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in missing:
        # nats-server reads a variable that begins with a digit as a number; the others are 32 bytes in hex.
        _write_secret(path, prefix="k" if path in (keys.storage, *keys.passwords()) else "")
    return missing


def _write_secret(path: Path, prefix: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(prefix + secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_secret(path: Path) -> str:
    """The secret in a file.

    Raises:
        SiteFolderError: not there, readable by others, or too short to be a key.
    """
    try:
        mode = path.stat().st_mode
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SiteFolderError(f"key {path} can not be read: {error}", "Put the key file back, mode 0600.") from error
    if stat.S_IMODE(mode) & 0o077:
        raise SiteFolderError(f"key {path} can be read by others", f"Run: chmod 600 {path}")
    if len(secret) < SECRET_CHARS_MIN:
        raise SiteFolderError(f"key {path} has {len(secret)} characters", f"A key has at least {SECRET_CHARS_MIN}.")
    return secret


def key_check(secret: str) -> str:
    """A value that tells two secrets apart and nothing else: kept so that a wrong key is refused before it is used."""
    return hmac.new(secret.encode(), b"causeway storage key check", "sha256").hexdigest()[:KEY_CHECK_CHARS]
