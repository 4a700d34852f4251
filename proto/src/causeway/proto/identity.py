"""Ids that say nothing without the site's chunk key: of chunks by what is embedded, of documents by name."""

import hashlib
import unicodedata

ID_BYTES = 16
KEY_BYTES_MIN = 16
KEY_BYTES_MAX = 64


class BadChunkKeyError(ValueError):
    """The chunk key must have 16 to 64 bytes: `causeway up site` makes one; copy it, never shorten it."""


def checked_key(key: bytes) -> bytes:
    """`key`, if BLAKE2b takes it."""
    if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise BadChunkKeyError(f"the chunk key has {len(key)} bytes: {BadChunkKeyError.__doc__}")
    return key


def chunk_id(key: bytes, kb: str, model: str, embed_text: str) -> bytes:
    """BLAKE2b-128 over kb, embedding model and the exact text that is embedded, so that equal chunks are one."""
    return _digest(key, b"chunk", kb.encode(), model.encode(), unicodedata.normalize("NFC", embed_text).encode())


def document_key(key: bytes, kb: str, document_id: str) -> bytes:
    """BLAKE2b-128 over kb and the producer's document id: what stands in the subjects of compacted logs."""
    return _digest(key, b"document", kb.encode(), document_id.encode())


def _digest(key: bytes, person: bytes, *fields: bytes) -> bytes:
    hasher = hashlib.blake2b(digest_size=ID_BYTES, key=key, person=person)
    for field in fields:
        # The length before each field keeps ("ab", "c") and ("a", "bc") apart.
        hasher.update(len(field).to_bytes(8, "big"))
        hasher.update(field)
    return hasher.digest()
