"""Where models live and who may be asked for them, from the environment; its only reader here."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_FOLDER = "~/.cache/causeway/models"
DEFAULT_HUB = "https://huggingface.co"
VLLM_ENVIRONMENT = ".venv-vllm"


@dataclass(frozen=True)
class Hub:
    """The hub's address, or a mirror's, and the token that opens gated repositories."""

    endpoint: str = DEFAULT_HUB
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class ModelSettings:
    """`folder` holds installed models, one folder each; `registry_file` replaces roles of the shipped registry.
    `vllm_environment` has torch and transformers, which make folders for vLLM."""

    folder: Path
    registry_file: Path | None = None
    hub: Hub = Hub()
    vllm_environment: Path | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> ModelSettings:
        """CAUSEWAY_MODELS, CAUSEWAY_MODELS_REGISTRY, CAUSEWAY_VLLM, HF_ENDPOINT and HF_TOKEN; all may be absent."""
        registry = environ.get("CAUSEWAY_MODELS_REGISTRY")
        return cls(
            folder=Path(environ.get("CAUSEWAY_MODELS") or DEFAULT_FOLDER).expanduser().absolute(),
            registry_file=Path(registry).expanduser() if registry else None,
            hub=Hub(environ.get("HF_ENDPOINT") or DEFAULT_HUB, environ.get("HF_TOKEN", "")),
            vllm_environment=vllm_environment(environ),
        )


def vllm_environment(environ: Mapping[str, str] = os.environ) -> Path:
    """The virtual environment of vLLM: CAUSEWAY_VLLM, or .venv-vllm beside the environment of this Python."""
    named = environ.get("CAUSEWAY_VLLM")
    return Path(named).expanduser().absolute() if named else Path(sys.prefix).parent / VLLM_ENVIRONMENT
