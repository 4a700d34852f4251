"""One generation as it goes: its pieces in time, what it was, and what it says of the engine's pace."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from causeway.cloud_inference.admission import Seen
from causeway.cloud_inference.completions import ABORT, Generation, Usage
from causeway.cloud_inference.entrance import Entrance
from causeway.cloud_inference.errors import EngineError
from causeway.cloud_inference.ports import Engine
from causeway.cloud_inference.running import OutOfTime, Running


class Generating:
    """Iterate `pieces`, then read the rest. Closing `pieces` makes the engine stop."""

    def __init__(
        self,
        engine: Engine,
        entrance: Entrance,
        generation: Generation,
        prompt_tokens: int,
        *,
        measures: bool = False,
    ) -> None:
        """`prompt_tokens` is what was reckoned, for where the engine does not come to say it. `measures`: its text is
        for nobody."""
        self._engine = engine
        self._entrance = entrance
        self._generation = generation
        self._reckoned_tokens = prompt_tokens
        self._measures = measures
        self._usage: Usage | None = None
        self._tokens = 0
        self._began_s = 0.0
        self._first_s = 0.0
        self._last_s = 0.0
        self.text = ""
        self.finish_reason = ABORT

    @property
    def model(self) -> str:
        """What the engine was asked by: the served model's name, or an adapter's."""
        return self._generation.model

    async def pieces(self, running: Running, until_s: float) -> AsyncGenerator[str, None]:
        """Text as it comes. At `until_s` it ends, and `finish_reason` is `abort`.

        Raises:
            OutOfTime: no token by the ask's own limit. Cancelled. EngineError.
        """
        self._began_s = self._now()
        others = self._entrance.generating
        queued = others >= self._entrance.rules.slots
        self._entrance.generating += 1
        running.generates = True
        try:
            async with aclosing(self._texts(running, until_s)) as texts:
                async for text in texts:
                    yield text
            # What runs beside a measurement makes it an ordinary sample.
            alone = not others and self._entrance.generating == 1
            self._entrance.seen(self._sample(queued), measures=self._measures, alone=alone)
        except OutOfTime:
            self._entrance.late(self._sample(queued))
            raise
        except EngineError as error:
            self._entrance.failed(error)
            raise
        finally:
            self._entrance.generating -= 1

    async def _texts(self, running: Running, until_s: float) -> AsyncGenerator[str, None]:
        async with aclosing(self._engine.generate(self._generation)) as events:
            while True:
                limit_s = until_s if self._first_s else min(until_s, running.first_token_s)
                try:
                    event = await running.within(limit_s, lambda: anext(events, None))
                except OutOfTime:
                    if not self._first_s:
                        raise
                    return
                if event is None:
                    return
                self._usage = event.usage or self._usage
                self.finish_reason = event.finish_reason or self.finish_reason
                if event.text:
                    self._count(event.text)
                    yield event.text

    def _count(self, text: str) -> None:
        self._last_s = self._now()
        self._first_s = self._first_s or self._last_s
        self._tokens += 1
        self.text += text

    @property
    def usage(self) -> Usage:
        """As the engine counted. Where it wrote and could not say so any more, what was reckoned and one token a piece;
        where it never began to write, nothing: it refused, was gone, or the request stood in its queue."""
        reckoned = self._reckoned_tokens if self._tokens else 0
        return self._usage or Usage(prompt_tokens=reckoned, completion_tokens=self._tokens)

    @property
    def first_token_s(self) -> float:
        """From the request to the first token; 0 where none came."""
        return self._first_s - self._began_s if self._first_s else 0.0

    def _sample(self, queued: bool) -> Seen:
        # In tokens as they are reckoned, which are more than the engine counts: admission knows no others.
        usage = self.usage
        waited_s = self.first_token_s or self._now() - self._began_s
        return Seen(
            prompt_tokens=round(self._reckoned_tokens * (1.0 - usage.cached_tokens / max(1, usage.prompt_tokens))),
            asked_tokens=self._reckoned_tokens,
            first_token_ms=waited_s * 1_000,
            completion_tokens=usage.completion_tokens,
            generation_ms=(self._last_s - self._first_s) * 1_000,
            queued=queued,
        )

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
