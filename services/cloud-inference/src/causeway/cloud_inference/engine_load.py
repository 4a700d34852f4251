"""What an engine says of itself on its /metrics, in vLLM's names or llama.cpp's. Pure."""

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

_NAMES = {
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "waiting",
    "vllm:kv_cache_usage_perc": "kv_cache_used",
    "llamacpp:requests_processing": "running",
    "llamacpp:requests_deferred": "waiting",
    "llamacpp:kv_cache_usage_ratio": "kv_cache_used",
}
# Beyond it, as infinite or not a number, it is no count of requests.
_VALUE_MAX = 1e9


@dataclass(frozen=True, kw_only=True)
class EngineLoad:
    """Requests that run and wait; `kv_cache_used` is a share from 0 to 1, 0 where it is not told."""

    running: int = 0
    waiting: int = 0
    kv_cache_used: float = 0.0


def load_in(page: str) -> EngineLoad | None:
    """The load, summed over the engines of one server (the cache: the fullest), or None where no name is known. What is
    not a finite number counts as not told.

    Raises:
        ValueError: it is not a page of metrics.
    """
    found: dict[str, list[float]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name in _NAMES and abs(sample.value) <= _VALUE_MAX:
                found.setdefault(_NAMES[sample.name], []).append(sample.value)
    if not found:
        return None
    return EngineLoad(
        running=int(sum(found.get("running", []))),
        waiting=int(sum(found.get("waiting", []))),
        kv_cache_used=round(max(found.get("kv_cache_used", [0.0])), 4),
    )
