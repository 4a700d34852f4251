"""What an operator sees of the way from KNOWLEDGE into Milvus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "causeway_sync_delta_shelf"


class ShelvingMetrics:
    """Counters and gauges of the hub's shelf. An embedding space is a label: there are one or two."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.written = Counter(f"{PREFIX}_rows_written", "Rows of chunks written.", registry=registry)
        self.deleted = Counter(f"{PREFIX}_rows_deleted", "Rows of chunks deleted.", registry=registry)
        self.documents = Counter(f"{PREFIX}_documents", "Revisions put on the shelf.", registry=registry)
        self.missing = Counter(f"{PREFIX}_chunks_missing", "Chunks that were named and not there.", registry=registry)
        self.refused = Counter(f"{PREFIX}_refused", "Documents that Milvus refuses.", registry=registry)
        self.failures = Counter(f"{PREFIX}_failures", "Batches that are tried again.", registry=registry)
        self.rows = Gauge(f"{PREFIX}_rows", "Rows held.", ["space"], registry=registry)
        self.lag = Gauge(f"{PREFIX}_lag_messages", "Messages of KNOWLEDGE not applied yet.", registry=registry)
        self.batch_seconds = Histogram(
            f"{PREFIX}_batch_seconds",
            "From the first read of a batch to its position.",
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0),
            registry=registry,
        )
