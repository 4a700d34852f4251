"""The key pair that a site shows to the hub: the site keeps the seed, the hub knows only the public key."""

import base64
import binascii
import secrets

import nkeys  # type: ignore[import-untyped]

from causeway.topology.errors import BadKeyFileError

_SEED_BYTES = 32
_PUBLIC_CHARS = 56


def new_seed() -> str:
    """A seed of a user, `SU...`: a secret."""
    return str(nkeys.encode_seed(secrets.token_bytes(_SEED_BYTES), nkeys.PREFIX_BYTE_USER).decode("ascii"))


def public_key(seed: str) -> str:
    """The public key of a seed, `U...`.

    Raises:
        BadKeyFileError: not the seed of a user.
    """
    try:
        pair = nkeys.from_seed(bytearray(seed.strip(), "ascii"))
        key = str(pair.public_key.decode("ascii"))
    except (nkeys.NkeysError, ValueError) as error:
        raise BadKeyFileError("this is not a seed", "Use the one in the join bundle.") from error
    if not is_public_key(key):
        raise BadKeyFileError("this is not the seed of a user", "Use the one in the join bundle.")
    return key


def is_public_key(text: str) -> bool:
    """Whether this is the public key of a user, checksum included."""
    if len(text) != _PUBLIC_CHARS or not text.startswith("U"):
        return False
    try:
        raw = base64.b32decode(text)
    except binascii.Error:
        return False
    return raw[0] == nkeys.PREFIX_BYTE_USER and binascii.crc_hqx(raw[:-2], 0).to_bytes(2, "little") == raw[-2:]
