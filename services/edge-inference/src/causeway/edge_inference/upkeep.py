"""What a replica does by the side, in small steps: index terms that a start left, sweep, tell, build, seal, prune."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from causeway.bus import BusError
from causeway.edge_inference.handlers import Following
from causeway.edge_inference.metrics import Metrics
from causeway.edge_inference.replica import Replica
from causeway.edge_inference.rotation import Resealing

# Asks get in between two steps.
_STEP_PAUSE_S = 0.05
# Between two looks; a graph takes some hundred rows a second beside asks.
_CALM_ENTRIES_MAX = 1_000
_log = logging.getLogger(__name__)
T = TypeVar("T")


class Upkeep:
    """Runs until told to stop. Every step is bounded, so that the log never waits long for the storage thread."""

    def __init__(
        self,
        following: Following,
        replica: Replica,
        storage: Executor,
        metrics: Metrics,
        resealing: Resealing,
        quiet: Callable[[], bool],
        interval_s: float,
    ) -> None:
        self._following = following
        self._replica = replica
        self._storage = storage
        self._metrics = metrics
        self._resealing = resealing
        self._quiet = quiet
        self._interval_s = interval_s
        self._seq_before = replica.vault.state.seq

    async def until(self, stop: asyncio.Event) -> None:
        """Every `interval_s`, and back to back while there are terms to index or rows to seal again."""
        while not stop.is_set():
            done = True
            try:
                done = await self._once()
            except Exception as error:  # noqa: BLE001  # The outermost loop of upkeep: answers go on without it.
                expected = isinstance(error, BusError | TimeoutError)
                _log.warning("upkeep waits", extra={"reason": str(error)}, exc_info=None if expected else error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._interval_s if done else _STEP_PAUSE_S)

    async def _once(self) -> bool:
        """One step of each. Returns whether there is nothing left to index, to seal again or to prune."""
        self._measure()
        behind = await self._on_storage(self._replica.catch_up)
        resealed = await self._on_storage(self._resealing.step)
        overdue = await self._on_storage(self._replica.prune_past)
        if self._following.caught_up:
            await self._following.sweep()
            await self._following.announce()
            # A knowledge base that began after the start has no fast index yet. While a backlog is read it shall have
            # none: exact search takes new rows a hundred times faster.
            if self._calm():
                await self._on_storage(self._replica.build_indexes)
        return resealed and not behind and not overdue

    def _calm(self) -> bool:
        """Whether no backlog is being read: a burst reaches the log's end for a moment again and again."""
        before, self._seq_before = self._seq_before, self._replica.vault.state.seq
        return self._quiet() and self._seq_before - before <= _CALM_ENTRIES_MAX

    def _measure(self) -> None:
        vault = self._replica.vault
        self._metrics.watermark.set(vault.state.seq)
        self._metrics.vault_bytes.set(_size_bytes(vault.folder))
        for kb, index in self._replica.indexes.items():
            self._metrics.chunks.labels(kb=kb).set(len(index))
            self._metrics.behind.labels(kb=kb).set(len(index.behind))
            self._metrics.foreign.labels(kb=kb).set(len(index.foreign))

    async def _on_storage(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._storage, act)


def _size_bytes(folder: Path) -> int:
    total = 0
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # A draft that has just taken its place.
            total += path.stat().st_size
    return total
