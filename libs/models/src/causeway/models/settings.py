"""Where models live and who may be asked for them, from the environment; its only reader here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_FOLDER = "~/.cache/causeway/models"
DEFAULT_HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Hub:
    """The hub's address, or a mirror's, and the token that opens gated repositories."""

    endpoint: str = DEFAULT_HUB
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class ModelSettings:
    """`folder` holds installed models, one folder each; `registry_file` replaces roles of the shipped registry."""

    folder: Path
    registry_file: Path | None = None
    hub: Hub = Hub()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> ModelSettings:
        """CAUSEWAY_MODELS, CAUSEWAY_MODELS_REGISTRY, HF_ENDPOINT and HF_TOKEN; all may be absent."""
        registry = environ.get("CAUSEWAY_MODELS_REGISTRY")
        return cls(
            folder=Path(environ.get("CAUSEWAY_MODELS") or DEFAULT_FOLDER).expanduser().absolute(),
            registry_file=Path(registry).expanduser() if registry else None,
            hub=Hub(environ.get("HF_ENDPOINT") or DEFAULT_HUB, environ.get("HF_TOKEN", "")),
        )
