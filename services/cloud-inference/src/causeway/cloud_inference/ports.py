"""What cloud-inference asks of the parts that can be exchanged: an engine, a shelf of knowledge, an encoder."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from causeway.cloud_inference.completions import Generation, Piece
from causeway.cloud_inference.engine_load import EngineLoad
from causeway.milvus.values import Hit, ShelfPosition, ShelvedDocument
from causeway.proto import Message

Vectors = NDArray[np.float32]


class Engine(Protocol):
    """A model that is served. Every method may raise EngineError."""

    def generate(self, generation: Generation) -> AsyncGenerator[Piece, None]:
        """Events as they come; closing the generator makes the engine stop."""
        ...

    async def health(self) -> None: ...

    async def load(self) -> EngineLoad | None: ...

    async def models(self) -> list[str]: ...

    async def count_tokens(self, text: str, model: str) -> int | None: ...

    async def close(self) -> None: ...


class Knowledge(Protocol):
    """What is read of a shelf (causeway.milvus). Every method may raise ShelfError."""

    async def position(self) -> ShelfPosition: ...

    async def documents(self, keys: Sequence[bytes]) -> dict[bytes, ShelvedDocument]: ...

    async def hybrid_search(self, model: str, kb: str, vector: NDArray[np.float32], text: str, k: int) -> list[Hit]: ...


class Documents(Protocol):
    """What is read of a shelf to tell how documents stand. Every method may raise ShelfError."""

    async def position(self) -> ShelfPosition: ...

    async def named(self, kb: str, origin: str, document_ids: Sequence[str]) -> list[ShelvedDocument]: ...


class Encoder(Protocol):
    """Questions to unit vectors; `causeway.models.Encoder` is one."""

    model_id: str

    def encode_queries(self, texts: Sequence[str]) -> Vectors: ...


class Publisher(Protocol):
    """The part of the bus that stores a message."""

    async def publish(self, subject: str, message: Message, *, msg_id: str) -> object: ...
