"""Publishes who gives way to whom: what the fold of KNOWLEDGE decided and the state keeps until the log has it.

At least once, to the subject of the loser, where the last one stays.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from causeway.merge import sibling_name
from causeway.proto import subjects
from causeway.proto.documents import DocumentStatus, State
from causeway.proto.knowledge import DocumentShadowed
from causeway.sync_delta.metrics import Metrics
from causeway.sync_delta.ports import Log
from causeway.sync_delta.state import State as Kept

SERVICE = "sync-delta"
SIBLING = "sibling"
AT_ONCE = 200
DOCUMENT_ID_CHARS_MAX = 1024
RETRY_S = 2.0
IDLE_S = 30.0
_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Shadowing:
    """A loop of its own, so that a decision never waits for a publication."""

    place: str
    state: Kept
    log: Log
    metrics: Metrics
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, stop: asyncio.Event) -> None:
        """Publish until told to stop."""
        while not stop.is_set():
            self.wake.clear()
            pause_s = IDLE_S
            try:
                while await self.step():
                    pass
            except Exception as error:  # noqa: BLE001  # The outermost loop of shadowing.
                _log.warning("shadows wait", extra={"reason": str(error)})
                pause_s = RETRY_S
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), pause_s)

    async def step(self) -> bool:
        """Publish some that wait. Returns whether there were any."""
        waiting = await self.state.read(lambda tables: tables.versions.unpublished(AT_ONCE))
        self.metrics.siblings.set(await self.state.read(lambda tables: tables.versions.sibling_count()))
        if not waiting:
            return False
        for _, origin, shadow in waiting:
            await self._publish(origin, shadow)
        await self.state.write(lambda tables: tables.versions.published(waiting))
        return True

    async def _publish(self, origin: str, shadow: DocumentShadowed) -> None:
        key = shadow.document_key.hex()
        # The moment keeps a shadow that comes back within the window for duplicates from being taken for one.
        moment = self.now_ms()
        name = f"{origin}:{key}:{shadow.revision}:{shadow.winner}:{shadow.winner_revision}:{moment}"
        await self.log.publish(subjects.KNOWLEDGE_SHADOW.at(origin, shadow.kb, key), shadow, msg_id=f"shadow:{name}")
        if shadow.concurrent and shadow.revision:
            status = sibling_status(origin, shadow, moment)
            await self.log.publish(subjects.STATUS.at(self.place, shadow.kb, key), status, msg_id=f"sibling:{name}")
            about = {"kb": shadow.kb, "origin": origin, "winner": shadow.winner, "revision": shadow.revision}
            _log.warning("a document was written at two places at once: one is kept as a sibling", extra=about)


def sibling_status(origin: str, shadow: DocumentShadowed, at_unix_ms: int) -> DocumentStatus:
    """What the sibling is called and why. It is another document to whoever waits for the winner's status."""
    named = sibling_name(shadow.document_id, origin)
    return DocumentStatus(
        kb=shadow.kb,
        document_id=named if len(named) <= DOCUMENT_ID_CHARS_MAX else sibling_name(shadow.document_id[:900], origin),
        revision=shadow.revision,
        state=State.SEARCHABLE,
        code=SIBLING,
        reason=f"written at {origin} while {shadow.winner} wrote too, whose text stands; this one is kept as {named}",
        service=SERVICE,
        at_unix_ms=at_unix_ms,
    )
