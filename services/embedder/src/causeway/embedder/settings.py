"""What an operator can set. The only reader of the environment."""

import os
from typing import Literal

from causeway.runtime import ServiceSettings, load


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """`CAUSEWAY_*` for the common part, `EMBEDDER_*` for these."""

    model: str = "multilingual-e5-small"
    precision: Literal["int8", "fp32"] = "int8"
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    reembed: bool = False
    batch_tokens_min: int = 512
    batch_tokens_max: int = 2_048
    batch_latency_ms_max: int = 1_000
    batch_messages_max: int = 64
    attempts_max: int = 8
    metrics_port: int = 0


def from_environment() -> Settings:
    """The settings of this process."""
    return load(Settings, "embedder", os.environ)
