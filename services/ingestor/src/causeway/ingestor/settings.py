"""What an operator can set. The only reader of the environment."""

import os
from pathlib import Path
from typing import Literal

from causeway.ingestor.parsing.block import MIB
from causeway.runtime import ServiceSettings, load


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """`CAUSEWAY_*` for the common part, `INGESTOR_*` for these."""

    chunk_key_file: Path
    model: str = "multilingual-e5-small"
    precision: Literal["int8", "fp32"] = "int8"
    device: Literal["cpu", "cuda"] = "cpu"
    model_id: str = ""
    workers: int = 2
    parse_timeout_s: float = 120.0
    parse_cpu_s: int = 110
    memory_bytes_max: int = 2048 * MIB
    body_bytes_max: int = 256 * MIB
    pages_max: int = 5_000
    text_chars_max: int = 20_000_000
    unpacked_bytes_max: int = 1024 * MIB
    chunks_max: int = 40_000
    tesseract: str = "auto"
    ocr_languages: str = "chi_sim+eng"
    ocr_time_s_max: float = 80.0
    spool_dir: Path | None = None
    attempts_max: int = 5
    metrics_port: int = 0


def from_environment() -> Settings:
    """The settings of this process."""
    return load(Settings, "ingestor", os.environ)
