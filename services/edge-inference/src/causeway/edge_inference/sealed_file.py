"""A sealed file for what is too large for a record: frames that open in their own file and order, or not at all."""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from causeway.edge_inference.envelope import TAG_BYTES, BrokenSealError, Envelope, Kind, Slot
from causeway.edge_inference.keys import NONCE_BYTES

FRAME_BYTES = 4 * 1024 * 1024
LAYOUT = 1
_MAGIC = b"CwSealed"
_HEAD_BYTES_MAX = 1024
_SEAL_BYTES = NONCE_BYTES + TAG_BYTES
_encoder = msgspec.msgpack.Encoder()


class SealedFileError(ValueError):
    """The file is not what was sealed for this place, or not by a key of this vault."""


class Head(msgspec.Struct, frozen=True, array_like=True):
    """What stands in clear before the frames, and is covered by the seal of each of them.

    `edition` says what made the body; `serial` is random, so that frames of two writes do not fit together.
    """

    layout: int
    kid: str
    edition: bytes
    serial: bytes
    body_bytes: int

    @property
    def frames(self) -> int:
        """How many frames follow."""
        return -(-self.body_bytes // FRAME_BYTES)


def write_sealed(path: Path, envelope: Envelope, kind: Kind, kb: int, edition: bytes, body: bytes) -> int:
    """Replace the file as one step: after a crash it is the old one or the new one, whole. Returns the seals made."""
    head = Head(LAYOUT, envelope.kid, edition, os.urandom(16), len(body))
    encoded = _encoder.encode(head)
    draft = path.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    view = memoryview(body)
    with os.fdopen(handle, "wb") as file:
        file.write(_MAGIC + len(encoded).to_bytes(4, "little") + encoded)
        for number in range(head.frames):
            frame = view[number * FRAME_BYTES : (number + 1) * FRAME_BYTES]
            file.write(envelope.seal(_slot(kind, kb, encoded, number), frame))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return head.frames


def read_sealed(path: Path, envelope: Envelope, kind: Kind, kb: int, edition: bytes) -> tuple[Head, bytearray]:
    """The head and the body that `write_sealed` wrote.

    Raises:
        SealedFileError: damaged, cut, of another place, key, layout or edition. FileNotFoundError.
    """
    with path.open("rb") as file:
        encoded = _encoded_head(file)
        head = _checked(encoded, edition)
        if file.tell() + head.body_bytes + head.frames * _SEAL_BYTES != path.stat().st_size:
            raise SealedFileError("it is cut off, or longer than it was")
        body = bytearray(head.body_bytes)
        for number in range(head.frames):
            start, end = number * FRAME_BYTES, min((number + 1) * FRAME_BYTES, head.body_bytes)
            sealed = file.read(end - start + _SEAL_BYTES)
            try:
                body[start:end] = envelope.open(_slot(kind, kb, encoded, number), head.kid, sealed)
            except BrokenSealError as error:
                raise SealedFileError(str(error)) from error
    return head, body


def _encoded_head(file: BinaryIO) -> bytes:
    magic = file.read(len(_MAGIC))
    size = int.from_bytes(file.read(4), "little")
    if magic != _MAGIC or size > _HEAD_BYTES_MAX:
        raise SealedFileError("it is not a sealed file")
    return file.read(size)


def _checked(encoded: bytes, edition: bytes) -> Head:
    try:
        head = msgspec.msgpack.decode(encoded, type=Head)
    except msgspec.MsgspecError as error:
        raise SealedFileError("its head can not be read") from error
    if head.layout != LAYOUT:
        raise SealedFileError(f"it has layout {head.layout} and this software reads layout {LAYOUT}")
    if head.edition != edition:
        raise SealedFileError("another edition of the software made its content")
    if head.body_bytes < 0:
        raise SealedFileError("its head can not be read")
    return head


def _slot(kind: Kind, kb: int, head: bytes, number: int) -> Slot:
    return Slot(kind, kb, hashlib.blake2b(head, digest_size=16).digest(), number)
