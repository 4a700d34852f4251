"""A hub without an engine: every ask is refused at once, and the status says why."""

from collections.abc import AsyncGenerator

from causeway.cloud_inference.completions import Generation, Piece
from causeway.cloud_inference.engine_load import EngineLoad
from causeway.cloud_inference.errors import EngineRefused
from causeway.cloud_inference.retrieving import Found
from causeway.cloud_inference.stopwatch import Stopwatch

NO_ENGINE = "none"
REASON = "no engine is configured"


class NoEngine:
    """See `Engine` in ports.py: it is never well, so that nothing else is asked of it."""

    async def generate(self, generation: Generation) -> AsyncGenerator[Piece, None]:
        """Raises EngineRefused."""
        await self.health()
        yield Piece()

    async def health(self) -> None:
        """Raises EngineRefused."""
        raise EngineRefused(REASON)

    async def load(self) -> EngineLoad | None:
        """None."""
        return None

    async def models(self) -> list[str]:
        """None."""
        return []

    async def count_tokens(self, text: str, model: str) -> int | None:
        """None: there is no tokenizer."""
        return None

    async def close(self) -> None:
        """Nothing is open."""


class NothingShared:
    """See `Retriever` in answering.py: no kb is known."""

    async def find(self, kb: str, question: str, passages_max: int, watch: Stopwatch) -> Found:
        """Nothing."""
        return Found(citations=[], epoch={}, known=False)
