"""The egress ledger: one line for each thing that leaves, each sealed with the hash of the one before it.

A changed, lost or swapped line breaks the chain. Cutting off the end, or writing everything after a line anew, does
not: whoever must know that compares the last hash with one that was noted elsewhere.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from causeway.proto.chunks import Manifest
from causeway.sync_delta.residency import Decision

HASH_BYTES = 32
GENESIS = bytes(HASH_BYTES)

_encoder = msgspec.msgpack.Encoder()


class BadLineError(ValueError):
    """The bytes are not a line of the ledger: the file was damaged; `causeway sync ledger --verify` names the line."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What left, when, under which label, why, and how much. `previous` and `hash` chain it; numbers rise by one."""

    number: int
    at_unix_ms: int
    kb: str
    document_id: str
    document_key: bytes
    revision: int
    label: str
    action: str
    reason: str
    chunks: int
    bytes_out: int
    previous: bytes
    hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Broken:
    """The first line that is not what was written: its number as it should be, and what is wrong with it."""

    number: int
    reason: str


_decoder = msgspec.msgpack.Decoder(Line)


def append(
    last: Line | None, manifest: Manifest, decision: Decision, *, at_unix_ms: int, chunks: int, bytes_out: int
) -> Line:
    """The line that follows `last` (None: the first of a ledger): `chunks` and `bytes_out` are what is published."""
    line = Line(
        number=1 if last is None else last.number + 1,
        at_unix_ms=at_unix_ms,
        kb=manifest.kb,
        document_id=manifest.document_id,
        document_key=manifest.document_key,
        revision=manifest.revision,
        label=str(decision.label),
        action=str(decision.action),
        reason=decision.reason,
        chunks=chunks,
        bytes_out=bytes_out,
        previous=GENESIS if last is None else last.hash,
    )
    return msgspec.structs.replace(line, hash=sealed(line))


def sealed(line: Line) -> bytes:
    """BLAKE2b-256 over the previous hash and the line in msgpack, its fields in their order, `hash` empty."""
    body = _encoder.encode(msgspec.structs.replace(line, hash=b""))
    return hashlib.blake2b(line.previous + body, digest_size=HASH_BYTES).digest()


def verify(lines: Iterable[Line], after: Line | None = None) -> Broken | None:
    """The first line that breaks the chain that begins with the ledger, or goes on from `after`; None: all hold."""
    number, previous = (1, GENESIS) if after is None else (after.number + 1, after.hash)
    for line in lines:
        if line.number != number:
            return Broken(
                number, f"line {line.number} stands where line {number} should: lines were taken out or put in"
            )
        if line.previous != previous:
            return Broken(number, "it does not follow from the line before it: one of the two was replaced")
        if line.hash != sealed(line):
            return Broken(number, "it is not what was written: its hash does not fit")
        number, previous = number + 1, line.hash
    return None


def encode(line: Line) -> bytes:
    """One msgpack map."""
    return _encoder.encode(line)


def decode(body: bytes) -> Line:
    """The line in `body`.

    Raises:
        BadLineError: it is none.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadLineError(f"{error}: {BadLineError.__doc__}") from error
