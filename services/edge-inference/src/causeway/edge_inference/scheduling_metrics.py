"""What an operator sees of the scheduler: routes and reasons, the cloud as this replica meets it, and the breaker."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 15.0, 60.0)


class SchedulingMetrics:
    """Counters and gauges of one process. A target is what a breaker stands before."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.routes = Counter(
            "causeway_edge_inference_routes_total",
            "Answers by kb, route and the reason of the decision",
            ["kb", "route", "reason"],
            registry=registry,
        )
        self.cloud_asks = Counter(
            "causeway_edge_inference_cloud_asks_total", "Asks of the cloud by outcome", ["outcome"], registry=registry
        )
        self.first_token = Histogram(
            "causeway_edge_inference_cloud_first_token_seconds",
            "From the ask to the cloud's first token",
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.link_connected = Gauge(
            "causeway_edge_inference_link_connected", "1 while this end of the link is connected", registry=registry
        )
        self.link_round_trip = Gauge(
            "causeway_edge_inference_link_round_trip_seconds",
            "Of the link, as the last asks of the cloud showed it; the hub is given that much less time; 0: not known",
            registry=registry,
        )
        self.breaker_state = Gauge(
            "causeway_edge_inference_breaker_state",
            "0 closed, 1 half open, 2 open, 3 forced open, 4 disabled",
            ["target"],
            registry=registry,
        )
        self.breaker_turns = Counter(
            "causeway_edge_inference_breaker_transitions_total",
            "Transitions as this replica saw them, its own and others'",
            ["target", "state"],
            registry=registry,
        )
        self.breaker_calls = Counter(
            "causeway_edge_inference_breaker_calls_total",
            "Calls by outcome: success, slow, failure, ignored, refused",
            ["target", "outcome"],
            registry=registry,
        )
        self.breaker_alone = Counter(
            "causeway_edge_inference_breaker_alone_total",
            "Transitions that could not be shared with the other replicas",
            ["target"],
            registry=registry,
        )
        self.afterwards_running = Gauge(
            "causeway_edge_inference_afterwards_running",
            "Answers whose ledger, cache and audit wait",
            registry=registry,
        )
        self.afterwards_dropped = Counter(
            "causeway_edge_inference_afterwards_dropped_total",
            "Answers that no ledger, cache or audit got: too many at once, too slow, or failed",
            ["reason"],
            registry=registry,
        )
