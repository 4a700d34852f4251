"""What the bus counts. Labels are service, stream, endpoint and outcome: never a subject, which may end in an id."""

import weakref

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
SECONDS_BUCKETS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60, 300)


class BusMetrics:
    """One set per registry; a second bus over the same registry counts into the same metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"causeway_bus_{name}", text, ("service", *labels), registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"causeway_bus_{name}", text, ("service", *labels), registry=registry)

        self.published = counter("published", "Publishes by outcome: stored, duplicate, failed.", "stream", "outcome")
        self.publish_retries = counter("publish_retries", "Publishes that were sent again.", "stream")
        self.consumed = counter("consumed", "Deliveries taken from a stream.", "stream")
        self.outcomes = counter("outcomes", "Deliveries by outcome: ack, retry, dead, kept.", "stream", "outcome")
        self.dead_letters = counter("dead_letters", "Messages put into DEAD, by the stream they came from.", "stream")
        self.dead_letters_refused = counter(
            "dead_letters_refused", "Messages that DEAD did not take (full or too large) and that stay put.", "stream"
        )
        self.dead_letters_stored = gauge("dead_letters_stored", "Messages in DEAD.")
        self.dead_letters_expired = gauge("dead_letters_expired", "Messages lost from DEAD by age, never replayed.")
        self.consumers_lost = counter("consumers_lost", "Consumers that vanished and were made again.", "stream")
        self.follow_lag = gauge("follow_lag_messages", "Messages of a log not yet applied.", "stream")
        self.follow_skipped = counter("follow_skipped", "Undecodable messages of a log, skipped.", "stream")
        self.requests = counter(
            "requests", "Requests served by outcome: ok, problem, error, busy.", "endpoint", "outcome"
        )
        self.requests_running = gauge("requests_running", "Requests being served now.", "endpoint")
        self.connected = gauge("connected", "1 while connected to nats-server.")
        self.batch_size = Histogram(
            "causeway_bus_batch_messages",
            "Messages handed to a handler at once.",
            ("service", "stream"),
            buckets=BATCH_BUCKETS,
            registry=registry,
        )
        self.handler_seconds = Histogram(
            "causeway_bus_handler_seconds",
            "Time in a handler, by stream or endpoint.",
            ("service", "source"),
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )


_by_registry: weakref.WeakKeyDictionary[CollectorRegistry, BusMetrics] = weakref.WeakKeyDictionary()


def bus_metrics(registry: CollectorRegistry | None) -> BusMetrics:
    """The metrics of a registry; without one they are counted and shown nowhere."""
    if registry is None:
        return BusMetrics(CollectorRegistry())
    if registry not in _by_registry:
        _by_registry[registry] = BusMetrics(registry)
    return _by_registry[registry]
