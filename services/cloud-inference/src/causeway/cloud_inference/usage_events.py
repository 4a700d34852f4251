"""Usage events on their way to USAGE: answers never wait for them, and a short absence of the stream loses none."""

import asyncio
import logging
from collections import deque

from causeway.bus import BusError
from causeway.cloud_inference.metrics import Metrics
from causeway.cloud_inference.ports import Publisher
from causeway.proto import subjects
from causeway.proto.usage import UsageRecorded

RETRY_S = 1.0
RETRY_S_MAX = 30.0
_DOUBLINGS_MAX = 16
_log = logging.getLogger(__name__)


class UsageEvents:
    """At least once for what fits in the queue, each with its id; the oldest is dropped, and counted, beyond it."""

    def __init__(
        self, bus: Publisher, place: str, metrics: Metrics, *, queue_max: int = 1_000, retry_s: float = RETRY_S
    ) -> None:
        self._bus = bus
        self._subject = subjects.USAGE.at(place)
        self._metrics = metrics
        self._queue_max = queue_max
        self._retry_s = retry_s
        self._queue: deque[UsageRecorded] = deque()
        self._came = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()
        metrics.usage_waiting.set_function(lambda: float(len(self._queue)))

    def add(self, usage: UsageRecorded) -> None:
        """Take one; it returns at once."""
        if len(self._queue) >= self._queue_max:
            self._queue.popleft()
            self._metrics.unused.inc()
        self._queue.append(usage)
        self._emptied.clear()
        self._came.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        failures = 0
        while True:
            try:
                await self._came.wait()
                self._came.clear()
                await self._publish_all()
                failures = 0
            except Exception:  # noqa: BLE001  # The outermost loop of what nobody waits for: usage is not lost in silence.
                self._metrics.usage_failures.inc()
                _log.exception("usage waits after an error that was not expected", extra={"waiting": len(self._queue)})
                # If it is that event by itself, the others do not wait for it.
                self._queue.rotate(-1)
                self._came.set()
                await asyncio.sleep(min(RETRY_S_MAX, self._retry_s * 2.0**failures))
                failures = min(failures + 1, _DOUBLINGS_MAX)

    async def _publish_all(self) -> None:
        while self._queue:
            usage = self._queue[0]
            try:
                await self._bus.publish(self._subject, usage, msg_id=usage.usage_id)
            except BusError as error:
                _log.warning("usage waits", extra={"reason": str(error), "waiting": len(self._queue)})
                await asyncio.sleep(self._retry_s)
                continue
            if self._queue and self._queue[0] is usage:
                self._queue.popleft()
        self._emptied.set()

    async def flush(self, timeout_s: float) -> int:
        """Wait until all are published, at most so long. Returns how many are left."""
        try:
            await asyncio.wait_for(self._emptied.wait(), timeout_s)
        except TimeoutError:
            self._metrics.unused.inc(len(self._queue))
            _log.error("usage events are lost with this process", extra={"events": len(self._queue)})
        return len(self._queue)
