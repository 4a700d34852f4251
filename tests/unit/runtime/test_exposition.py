"""The HTTP port says what Prometheus and a supervisor ask for."""

import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Counter

from causeway.runtime.exposition import Exposition


def fetch(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(("reason", "status"), [("", 200), ("waiting for the log", 503)])
def test_readiness_says_why_not(reason: str, status: int) -> None:
    with Exposition(CollectorRegistry(), lambda: reason, 0) as port:
        assert fetch(port.port, "/readyz") == (status, (reason or "ready") + "\n")
        assert fetch(port.port, "/healthz")[0] == 200


def test_metrics_are_those_of_the_registry() -> None:
    registry = CollectorRegistry()
    Counter("causeway_test_events_total", "events", registry=registry).inc(3)
    with Exposition(registry, lambda: "", 0) as port:
        assert "causeway_test_events_total 3.0" in fetch(port.port, "/metrics")[1]
