"""What an operator can set. The only reader of the environment."""

import os
from pathlib import Path
from typing import Literal

from causeway.runtime import ServiceSettings, load

MIB = 1024 * 1024
DAY_S = 86_400


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """`CAUSEWAY_*` for the common part, `SYNC_DELTA_*` for these. At a site `CAUSEWAY_NATS_*` is the account APP."""

    role: Literal["site", "hub"]
    state_dir: Path
    chunk_key_file: Path
    link_user: str = "link"
    link_password_file: Path | None = None
    artifacts_dir: Path | None = None
    artifact_command: str = ""
    artifact_bytes_per_s_max: int = 0
    milvus_uri: str = ""
    milvus_token_file: Path | None = None
    milvus_timeout_s: float = 10.0
    milvus_batch_messages: int = 2_000
    batch_messages_max: int = 500
    batch_documents_max: int = 64
    batch_bytes_max: int = 128 * 1024
    interactive_bytes_max: int = 64 * 1024
    interactive_chunks_max: int = 16
    bulk_wait_s: float = 30.0
    window_s: float = 2.0
    window_bytes_min: int = 128 * 1024
    window_bytes_max: int = 64 * MIB
    tombstone_age_min_s: int = 7 * DAY_S
    tombstone_age_max_s: int = 90 * DAY_S
    report_every_s: float = 2.0
    upkeep_every_s: float = 5.0
    verify_every_s: float = 900.0
    metrics_port: int = 0


def from_environment() -> Settings:
    """The settings of this process."""
    return load(Settings, "sync-delta", os.environ)
