"""What sync-delta counts. Origins and sites are labels: a fleet has some hundred of them."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "causeway_sync_delta"


class Metrics:
    """Documents and chunks in both directions, what waits, and how the link is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{PREFIX}_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"{PREFIX}_{name}", text, labels, registry=registry)

        self.decisions = counter("decisions", "Revisions of this place by what the gate said.", "action", "label")
        self.sent_documents = counter("sent_documents", "Documents put into the outbox.")
        self.sent_chunks = counter("sent_chunks", "Chunks put into the outbox.")
        self.sent_bytes = counter("sent_bytes", "Bytes put into the outbox.")
        self.unsharable = counter("unsharable", "Documents that can not be encoded and so stay here.")
        self.postponed = counter("postponed", "Turns of a document whose chunks were not in KNOWLEDGE.")
        self.retired = counter("retired_chunks", "Numbers purged from the outbox.")
        self.expired = counter("expired_tombstones", "Tombstones that left the outbox.")
        self.queued = gauge("queued_documents", "Documents that wait to be put into the outbox.", "class")
        self.withheld = gauge("withheld_documents", "Documents that stay here.")
        self.in_flight_bytes = gauge("in_flight_bytes", "Bytes in the outbox that the hub has not applied.")
        self.window_bytes = gauge("window_bytes", "Bytes that may be in flight.")
        self.link_bytes_per_s = gauge("link_bytes_per_second", "What the hub applies while it is behind.")
        self.applied = counter("applied_documents", "Documents of other places by outcome.", "origin", "outcome")
        self.applied_chunks = counter("applied_chunks", "Chunks of other places put into KNOWLEDGE.", "origin")
        self.refused = counter("refused", "Messages of the link that became dead letters.", "origin")
        self.waiting = gauge("waiting_documents", "Documents of other places that wait for chunks.")
        self.siblings = gauge("siblings", "Versions written at one place while another wrote too.")
        self.kicks = counter("kicks", "Sources that were made to resume.", "source")
        self.rewinds = counter("feed_rewinds", "Feeds that were set back because documents were missing.", "kb")
        self.connected = gauge("link_connected", "1 while the other side answers.", "peer")
        self.lag_messages = gauge("lag_messages", "What is shared and not applied.", "origin", "replica")
        self.batch_seconds = Histogram(
            f"{PREFIX}_batch_seconds", "Seconds per batch, by direction.", ("direction",), registry=registry
        )
