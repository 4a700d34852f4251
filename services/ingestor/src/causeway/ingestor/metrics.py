"""What the ingestor counts."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0)


class Metrics:
    """One set per process. Outcomes: drafted, deleted, failed, superseded, repeated, retried."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.documents = Counter(
            "causeway_ingestor_documents_total", "Documents by outcome.", ["outcome"], registry=registry
        )
        self.failures = Counter(
            "causeway_ingestor_failures_total", "Documents that failed, by code.", ["code"], registry=registry
        )
        self.chunks = Counter(
            "causeway_ingestor_chunks_total",
            "Chunks of drafts: new (sent) or kept.",
            ["kind"],
            registry=registry,
        )
        self.body_bytes = Counter("causeway_ingestor_body_bytes_total", "Bytes of bodies read.", registry=registry)
        self.parse_seconds = Histogram(
            "causeway_ingestor_parse_seconds",
            "From the body to its chunks, waiting for a worker included.",
            registry=registry,
            buckets=_SECONDS,
        )
        self.parsing = Gauge("causeway_ingestor_documents_parsing", "Documents being parsed now.", registry=registry)
        self.elsewhere = Gauge(
            "causeway_ingestor_documents_elsewhere", "Own documents in another embedding space.", registry=registry
        )
        self.workers_replaced = Gauge(
            "causeway_ingestor_workers_replaced", "Workers that died and were replaced.", registry=registry
        )
