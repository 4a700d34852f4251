"""Seals records with AES-256-GCM, each bound to its place, and sums the rows so that a missing or old one shows."""

import enum
import hashlib
import hmac
import os
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from causeway.edge_inference.keys import NONCE_BYTES, Keyring, RandomBytes

TAG_BYTES = 16
DIGEST_BYTES = 32
_MODULUS = 1 << (8 * DIGEST_BYTES)
_encoder = msgspec.msgpack.Encoder()


class Kind(enum.IntEnum):
    """What a record is. The numbers are on disk: never give one a new meaning."""

    STATE = 0
    KB = 1
    CHUNK = 2
    DOCUMENT = 3
    TOMBSTONE = 4
    SNAPSHOT = 5
    HISTORY = 6
    SHADOW = 7
    TEXT = 8
    VECTOR = 9


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of a record, which its seal covers: one that is moved or given another version does not open."""

    kind: Kind
    kb: int
    id: bytes
    version: int

    def aad(self, kid: str) -> bytes:
        """The authenticated data, unambiguous because it is an encoded list."""
        return _encoder.encode((int(self.kind), self.kb, self.id, self.version, kid))


class BrokenSealError(ValueError):
    """The record does not open in this place with this key."""


class Envelope:
    """Seals with the active key and opens with any key of the ring. Thread-safe, as AESGCM is."""

    def __init__(self, ring: Keyring, random: RandomBytes = os.urandom) -> None:
        self.kid = ring.active.kid
        self._random = random
        self._boxes = {key.kid: AESGCM(key.secret) for key in ring.data_keys}
        self._index_key = ring.index_key

    def seal(self, slot: Slot, record: bytes | memoryview) -> bytes:
        """nonce + ciphertext + tag, sealed by the key `self.kid`."""
        nonce = self._random(NONCE_BYTES)
        return nonce + self._boxes[self.kid].encrypt(nonce, record, slot.aad(self.kid))

    def open(self, slot: Slot, kid: str, sealed: bytes) -> bytes:
        """The record that was sealed for `slot`.

        Raises:
            BrokenSealError: another place, another version, an unknown key, or changed bytes.
        """
        box = self._boxes.get(kid)
        if box is None:
            raise BrokenSealError(f"key {kid!r} is not in the keyring")
        try:
            return box.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], slot.aad(kid))
        except (InvalidTag, ValueError, TypeError) as error:
            raise BrokenSealError(f"a {slot.kind.name.lower()} does not open") from error

    def print_of(self, slot: Slot, kid: str, tag: bytes) -> int:
        """A keyed number for one sealed row, from its place and its tag; their sum over all rows is the vault's digest.

        A sum modulo 2^256 of secret hashes is an incremental multiset hash (MSet-Add-Hash, Clarke et al. 2003): rows
        come and go in any order, and nobody without the key can replace one and keep the sum.
        """
        mac = hashlib.blake2b(slot.aad(kid) + tag, key=self._index_key, digest_size=DIGEST_BYTES)
        return int.from_bytes(mac.digest(), "big")

    def tag_of(self, kb: int, name: str) -> bytes:
        """A keyed hash by which a document is found under its name, without the name being on the disk."""
        text = _encoder.encode((kb, name))
        return hashlib.blake2b(text, key=self._index_key, digest_size=TAG_BYTES, person=b"document name").digest()


@dataclass(frozen=True, slots=True)
class Digest:
    """The sum of the prints of a set of rows."""

    value: int = 0

    def plus(self, print_: int) -> "Digest":
        """After a row came."""
        return Digest((self.value + print_) % _MODULUS)

    def minus(self, print_: int) -> "Digest":
        """After a row went."""
        return Digest((self.value - print_) % _MODULUS)

    def same_as(self, other: "Digest") -> bool:
        """Equality in constant time."""
        return hmac.compare_digest(self.to_bytes(), other.to_bytes())

    def to_bytes(self) -> bytes:
        """The number as it is stored."""
        return self.value.to_bytes(DIGEST_BYTES, "big")

    @classmethod
    def from_bytes(cls, stored: bytes) -> "Digest":
        """The number that was stored."""
        return cls(int.from_bytes(stored, "big"))
