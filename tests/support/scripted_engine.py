"""An engine without a server: each generation goes as its script says, and what was asked is kept."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from causeway.cloud_inference.completions import Generation, Piece
from causeway.cloud_inference.engine_load import EngineLoad
from causeway.cloud_inference.errors import EngineError

HANGS = "hangs"
Step = Piece | EngineError | str
"""An event, an end by an error, or `HANGS`: nothing more comes."""


class ScriptedEngine:
    """See `Engine` in ports.py. `steps` and `ill` may be changed while it is in use."""

    def __init__(self, steps: Sequence[Step] = (Piece(text="ten"),)) -> None:
        self.steps = steps
        self.ill: Exception | None = None
        self.generations: list[Generation] = []

    async def generate(self, generation: Generation) -> AsyncGenerator[Piece, None]:
        self.generations.append(generation)
        for step in self.steps:
            if isinstance(step, EngineError):
                raise step
            if isinstance(step, str):
                await asyncio.Event().wait()
            else:
                yield step

    async def health(self) -> None:
        if self.ill is not None:
            raise self.ill

    async def load(self) -> EngineLoad | None:
        return None

    async def models(self) -> list[str]:
        return ["m"]

    async def count_tokens(self, text: str, model: str) -> int | None:
        return None

    async def close(self) -> None:
        pass
