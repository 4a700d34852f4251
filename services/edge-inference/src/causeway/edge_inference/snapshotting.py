"""Writes a new copy of a lexical index when enough has changed, on a thread that neither asks nor the log wait for."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress

from causeway.edge_inference.knowledge_index import KnowledgeIndex
from causeway.edge_inference.metrics import Metrics
from causeway.edge_inference.replica import Replica
from causeway.edge_inference.snapshots import SnapshotRule

_CHECK_INTERVAL_S = 1.0
_RETRY_AFTER_S = 60.0
_log = logging.getLogger(__name__)


class Snapshotting:
    """Runs until told to stop; what changed after the last copy is copied when the replica closes."""

    def __init__(self, replica: Replica, metrics: Metrics, rule: SnapshotRule, quiet: Callable[[], bool]) -> None:
        self._replica = replica
        self._metrics = metrics
        self._rule = rule
        self._quiet = quiet
        self._failed_at_s = -math.inf

    async def until(self, stop: asyncio.Event) -> None:
        """Look every second whether a copy is due; after a failure, wait a minute."""
        while not stop.is_set():
            try:
                await self._once()
            except Exception as error:  # noqa: BLE001  # The outermost loop of snapshots: answers go on without them.
                self._failed_at_s = time.monotonic()
                _log.warning("snapshots wait", extra={"reason": str(error)}, exc_info=error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _CHECK_INTERVAL_S)

    async def _once(self) -> None:
        for kb, index in self._replica.indexes.items():
            rested = time.monotonic() - self._failed_at_s >= _RETRY_AFTER_S
            if rested and self._due(kb, index) and not await asyncio.to_thread(self._replica.save_snapshot, kb):
                self._failed_at_s = time.monotonic()
            self._measure(kb)

    def _due(self, kb: str, index: KnowledgeIndex) -> bool:
        file = self._replica.snapshots.file(kb)
        return self._replica.snapshots.outlives_its_key(kb) or self._rule.due(
            changed=index.uncopied,
            held=len(index),
            age_s=math.inf if file is None else file.age_s,
            quiet=self._quiet() and not index.behind,
        )

    def _measure(self, kb: str) -> None:
        file = self._replica.snapshots.file(kb)
        if file is not None:
            self._metrics.snapshot_age.labels(kb=kb).set(file.age_s)
            self._metrics.snapshot_bytes.labels(kb=kb).set(file.size_bytes)
