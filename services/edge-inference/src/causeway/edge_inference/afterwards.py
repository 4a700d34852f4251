"""What is done with an answer after its reply: the ledger, the cache, an audit. By the side, at no asker's cost.

At most once: what is under way when the service is killed is lost, and an answer that no ledger got is not followed.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine

from causeway.edge_inference.composing import cited_chunks
from causeway.edge_inference.scheduling_metrics import SchedulingMetrics
from causeway.edge_inference.scheduling_ports import AnswerCache, Audits, Ledger, Vector
from causeway.proto.answers import Answer, Ask, Route

_log = logging.getLogger(__name__)


class Afterwards:
    """At most `running_max` answers at a time, each within `timeout_s`; beyond that they are dropped and counted."""

    def __init__(
        self,
        ledger: Ledger,
        cache: AnswerCache,
        audits: Audits,
        metrics: SchedulingMetrics,
        *,
        running_max: int = 256,
        timeout_s: float = 60.0,
    ) -> None:
        self._ledger = ledger
        self._cache = cache
        self._audits = audits
        self._metrics = metrics
        self._running_max = running_max
        self._timeout_s = timeout_s
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, ask: Ask, answer: Answer, language: str, vector: Vector, *, may_leave: bool) -> None:
        """The reply is out, or about to be. `may_leave`: the question may cross the link, for an audit too."""
        if len(self._running) >= self._running_max:
            self._metrics.afterwards_dropped.labels(reason="full").inc()
            return
        task = asyncio.create_task(self._within(lambda: self._all(ask, answer, language, vector, may_leave)))
        self._running.add(task)
        self._metrics.afterwards_running.set(len(self._running))
        task.add_done_callback(self._left)

    async def close(self, within_s: float) -> None:
        """Wait for what is under way, then end it."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=within_s)
            for task in late:
                task.cancel()
                self._metrics.afterwards_dropped.labels(reason="stopped").inc()

    def _left(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._metrics.afterwards_running.set(len(self._running))

    async def _all(self, ask: Ask, answer: Answer, language: str, vector: Vector, may_leave: bool) -> None:
        cited = cited_chunks(answer.citations)
        await self._ledger.given(ask, answer, cited)
        # One with a reason was cut short by its asker's deadline: another asker may have more time.
        if answer.route is Route.CLOUD and not answer.reason:
            await self._cache.keep(ask, language, vector, answer, cited)
        elif answer.route is Route.EDGE and may_leave and not answer.abstained:
            await self._audits.consider(ask, answer)

    async def _within(self, act: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await act()
        except TimeoutError:
            self._metrics.afterwards_dropped.labels(reason="slow").inc()
        except Exception as error:  # noqa: BLE001  # The outermost frame of what nobody waits for.
            self._metrics.afterwards_dropped.labels(reason="failed").inc()
            _log.error("an answer was given and not kept", exc_info=error)
