"""What edge-inference asks of the parts that can be exchanged: a vector index, an encoder, a local generative model."""

from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk and its cosine with the question."""

    chunk_id: bytes
    score: float


class VectorIndex(Protocol):
    """Unit vectors by chunk id: a disposable copy of what the vault holds. Every method is thread-safe."""

    def upsert(self, ids: Sequence[bytes], vectors: Vectors) -> None:
        """Put vectors [n, dims] of length 1 under distinct ids, over what was there."""

    def delete(self, ids: Sequence[bytes]) -> None:
        """Forget ids; those that are not there do not matter."""

    def search(self, vector: Vectors, k: int, allowed: Collection[bytes] | None = None) -> list[Hit]:
        """At most `k` hits, best first, among `allowed` where given."""

    def __len__(self) -> int:
        """How many ids there are."""

    def close(self) -> None:
        """Let go of memory. Nothing else may be called afterwards."""


class Encoder(Protocol):
    """Texts to unit vectors; `causeway.models.Encoder` is one."""

    @property
    def model_id(self) -> str: ...

    @property
    def dims(self) -> int: ...

    def encode_queries(self, texts: Sequence[str]) -> Vectors: ...

    def encode_passages(self, texts: Sequence[str]) -> Vectors: ...


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What a generator is to answer, and from which passages."""

    question: str
    passages: Sequence[str]
    language: str


class Generator(Protocol):
    """A local model that words an answer from evidence."""

    @property
    def model_name(self) -> str: ...

    def generate(self, prompt: Prompt, *, timeout_s: float) -> AsyncGenerator[str, None]:
        """Pieces of text as they come. Raises GenerationError when there is no usable text within the time."""
        ...

    async def close(self) -> None:
        """End the model's process."""
