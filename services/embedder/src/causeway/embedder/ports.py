"""What the embedder needs from outside: a text encoder, and the compacted log."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from causeway.bus import PubAck, Stored
from causeway.proto import Message


class PassageEncoder(Protocol):
    """Texts to vectors of length 1. `model_id` names the space: equal ids, comparable vectors."""

    model_id: str
    dims: int

    def encode_passages(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """One row per text, in order."""

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Model tokens per text, specials included, before truncation."""


class Log(Protocol):
    """The part of the bus that the embedder reads and writes."""

    async def last(self, stream: str, subject: str) -> Stored | None:
        """The newest message of a subject."""

    async def exists_many(self, stream: str, wanted: Iterable[str]) -> set[str]:
        """Those of `wanted` that have a message."""

    async def publish(
        self, subject: str, message: Message, *, msg_id: str, expected_last_subject_seq: int | None = None
    ) -> PubAck:
        """Acknowledged when it is on disk."""

    async def publish_many(self, entries: Iterable[tuple[str, Message, str]], /) -> object:
        """All of (subject, message, msg_id) acknowledged, or it raises."""
