"""What an operator can set. The only reader of the environment."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from causeway.edge_inference.history_rule import HistoryRule
from causeway.proto.cloud import TOKENS_MAX
from causeway.proto.documents import Residency
from causeway.runtime import ServiceSettings, load

Positive = Annotated[int, msgspec.Meta(ge=1)]
Days = Annotated[float, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Usd = Annotated[float, msgspec.Meta(ge=0)]


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """`CAUSEWAY_*` for the common part, `EDGE_INFERENCE_*` for these. The README says what each means."""

    vault_dir: Path
    vault_seed_dir: Path | None = None
    vault_key_file: Path | None = None
    vault_key: str = ""
    index: Literal["chroma", "usearch", "exact"] = "chroma"
    models_dir: Path | None = None
    model: str = "embedding"
    precision: Literal["int8", "fp32"] = "int8"
    device: Literal["cpu", "cuda"] = "cpu"
    threads: Positive = 1
    ask_threads: Positive = 2
    ask_concurrency_max: Positive = 32
    generator: str = ""
    generator_threads: Positive = 1
    generator_tokens_max: Positive = 64
    generator_timeout_s: Seconds = 15.0
    batch_messages_max: Positive = 500
    sweep_interval_s: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    sweep_dropped_after_s: Seconds = 60.0
    sweep_waiting_after_s: Seconds = 7 * 86_400.0
    snapshot_after_chunks: Positive = 1_000
    snapshot_age_max_s: Annotated[float, msgspec.Meta(gt=0)] = 3_600.0
    history_revisions_max: Annotated[int, msgspec.Meta(ge=0, le=50)] = 20
    history_days_max: Days = 90.0
    serve_when: Literal["caught-up", "complete"] = "caught-up"
    link_user: str = ""
    link_password_file: Path | None = None
    question_residency: Residency = Residency.PUBLIC
    cloud_first_token_ms: Positive = 500
    cloud_token_gap_ms: Positive = 2_000
    cloud_margin_ms: Positive = 50
    cloud_ms_min: Positive = 50
    cloud_tokens_max: Annotated[int, msgspec.Meta(ge=1, le=TOKENS_MAX)] = 256
    breaker_mode: Literal["auto", "open", "disabled"] = "auto"
    breaker_window_calls: Annotated[int, msgspec.Meta(ge=0)] = 20
    breaker_window_s: Positive = 60
    breaker_calls_min: Positive = 5
    breaker_failure_rate: Share = 0.5
    breaker_slow_ms: Positive | None = None
    breaker_slow_rate: Share = 0.8
    breaker_open_wait_s: Seconds = 5.0
    breaker_open_wait_s_max: Seconds = 60.0
    breaker_failures: str = "busy,engine_down,deadline_unreachable"
    afterwards_max: Positive = 256
    afterwards_timeout_s: Seconds = 60.0
    cache_entries_max: Positive = 5_000
    cache_age_s: Positive = 7 * 86_400
    cache_limits_file: Path | None = None
    foreign_check_every_s: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    answers_queue_max: Positive = 1_000
    answers_followed_max: Positive = 5_000
    watts: Annotated[float, msgspec.Meta(ge=0)] | None = None
    usd_per_kwh: Usd = 0.0
    cloud_usd_per_million_input: Usd | None = None
    cloud_usd_per_million_output: Usd | None = None
    audit_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.01
    audits_per_day_max: Annotated[int, msgspec.Meta(ge=0)] = 50
    audit_usd_per_day_max: Usd = 0.5
    audit_usd_each_max: Usd = 0.01
    metrics_port: int = 0

    def history(self) -> HistoryRule:
        """How much of the past is kept."""
        return HistoryRule(revisions_max=self.history_revisions_max, days_max=self.history_days_max)

    @property
    def slow_ms(self) -> int:
        """From what time to its first token a call of the hub is slow. By default that it is waited for, so that an
        answer that came in time says nothing against the hub."""
        return self.cloud_first_token_ms if self.breaker_slow_ms is None else self.breaker_slow_ms

    def __repr__(self) -> str:
        return f"Settings(site={self.site!r}, vault_dir={str(self.vault_dir)!r}, index={self.index!r})"


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process."""
    return load(Settings, "edge-inference", environ)


def take_from_environment() -> Settings:
    """The same, and the key leaves the environment, which child processes inherit and tools can show."""
    settings = from_environment()
    os.environ.pop("EDGE_INFERENCE_VAULT_KEY", None)
    return settings
