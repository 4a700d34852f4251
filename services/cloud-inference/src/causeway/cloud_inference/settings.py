"""What an operator can set. The only reader of the environment."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from causeway.prices import Price
from causeway.runtime import BadSettingError, ServiceSettings, load

Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Usd = Annotated[float, msgspec.Meta(ge=0)]
_ADAPTER = re.compile(r"[^=,\s]+=[^=,\s]+")


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """`CAUSEWAY_*` for the common part, `CLOUD_INFERENCE_*` for these. The README says what each means."""

    engine: Literal["none", "vllm", "llama.cpp", "openai-url"] = "none"
    engine_url: str = ""
    engine_model: str = ""
    engine_key_file: Path | None = None
    engine_metrics_url: str = ""
    engine_sequences_max: Positive = 4
    engine_context_tokens: Positive = 4_096
    engine_timeouts_max: Positive = 5
    engine_connect_timeout_s: Seconds = 1.0
    engine_idle_timeout_s: Seconds = 10.0
    engine_call_timeout_s: Seconds = 2.0
    engine_watch_every_s: Seconds = 2.0
    engine_measure_every_s: Seconds = 5.0
    engine_measure_timeout_s: Seconds = 30.0
    engine_measures_per_hour_max: Positive = 120
    adapters: str = ""
    requests_max: Positive = 16
    site_requests_max: Positive | None = None
    prompt_tokens_max: Positive = 1_500
    passages_max: Annotated[int, msgspec.Meta(ge=1, le=50)] = 8
    reply_margin_ms: Annotated[float, msgspec.Meta(ge=0)] = 30.0
    milvus_uri: str = ""
    milvus_token_file: Path | None = None
    milvus_timeout_s: Seconds = 5.0
    model: str = "embedding"
    models_dir: Path | None = None
    precision: Literal["int8", "fp32"] = "int8"
    device: Literal["cpu", "cuda"] = "cpu"
    threads: Positive = 1
    encode_threads: Positive = 1
    pause_file: Path | None = None
    accelerator_watts: Annotated[float, msgspec.Meta(ge=0)] | None = None
    price_prompt_usd: Usd | None = None
    price_cached_usd: Usd | None = None
    price_completion_usd: Usd | None = None
    usage_queue_max: Positive = 1_000
    metrics_port: int = 0

    def adapters_by_kb(self) -> dict[str, str]:
        """The adapter of each kb that has one."""
        return dict(pair.strip().split("=") for pair in self.adapters.split(",") if pair.strip())

    def requests_max_of_site(self) -> int:
        """What one site may have at once: half of all, rounded up, unless it is set."""
        return self.site_requests_max or (self.requests_max + 1) // 2

    def price(self) -> Price | None:
        """The operator's own price, where both of its halves are set."""
        if self.price_prompt_usd is None or self.price_completion_usd is None:
            return None
        return Price(
            model=self.engine_model,
            input=self.price_prompt_usd,
            output=self.price_completion_usd,
            cached_input=self.price_cached_usd,
        )


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process.

    Raises:
        BadSettingError: one is missing, unknown, or not what it must be.
    """
    settings = load(Settings, "cloud-inference", environ)
    if any(not _ADAPTER.fullmatch(pair.strip()) for pair in settings.adapters.split(",") if pair.strip()):
        raise BadSettingError("bad setting: CLOUD_INFERENCE_ADAPTERS is `kb=adapter`, several with commas between them")
    if settings.engine != "none":
        for name in ("engine_url", "milvus_uri"):
            if not getattr(settings, name):
                raise BadSettingError(
                    f"bad setting: CLOUD_INFERENCE_{name.upper()} must be set where there is an engine"
                )
    return settings
