"""The keys of a vault: a key-encryption key that the operator holds, and the data keys that it wraps."""

import base64
import binascii
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from causeway.edge_inference.errors import KeyFileOpenError, KeyMalformedError, KeyMissingError, KeyWrongError

KEY_BYTES = 32
NONCE_BYTES = 12
RandomBytes = Callable[[int], bytes]


def parse_key(text: str, where: str) -> bytes:
    """The 32 bytes that `text` spells in hex or base64; `where` is what the error names."""
    text = text.strip()
    for read in (bytes.fromhex, lambda value: base64.b64decode(value, validate=True)):
        try:
            key = read(text)
        except (ValueError, binascii.Error):
            continue
        if len(key) == KEY_BYTES:
            return key
    raise KeyMalformedError(where=where)


def read_key_file(path: Path) -> bytes:
    """The key in a file that only its owner may read."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise KeyFileOpenError(path=path, mode=f"{mode:04o}")
        return parse_key(path.read_text("ascii", errors="replace"), str(path))
    except FileNotFoundError:
        raise KeyMissingError(where=f"{path} does not exist") from None


def write_key_file(path: Path, key: bytes) -> None:
    """A new file of mode 0600; an existing file is never overwritten (FileExistsError)."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(key) + b"\n")


@dataclass(frozen=True, kw_only=True)
class DataKey:
    """A key that seals records. Its number rises; the highest seals what is new."""

    kid: str
    number: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Keyring:
    """The unwrapped keys of one vault. `index_key` makes the digest of the rows and never seals a record."""

    vault_id: str
    data_keys: tuple[DataKey, ...]
    index_key: bytes = field(repr=False)

    @classmethod
    def create(cls, random: RandomBytes = os.urandom) -> "Keyring":
        """A keyring for a new vault."""
        ring = cls(vault_id=random(8).hex(), data_keys=(), index_key=random(KEY_BYTES))
        return ring.with_new_key(random)

    @property
    def active(self) -> DataKey:
        """The key that seals what is new."""
        return self.data_keys[-1]

    def with_new_key(self, random: RandomBytes = os.urandom) -> "Keyring":
        """The same ring with a fresh data key, which becomes the active one."""
        number = self.data_keys[-1].number + 1 if self.data_keys else 1
        key = DataKey(kid=random(6).hex(), number=number, secret=random(KEY_BYTES))
        return replace(self, data_keys=(*self.data_keys, key))

    def without_retired(self) -> "Keyring":
        """Only the active data key: whatever the others sealed can never be read again."""
        return replace(self, data_keys=(self.active,))


class _WrappedKey(msgspec.Struct, frozen=True, kw_only=True):
    kid: str
    number: int
    wrapped: bytes


class _KeyringFile(msgspec.Struct, frozen=True, kw_only=True):
    layout: int = 1
    vault_id: str
    index_key: bytes
    data_keys: list[_WrappedKey]


def wrap_keyring(ring: Keyring, kek: bytes, random: RandomBytes = os.urandom) -> bytes:
    """The ring as JSON in which every key is sealed by `kek`, each bound to its vault, kid and number."""
    box = AESGCM(kek)

    def wrap(secret: bytes, name: str) -> bytes:
        nonce = random(NONCE_BYTES)
        return nonce + box.encrypt(nonce, secret, _aad(ring.vault_id, name))

    file = _KeyringFile(
        vault_id=ring.vault_id,
        index_key=wrap(ring.index_key, "index"),
        data_keys=[
            _WrappedKey(kid=key.kid, number=key.number, wrapped=wrap(key.secret, f"{key.number}|{key.kid}"))
            for key in ring.data_keys
        ],
    )
    return msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n"


def unwrap_keyring(wrapped: bytes, kek: bytes, vault: object) -> Keyring:
    """The ring in `wrapped`.

    Raises:
        KeyWrongError: `kek` does not open it, or a byte of it was changed; `vault` is the place that the error names.
    """
    try:
        file = msgspec.json.decode(wrapped, type=_KeyringFile)
        box = AESGCM(kek)

        def unwrap(sealed: bytes, name: str) -> bytes:
            return box.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _aad(file.vault_id, name))

        data_keys = tuple(
            DataKey(kid=key.kid, number=key.number, secret=unwrap(key.wrapped, f"{key.number}|{key.kid}"))
            for key in sorted(file.data_keys, key=lambda key: key.number)
        )
        return Keyring(vault_id=file.vault_id, data_keys=data_keys, index_key=unwrap(file.index_key, "index"))
    except (InvalidTag, ValueError, msgspec.MsgspecError) as error:
        raise KeyWrongError(vault=vault) from error


def _aad(vault_id: str, name: str) -> bytes:
    return f"causeway-keyring|{vault_id}|{name}".encode()
