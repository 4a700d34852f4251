"""A publication that is given up says what stood in its way, not that the time for the last attempt was short."""

from typing import cast

import nats.errors
import nats.js.errors
import pytest
from prometheus_client import CollectorRegistry

from causeway.bus import BusSettings, NotPublished, StreamMissing
from causeway.bus.broker import EdgeBroker
from causeway.bus.metrics import BusMetrics
from causeway.bus.publishing import Publishing


class Broker:
    """Attempts that end as they are told, the last one again and again; it is its own client."""

    max_payload = 1024 * 1024

    def __init__(self, *ends: Exception) -> None:
        self._ends = list(ends)
        self.client = self

    async def online(self, timeout_s: float | None) -> None:
        pass

    async def publish(self, body: bytes, subject: str, **more: object) -> None:
        raise self._ends.pop(0) if len(self._ends) > 1 else self._ends[0]


def publishing(*ends: Exception) -> Publishing:
    settings = BusSettings(site="s", service="test")
    return Publishing(cast(EdgeBroker, Broker(*ends)), settings, BusMetrics(CollectorRegistry()))


async def test_a_missing_stream_is_named_though_the_last_attempt_ran_out_of_time() -> None:
    with pytest.raises(StreamMissing, match="causeway up site"):
        await publishing(nats.js.errors.NoStreamResponseError(), nats.errors.TimeoutError()).publish_raw(
            "site.s.document.kb", b"", {}, stream="DOCUMENTS", timeout_s=0.2
        )


async def test_where_nothing_but_time_outs_came_the_publication_is_uncertain() -> None:
    with pytest.raises(NotPublished, match="same") as raised:
        await publishing(nats.errors.TimeoutError()).publish_raw(
            "site.s.document.kb", b"", {}, stream="DOCUMENTS", timeout_s=0.2
        )
    assert not isinstance(raised.value, StreamMissing)
