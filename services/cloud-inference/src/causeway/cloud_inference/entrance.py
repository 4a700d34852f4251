"""Who may come in now, who is in, and what the engine was last seen to do. Holds state; `admission` decides."""

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from causeway.cloud_inference.admission import Gate, Load, Pace, Seen, Verdict, Wanted, decided, estimated
from causeway.cloud_inference.engine_load import EngineLoad
from causeway.cloud_inference.errors import EngineError, EngineGone, EngineTimeout
from causeway.cloud_inference.metrics import Metrics
from causeway.cloud_inference.problems import Refused
from causeway.cloud_inference.running import Running
from causeway.proto.cloud import CloudAsk, Refusal

STARTING = "the engine has not answered yet"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How many asks at once, how many of one site, how many the engine runs at once, after how many time-outs in a row
    it counts as down."""

    requests_max: int = 16
    site_requests_max: int = 8
    slots: int = 4
    timeouts_max: int = 5


@dataclass(frozen=True, kw_only=True)
class Starved:
    """Asks that were refused for their deadline since a generation spoke for them: how many, and the fewest and the
    most tokens of their prompts, 0 where none is known."""

    asks: int = 0
    fewest: int = 0
    most: int = 0

    def after(self, prompt_tokens: int) -> "Starved":
        """With one more."""
        fewest = min(self.fewest or prompt_tokens, prompt_tokens or self.fewest)
        return Starved(asks=self.asks + 1, fewest=fewest, most=max(self.most, prompt_tokens))


class Entrance:
    """Used by one event loop only."""

    def __init__(self, rules: Rules, metrics: Metrics) -> None:
        self.rules = rules
        self.pace = Pace()
        self.load = EngineLoad()
        self.down = STARTING
        self.paused = False
        self.timeouts_in_a_row = 0
        self.generating = 0
        self.refused: Counter[str] = Counter()
        self.starved = Starved()
        self._metrics = metrics
        # By a number of their own: sites choose the ids, and may choose one twice.
        self._running: dict[int, Running] = {}
        self._numbers = itertools.count()
        metrics.here.set_function(lambda: float(len(self._running)))
        metrics.timeouts.set_function(lambda: float(self.timeouts_in_a_row))
        metrics.healthy.set_function(lambda: 0.0 if self.down else 1.0)
        metrics.running.set_function(lambda: float(self.load.running))
        metrics.waiting.set_function(lambda: float(self.load.waiting))
        metrics.cache_used.set_function(lambda: self.load.kv_cache_used)
        metrics.base_ms.set_function(lambda: self.pace.first_token.line.base_ms)
        metrics.prompt_ms.set_function(lambda: self.pace.first_token.line.slope_ms)
        metrics.error_ms.set_function(lambda: self.pace.first_token.error_ms)
        metrics.uncached.set_function(lambda: self.pace.first_token.uncached_share)
        metrics.output_ms.set_function(lambda: self.pace.output_ms)

    @contextmanager
    def enter(self, site: str, ask: CloudAsk, began_s: float, prompt_tokens: int) -> Iterator[Running]:
        """An ask, from its admission to its end; `prompt_tokens` is the least that its prompt will have.

        Raises:
            Refused: at once, when it can not be answered in time or at all.
        """
        running = Running(
            site=site,
            ask_id=ask.ask_id,
            began_s=began_s,
            deadline_s=began_s + ask.deadline_ms / 1_000,
            first_token_s=began_s + min(ask.first_token_ms, ask.deadline_ms) / 1_000,
        )
        self.admit(running, prompt_tokens, ask.tokens_max)
        number = next(self._numbers)
        self._running[number] = running
        try:
            yield running
        finally:
            del self._running[number]

    def admit(self, running: Running, prompt_tokens: int, tokens_max: int) -> None:
        """Once more, with what is known by now.

        Raises:
            Refused.
        """
        now_s = asyncio.get_running_loop().time()
        wanted = Wanted(
            prompt_tokens=prompt_tokens,
            tokens_max=tokens_max,
            first_token_ms=(running.first_token_s - now_s) * 1_000,
            left_ms=(running.deadline_s - now_s) * 1_000,
        )
        verdict = self._verdict(wanted, running)
        if verdict.refusal is not None:
            raise self.refuse(verdict.refusal, verdict.reason, prompt_tokens)

    def refuse(self, refusal: Refusal, reason: str, prompt_tokens: int = 0) -> Refused:
        """Count a refusal; raise what is returned. `prompt_tokens` 0: not known."""
        if refusal is Refusal.DEADLINE:
            self.starved = self.starved.after(prompt_tokens)
        return self.counted(Refused(refusal, reason))

    def counted(self, refused: Refused) -> Refused:
        """Count one that was made elsewhere; raise what is returned."""
        self.refused[refused.refusal] += 1
        return refused

    def cancel(self, site: str, ask_id: str) -> bool:
        """End an ask of a site, if it is here; all of this id, if it was sent more than once."""
        found = [one for one in self._running.values() if (one.site, one.ask_id) == (site, ask_id)]
        for running in found:
            running.cancel()
        return bool(found)

    @property
    def here(self) -> int:
        """Asks that are being answered."""
        return len(self._running)

    def first_token_ms(self, prompt_tokens: int) -> float:
        """What an ask of now would wait."""
        return estimated(prompt_tokens, 0, self._load(), self.pace).first_token_ms

    def seen(self, sample: Seen, *, measures: bool = False, alone: bool = False) -> None:
        """A generation came to an end of its own. `measures`: its text is for nobody; `alone`: nothing ran beside."""
        self.timeouts_in_a_row = 0
        if measures and alone:
            self.pace = self.pace.measured(sample)
        else:
            # A measurement writes so little that it would make answers seem short.
            self.pace = self.pace.after(replace(sample, completion_tokens=0) if measures else sample)
        # What a shorter prompt took says little of those that were refused.
        if measures or sample.asked >= self.starved.most:
            self.starved = Starved()

    def late(self, sample: Seen) -> None:
        """No token came in time: the sample says how long was waited."""
        self.pace = self.pace.after_late(sample)
        self.starved = self.starved.after(sample.asked)
        self.failed(EngineTimeout(f"no token within {sample.first_token_ms:.0f} ms"))

    def failed(self, error: EngineError) -> None:
        """A call of the engine failed."""
        self._metrics.failures.labels(kind=error.kind).inc()
        _log.warning("the engine failed", extra={"kind": error.kind, "reason": error.detail})
        if isinstance(error, EngineTimeout):
            self.timeouts_in_a_row += 1
            if self.timeouts_in_a_row >= self.rules.timeouts_max:
                self.down = f"{self.timeouts_in_a_row} time-outs in a row"
        elif isinstance(error, EngineGone):
            self.down = error.detail

    def _admitted(self, running: Running | None) -> int:
        """Asks that came before this one and are still encoded or searched for: the engine will have them before it."""
        before = itertools.takewhile(lambda one: one is not running, self._running.values())
        return sum(not one.generates for one in before)

    def _verdict(self, wanted: Wanted, running: Running) -> Verdict:
        others = [one for one in self._running.values() if one is not running]
        gate = Gate(
            here=len(others),
            requests_max=self.rules.requests_max,
            here_of_site=sum(one.site == running.site for one in others),
            site_requests_max=self.rules.site_requests_max,
            paused=self.paused,
            down=self.down,
        )
        return decided(wanted, self._load(running), self.pace, gate)

    def _load(self, running: Running | None = None) -> Load:
        """Of what the engine said last and what this process has there now or will have before `running`, the more."""
        total = max(self.generating + self._admitted(running), self.load.running + self.load.waiting)
        slots = self.rules.slots
        return Load(running=min(total, slots), waiting=max(0, total - slots), slots=slots)
