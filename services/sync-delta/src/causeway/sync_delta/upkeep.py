"""What sync-delta does by the side: tombstones leave OUTBOX when nobody needs them, orphaned numbers are purged."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from causeway.proto import streams, subjects
from causeway.sync_delta import tombstones
from causeway.sync_delta.metrics import Metrics
from causeway.sync_delta.ports import Log
from causeway.sync_delta.state import State, Tables


@dataclass(kw_only=True)
class OutboxUpkeep:
    """Every step may be repeated; `applied_seqs` are the watermarks of those who take this outbox."""

    place: str
    state: State
    outbox: Log
    limits: tombstones.Limits
    metrics: Metrics
    applied_seqs: Callable[[], Iterable[int]]
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000

    async def expire(self) -> int:
        """Purge tombstones that may leave. Returns how many did."""
        now_ms, applied = self.now_ms(), list(self.applied_seqs())
        before_ms = now_ms - self.limits.age_min_s * 1_000
        candidates = await self.state.read(lambda tables: tables.outbox.tombstones(before_ms))
        gone = 0
        for kb, key, at_ms, seq in candidates:
            if not tombstones.may_leave(at_ms, seq, applied, now_ms, self.limits):
                continue
            subject = subjects.OUTBOX_DOCUMENT.at(self.place, kb, key.hex())
            # One that was published since stays.
            await self.outbox.purge(streams.outbox(self.place).name, subject, seq + 1)
            await self.state.write(lambda tables, kb=kb, key=key, seq=seq: _forget(tables, kb, key, seq))  # type: ignore[misc]
            gone += 1
        self.metrics.expired.inc(gone)
        return gone

    async def sweep(self) -> int:
        """Purge numbers that no document names: what was published when a state was lost. Returns how many.

        Forgotten first: a chunk that is shared again meanwhile gets a fresh number.
        """
        orphans = await self.state.write(_forget_orphans)
        for kb, number in orphans:
            subject = subjects.OUTBOX_CHUNK.at(self.place, kb, str(number))
            await self.outbox.purge(streams.outbox(self.place).name, subject)
        return len(orphans)


def _forget_orphans(tables: Tables) -> list[tuple[str, int]]:
    if tables.outbox.queued_counts() or tables.outbox.intents():
        return []
    orphans = tables.outbox.orphans()
    for kb, number in orphans:
        tables.outbox.drop_numbers(kb, [number])
    return orphans


def _forget(tables: Tables, kb: str, key: bytes, seq: int) -> None:
    shared = tables.outbox.shared(kb, key)
    if shared is not None and shared.deleted and shared.outbox_seq == seq:
        tables.outbox.drop_shared(kb, key)
