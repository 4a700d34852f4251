"""Metric labels and span names stay few: no reply inbox and no id of a chunk may become one."""

import pytest
from faststream.nats import NatsBroker
from faststream.nats.opentelemetry import NatsTelemetryMiddleware
from faststream.nats.prometheus import NatsPrometheusMiddleware
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

from causeway.bus import Bus, Caller, Endpoint
from causeway.proto import subjects
from causeway.proto.answers import Search, SearchResult
from tests.support.buses import KB, SITE, declared_bus, started, status
from tests.support.nats_server import NatsServer

PAIR = pytest.mark.parametrize("remedy", [True, False], ids=["remedy", "plain"])
REQUESTS = 5
SUBJECT = subjects.SEARCH.at(SITE, KB)


async def _search(caller: Caller, search: Search) -> SearchResult:
    return SearchResult(kb=search.kb, passages=[], epoch={}, latency_ms={})


async def _ask_often(bus: Bus) -> None:
    endpoint = Endpoint(name="search", subject=SUBJECT, handler=_search, request_type=Search)
    serving = bus.serve("edge", "1.0.0", "test", [endpoint])
    await serving.ready.wait()
    for _ in range(REQUESTS):
        await bus.request(SUBJECT, Search(kb=KB, question="why?"), SearchResult, 10)


async def _ask_plainly(broker: NatsBroker) -> None:
    async def reply(body: object) -> str:
        return "reply"

    broker.subscriber(SUBJECT)(reply)
    async with started(broker):
        for _ in range(REQUESTS):
            await broker.request("question", SUBJECT, timeout=5)


@PAIR
async def test_no_span_is_named_for_a_reply_inbox_or_an_id(nats_server: NatsServer, remedy: bool) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    if remedy:
        async with declared_bus(nats_server, tracer_provider=provider) as bus:
            await _ask_often(bus)
            await bus.publish(subjects.STATUS.at(SITE, KB, "c0ffee"), status(1), msg_id="1")
    else:
        await _ask_plainly(NatsBroker(nats_server.url, middlewares=[NatsTelemetryMiddleware(tracer_provider=provider)]))
    text = " ".join(f"{span.name} {dict(span.attributes or {})}" for span in spans.get_finished_spans())
    assert text
    assert ("_INBOX" in text) is not remedy
    assert "c0ffee" not in text


@PAIR
async def test_no_otel_series_has_a_reply_inbox(nats_server: NatsServer, remedy: bool) -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider(metric_readers=[reader])
    if remedy:
        # The bus gives no meter to FastStream: its numbers are Prometheus', with folded labels.
        async with declared_bus(nats_server, tracer_provider=TracerProvider()) as bus:
            await _ask_often(bus)
        assert reader.get_metrics_data() is None
        return
    await _ask_plainly(NatsBroker(nats_server.url, middlewares=[NatsTelemetryMiddleware(meter_provider=meters)]))
    assert str(reader.get_metrics_data()).count("_INBOX") >= REQUESTS


@PAIR
async def test_no_prometheus_series_has_an_id_of_a_subject(nats_server: NatsServer, remedy: bool) -> None:
    registry = CollectorRegistry()
    subject = subjects.STATUS.at(SITE, KB, "c0ffee")
    if remedy:
        async with declared_bus(nats_server, prometheus_registry=registry) as bus:
            await bus.publish(subject, status(1), msg_id="1")
            await _ask_often(bus)
    else:
        async with declared_bus(nats_server):
            middleware = NatsPrometheusMiddleware(registry=registry)
            async with started(NatsBroker(nats_server.url, middlewares=[middleware])) as plain:
                await plain.publish(b"", subject, stream="STATUS", timeout=5)
    text = generate_latest(registry).decode()
    assert ("c0ffee" in text) is not remedy
    assert "_INBOX" not in text
    if remedy:
        assert 'destination="status"' in text
        assert 'causeway_bus_published_total{outcome="stored",service="ingestor",stream="STATUS"} 1.0' in text
