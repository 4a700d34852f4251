"""Looks at the engine now and then: is it well, how much has it to do, how fast is it. Tells the entrance."""

import asyncio
import itertools
import logging
import math
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from causeway.cloud_inference.billing import Billing
from causeway.cloud_inference.completions import Generation
from causeway.cloud_inference.engine_load import EngineLoad
from causeway.cloud_inference.entrance import Entrance
from causeway.cloud_inference.errors import EngineError, EngineRefused
from causeway.cloud_inference.generating import Generating
from causeway.cloud_inference.measurements import Measurements
from causeway.cloud_inference.metrics import Metrics
from causeway.cloud_inference.ports import Engine
from causeway.cloud_inference.prompt import SAMPLES, TokenMeasure, measured
from causeway.cloud_inference.running import OutOfTime, Running

_MEASURE_TOKENS_MAX = 8
_MEASURE_PROMPT_TOKENS = 300
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class WatchRules:
    """Seconds between two looks; between two measurements that are made only because asks are refused; for one; how
    many an hour may have, and the longest prompt that one may have."""

    every_s: float = 2.0
    measure_every_s: float = 5.0
    measure_timeout_s: float = 30.0
    measures_per_hour_max: int = 120
    measure_prompt_tokens_max: int = 1_500
    pause_file: Path | None = None


class Watch:
    """The only one that says that the engine is well again after it was not."""

    def __init__(
        self,
        engine: Engine,
        entrance: Entrance,
        rules: WatchRules,
        billing: Billing,
        metrics: Metrics,
        *,
        model: str = "",
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`model` empty: the first that the engine serves. `clock_s` says when a measurement is due."""
        self.model = model
        self.measure = TokenMeasure()
        self._engine = engine
        self._entrance = entrance
        self._rules = rules
        self._billing = billing
        self._clock_s = clock_s
        self._measurements = Measurements(per_hour_max=rules.measures_per_hour_max, every_s=rules.every_s)
        self._metrics = metrics
        self._numbers = itertools.count()
        self._tokens_counted = False

    async def until(self, stop: asyncio.Event) -> None:
        """Look until told to stop. A look that fails as nobody expected ends nothing: the next one may not."""
        while not stop.is_set():
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001  # The outermost loop of watching.
                self._stumbled(error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._rules.every_s)

    def _stumbled(self, error: Exception) -> None:
        self._metrics.stumbles.inc()
        _log.exception("a look at the engine failed", exc_info=error)
        if self._entrance.down:
            self._tell(f"a look at it failed: {error}")

    async def look(self) -> None:
        """Once. An engine that came back, or that has timed out too often, must generate before it counts as well."""
        before = self._entrance.down
        pause_file = self._rules.pause_file
        self._entrance.paused = pause_file is not None and await asyncio.to_thread(pause_file.exists)
        try:
            await self._health()
            self.model = self.model or await self._first_model()
            self._entrance.load = await self._engine.load() or EngineLoad()
            if not self._tokens_counted:
                await self._count_tokens()
            if (self._entrance.down or self._must_measure()) and not await self._measured():
                return
        except EngineError as error:
            self._tell(error.detail)
        except OutOfTime:
            self._tell(f"no token within {self._rules.measure_timeout_s:g} s")
        else:
            # An ask that failed meanwhile knows more than this look, unless it generated after that.
            if before or not self._entrance.down:
                self._tell("")

    def _must_measure(self) -> bool:
        """Asks that are refused for their deadline teach nothing: a pace that was bad once would stay so for ever."""
        entrance = self._entrance
        age_s = self._clock_s() - self._measurements.made_s
        free = entrance.generating < entrance.rules.slots
        starved = entrance.starved.asks > 0 and free and age_s >= self._rules.measure_every_s
        return entrance.pace.samples == 0 or starved

    async def _health(self) -> None:
        try:
            await self._engine.health()
        except EngineError:
            self._measurements = self._measurements.ill()
            raise

    async def _measured(self) -> bool:
        """Generate, unless that was done too often. Returns whether it was done.

        Raises:
            EngineError, OutOfTime: it was, and failed.
        """
        withheld = self._measurements.withheld(self._clock_s(), down=bool(self._entrance.down))
        if withheld is not None:
            self._metrics.withheld.labels(reason=withheld).inc()
            return False
        failed = True
        try:
            await self._generate()
            failed = False
        finally:
            self._measurements = self._measurements.made(self._clock_s(), failed=failed)
        return True

    async def _generate(self) -> None:
        now_s = asyncio.get_running_loop().time()
        until_s = now_s + self._rules.measure_timeout_s
        running = Running(site="", ask_id="", began_s=now_s, deadline_s=until_s, first_token_s=until_s)
        number = next(self._numbers)
        # The number first, so that nothing of it is in the engine's cache.
        text = f"{number} {now_s:.6f} " + SAMPLES["en"] * self._repeats(number)
        messages = [{"role": "user", "content": text}]
        generation = Generation(model=self.model, messages=messages, tokens_max=_MEASURE_TOKENS_MAX)
        self._metrics.measured.inc()
        generating = Generating(self._engine, self._entrance, generation, self.measure.tokens(text), measures=True)
        with self._billing.measurement(number, generating):
            async with aclosing(generating.pieces(running, until_s)) as pieces:
                async for _ in pieces:
                    pass

    def _repeats(self, number: int) -> int:
        """So many samples as make a prompt as long as those that were refused: the shortest and the longest in turn, so
        that neither is refused for ever by what the other one takes."""
        starved = self._entrance.starved
        tokens = (starved.most if number % 2 else starved.fewest) * self._entrance.pace.first_token.uncached_share
        tokens = min(tokens or _MEASURE_PROMPT_TOKENS, self._rules.measure_prompt_tokens_max)
        return max(1, math.ceil(tokens / self.measure.tokens(SAMPLES["en"])))

    async def _first_model(self) -> str:
        names = await self._engine.models()
        if not names:
            raise EngineRefused("it serves no model")
        return names[0]

    async def _count_tokens(self) -> None:
        counts = {language: await self._engine.count_tokens(text, self.model) for language, text in SAMPLES.items()}
        self._tokens_counted = True
        known = {language: count for language, count in counts.items() if count}
        if len(known) == len(SAMPLES):
            self.measure = measured(known)
            _log.info(
                "tokens are counted by the engine", extra={"han": self.measure.han, "letter": self.measure.letter}
            )

    def _tell(self, down: str) -> None:
        if bool(down) != bool(self._entrance.down):
            (_log.warning if down else _log.info)("the engine is " + ("down" if down else "up"), extra={"reason": down})
        self._entrance.down = down
