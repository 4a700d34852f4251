"""Messages that could not be processed, with the reason, so that they can be replayed."""

from typing import ClassVar

from causeway.proto.codec import Message


class DeadLetter(Message, frozen=True, kw_only=True):
    """The original message as it came, and why the service gave up."""

    type_name: ClassVar[str] = "io.causeway.dead_letter.v1"

    service: str
    reason: str
    origin_stream: str
    origin_subject: str
    origin_seq: int
    attempts: int
    at_unix_ms: int
    headers: dict[str, str]
    body: bytes


class Canary(Message, frozen=True, kw_only=True):
    """Proof that the storage key is the one that the site was made with: readable, or nothing may be declared."""

    type_name: ClassVar[str] = "io.causeway.canary.v1"

    site: str
    at_unix_ms: int
