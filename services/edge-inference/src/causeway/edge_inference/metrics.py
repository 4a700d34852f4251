"""What an operator sees of edge-inference in Prometheus. A kb is a label; a document never is."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)


class Metrics:
    """Counters and gauges of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.asks = Counter(
            "causeway_edge_inference_asks_total", "Asks by kb and outcome", ["kb", "outcome"], registry=registry
        )
        self.reworded = Counter(
            "causeway_edge_inference_rewordings_total",
            "Answers that the local model was asked to word",
            ["written_by"],
            registry=registry,
        )
        self.seconds = Histogram(
            "causeway_edge_inference_part_seconds",
            "Where an ask's time went",
            ["part"],
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.entries = Counter(
            "causeway_edge_inference_log_entries_total", "Entries of KNOWLEDGE applied", registry=registry
        )
        self.swept = Counter(
            "causeway_edge_inference_chunks_swept_total", "Chunks that no manifest named", registry=registry
        )
        self.missing = Counter(
            "causeway_edge_inference_chunks_missing_total",
            "Chunks that a manifest named and nobody had",
            registry=registry,
        )
        self.watermark = Gauge(
            "causeway_edge_inference_watermark", "Last sequence of KNOWLEDGE applied", registry=registry
        )
        self.vault_bytes = Gauge("causeway_edge_inference_vault_bytes", "Size of the vault's files", registry=registry)
        self.chunks = Gauge("causeway_edge_inference_chunks", "Chunks in the index", ["kb"], registry=registry)
        self.behind = Gauge(
            "causeway_edge_inference_chunks_behind",
            "Chunks whose terms are still to be indexed after a start",
            ["kb"],
            registry=registry,
        )
        self.snapshot_age = Gauge(
            "causeway_edge_inference_snapshot_age_seconds",
            "Since the copy of the terms on disk was written",
            ["kb"],
            registry=registry,
        )
        self.snapshot_bytes = Gauge(
            "causeway_edge_inference_snapshot_bytes", "Size of the copy of the terms on disk", ["kb"], registry=registry
        )
        self.foreign = Gauge(
            "causeway_edge_inference_chunks_foreign",
            "Chunks of another embedding model, found by their terms only",
            ["kb"],
            registry=registry,
        )
