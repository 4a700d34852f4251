"""What an operator sees of cloud-inference in Prometheus. Sites and kbs are labels; an ask never is."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "causeway_cloud_inference"
_BUCKETS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)


class Metrics:
    """Counters and gauges of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{PREFIX}_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"{PREFIX}_{name}", text, labels, registry=registry)

        self.asks = counter("asks", "Asks by site and outcome.", "site", "outcome")
        self.tokens = counter("tokens", "Tokens by kind: prompt, cached, completion.", "kind")
        self.cost = counter("cost_usd", "Price of the tokens.", "site")
        self.energy = counter("watt_hours", "Energy of the answers, where the accelerator's power is known.")
        self.citations = counter("citation_marks", "Marks of answers: kept, removed, added.", "what")
        self.failures = counter("engine_failures", "Calls of the engine that failed, by kind.", "kind")
        self.standings = counter("standings", "Cited documents that sites asked about, by how they stand.", "standing")
        self.unused = counter("usage_dropped", "Usage events that could not be kept.")
        self.usage_failures = counter("usage_failures", "Errors that were not expected while usage was published.")
        self.measured = counter("measurements", "Generations made only to learn the engine's pace.")
        self.withheld = counter("measurements_withheld", "Measurements that were due and not made, by why.", "reason")
        self.stumbles = counter("watch_failures", "Looks at the engine that failed as nobody expected.")
        self.timeouts = gauge("engine_timeouts_in_a_row", "Time-outs of the engine since its last success.")
        self.healthy = gauge("engine_healthy", "1 while the engine can be asked.")
        self.running = gauge("engine_requests_running", "Requests that the engine runs, by its own metrics.")
        self.waiting = gauge("engine_requests_waiting", "Requests that wait in the engine, by its own metrics.")
        self.cache_used = gauge("engine_kv_cache_used", "Share of the engine's cache that is in use.")
        self.base_ms = gauge("pace_base_ms", "Milliseconds of a first token beside its prompt's, as admission reckons.")
        self.prompt_ms = gauge("pace_prompt_ms", "Milliseconds per prompt token not cached, as admission reckons.")
        self.error_ms = gauge("pace_error_ms", "Milliseconds that first tokens usually differ from what was expected.")
        self.uncached = gauge("pace_uncached_ratio", "Share of a prompt that is expected not to be cached.")
        self.output_ms = gauge("pace_output_ms", "Milliseconds per token of an answer, as admission reckons.")
        self.here = gauge("asks_running", "Asks that are being answered.")
        self.usage_waiting = gauge("usage_waiting", "Usage events that are not in USAGE yet.")
        self.seconds = Histogram(
            f"{PREFIX}_part_seconds", "Where an ask's time went.", ("part",), buckets=_BUCKETS_S, registry=registry
        )
