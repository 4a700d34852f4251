"""Counters of artifacts, under the names that dashboards use."""

from prometheus_client import CollectorRegistry, Counter


class ArtifactMetrics:
    """One set per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.outcomes = Counter(
            "causeway_sync_delta_artifacts",
            "Versions of artifacts by what became of them.",
            ["outcome"],
            registry=registry,
        )
        self.bytes = Counter(
            "causeway_sync_delta_artifact_bytes", "Bytes of artifacts fetched over the link.", registry=registry
        )
