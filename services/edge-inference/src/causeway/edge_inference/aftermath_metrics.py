"""What an operator sees of what happens after a reply: kept, invalidated, judged, audited. No asker is a label."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class AftermathMetrics:
    """Counters and gauges of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"causeway_edge_inference_{name}_total", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"causeway_edge_inference_{name}", text, labels, registry=registry)

        self.kept = counter("answers_kept", "Answers and usage events stored after a reply", "what")
        self.kept_retries = counter("answers_kept_retries", "Attempts to store one that failed", "what")
        self.unkept = counter("answers_unkept", "Answers and usage events that were given up", "what", "reason")
        self.waiting = gauge("answers_waiting", "Answers that wait to be stored")
        self.followed = gauge("answers_followed", "Answers whose citations are followed", "kb")
        self.unfollowed = counter("answers_unfollowed", "Answers that are followed no longer, or not at all", "reason")
        self.invalidated = counter("answers_invalidated", "Invalidations that this replica published", "kb", "change")
        self.foreign_rounds = counter("foreign_rounds", "Looks at what is cited of other places", "outcome")
        self.foreign_asked = counter("foreign_documents_asked", "Cited documents of other places asked of the hub")
        self.foreign_doubted = counter("foreign_documents_doubted", "Of these, not as they were cited", "standing")
        self.foreign_cited = gauge("foreign_documents", "Cited documents of other places, at the last look")
        self.foreign_left = gauge("foreign_documents_waiting", "Of these, left for the next look by the limit")
        self.foreign_chunks_left = counter("foreign_chunks_unasked", "Cited chunks left out by the limit of a document")
        self.feedback = counter("feedback", "Verdicts that were counted", "kb", "language", "route", "verdict")
        self.feedback_ignored = counter("feedback_ignored", "Verdicts that were not counted", "reason")
        self.audits = counter("audits", "Local answers asked of the cloud too", "kb", "outcome")
        self.audits_refused = counter("audits_refused", "Answers drawn for an audit and not audited", "reason")
        self.audit_usd = gauge("audit_spent_usd", "Spent on audits today (UTC), by all replicas")
