"""What an operator sees of the cache of answers. No question, asker or tenant is a label."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class AnswerCacheMetrics:
    """Counters and gauges of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"causeway_edge_inference_cache_{name}_total", text, labels, registry=registry)

        self.hits = counter("hits", "Earlier answers found, by the words of the question or its meaning", "kb", "by")
        self.misses = counter("misses", "Questions that no earlier one is near to", "kb")
        self.unlooked = counter("unlooked", "Questions that no earlier answer may be given to", "kb", "reason")
        self.refused = counter("refused", "Near earlier questions that a guard kept back", "kb", "guard")
        self.withheld = counter("withheld", "Questions whose entry the hub has not said to stand", "kb")
        self.kept = counter("kept", "Answers published to CACHE", "kb")
        self.unkept = counter("unkept", "Answers that were not kept", "reason")
        self.uncached = counter("uncached", "Entries that are not to be given again", "kb", "reason")
        self.entries = Gauge("causeway_edge_inference_cache_entries", "Entries in memory", ["kb"], registry=registry)
