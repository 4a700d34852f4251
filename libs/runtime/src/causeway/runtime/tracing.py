"""Traces over OTLP, when an endpoint is configured: otherwise nothing is recorded and nothing is sent."""

import os
from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def tracer_provider(service: str, site: str, environ: Mapping[str, str] = os.environ) -> TracerProvider | None:
    """A provider that exports to `OTEL_EXPORTER_OTLP_ENDPOINT`, or None where that is not set.

    The batch processor's queue is bounded (2,048 spans by default, `OTEL_BSP_*`) and drops beyond it: traces are
    help, not truth, and must never hold up an answer.
    """
    if not environ.get(ENDPOINT):
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": service, "causeway.site": site}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
