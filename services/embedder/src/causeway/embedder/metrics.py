"""What the embedder counts."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """Chunks and revisions by outcome, tokens and seconds per batch."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.chunks = Counter("causeway_embedder_chunks_total", "Chunks by outcome.", ["outcome"], registry=registry)
        self.revisions = Counter(
            "causeway_embedder_revisions_total", "Drafts by outcome.", ["outcome"], registry=registry
        )
        self.batch_tokens_budget = Gauge(
            "causeway_embedder_batch_budget_tokens", "Tokens allowed in a batch now.", registry=registry
        )
        self.batch_tokens = Histogram(
            "causeway_embedder_batch_tokens",
            "Tokens in a batch.",
            buckets=(64, 128, 256, 512, 1024, 1536, 2048, 4096),
            registry=registry,
        )
        self.encode_seconds = Histogram(
            "causeway_embedder_encode_seconds", "Seconds to encode a batch.", registry=registry
        )

        self.pending = Gauge(
            "causeway_embedder_pending_chunks", "Chunks of KNOWLEDGE behind those being re-embedded.", registry=registry
        )

    def batch(self, tokens: int, chunks: int, seconds: float) -> None:
        """One encoded batch."""
        self.chunks.labels(outcome="encoded").inc(chunks)
        self.batch_tokens.observe(tokens)
        self.encode_seconds.observe(seconds)
