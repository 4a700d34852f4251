"""Usage events: each once and in order, over an absence of the stream, and never more than the queue holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from prometheus_client import CollectorRegistry

from causeway.bus import NotPublished
from causeway.cloud_inference.metrics import Metrics
from causeway.cloud_inference.usage_events import UsageEvents
from causeway.proto import Message
from causeway.proto.answers import Route
from causeway.proto.usage import UsageRecorded
from tests.support.waiting import until


class Stream:
    """Takes messages unless it is away; a message that it was given while away may have been stored all the same."""

    def __init__(self) -> None:
        self.away = False
        self.tried = 0
        self.ids: list[str] = []
        self.unwanted: dict[str, int] = {}
        """Ids that no error of the bus, but another one ends, and how often."""

    async def publish(self, subject: str, message: Message, *, msg_id: str) -> object:
        assert subject == "site.hub.usage"
        assert isinstance(message, UsageRecorded)
        self.tried += 1
        if self.away:
            raise NotPublished("away")
        if self.unwanted.get(msg_id, 0) > 0:
            self.unwanted[msg_id] -= 1
            raise ValueError("not expected")
        self.ids.append(msg_id)
        return None


def event(number: int) -> UsageRecorded:
    return UsageRecorded(
        usage_id=str(number),
        site="a",
        kb="k",
        answer_id="x",
        service="s",
        route=Route.CLOUD,
        duration_ms=1.0,
        at_unix_ms=1,
    )


@asynccontextmanager
async def publishing(stream: Stream, registry: CollectorRegistry, queue_max: int = 100) -> AsyncIterator[UsageEvents]:
    events = UsageEvents(stream, "hub", Metrics(registry), queue_max=queue_max, retry_s=0.01)
    task = asyncio.create_task(events.run())
    try:
        yield events
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_events_are_published_in_order_and_a_flush_waits_for_them() -> None:
    stream = Stream()
    async with publishing(stream, CollectorRegistry()) as events:
        for number in range(20):
            events.add(event(number))
        assert await events.flush(5.0) == 0
    assert stream.ids == [str(number) for number in range(20)]


async def test_an_absence_of_the_stream_loses_none_and_doubles_none() -> None:
    stream = Stream()
    stream.away = True
    async with publishing(stream, CollectorRegistry()) as events:
        events.add(event(1))
        await until(lambda: stream.tried > 2)
        events.add(event(2))
        stream.away = False
        assert await events.flush(5.0) == 0
    assert stream.ids == ["1", "2"]


async def test_an_error_that_nobody_expected_ends_nothing_and_holds_up_no_other_event() -> None:
    stream, registry = Stream(), CollectorRegistry()
    stream.unwanted = {"1": 3}
    async with publishing(stream, registry) as events:
        for number in range(4):
            events.add(event(number))
        assert await events.flush(5.0) == 0
    assert stream.ids == ["0", "2", "3", "1"]
    assert registry.get_sample_value("causeway_cloud_inference_usage_failures_total") == 3


async def test_beyond_the_queue_the_oldest_is_dropped_and_counted() -> None:
    stream, registry = Stream(), CollectorRegistry()
    stream.away = True
    async with publishing(stream, registry, queue_max=3) as events:
        for number in range(5):
            events.add(event(number))
        assert registry.get_sample_value("causeway_cloud_inference_usage_dropped_total") == 2
        stream.away = False
        assert await events.flush(5.0) == 0
    assert stream.ids[-3:] == ["2", "3", "4"]


async def test_what_a_flush_leaves_is_told_and_counted() -> None:
    stream, registry = Stream(), CollectorRegistry()
    stream.away = True
    async with publishing(stream, registry) as events:
        events.add(event(1))
        assert await events.flush(0.05) == 1
    assert registry.get_sample_value("causeway_cloud_inference_usage_dropped_total") == 1
