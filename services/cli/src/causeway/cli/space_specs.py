"""The processes of a place while its embedding model changes. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from causeway.cli.process_spec import ProcessSpec, Surroundings, service_spec
from causeway.cli.site_config import SiteConfig

REEMBEDDER = "re-embedder"
REPLICA = "edge-inference"


def reembedder_spec(config: SiteConfig, around: Surroundings, port: int) -> ProcessSpec:
    """An embedder that makes vectors of the model of `config` for what stands in KNOWLEDGE."""
    spec = service_spec("embedder", 0, config, around, port)
    return _with(spec, REEMBEDDER, {"EMBEDDER_REEMBED": "true"})


def replica_specs(config: SiteConfig, around: Surroundings, ports: list[int]) -> list[ProcessSpec]:
    """The replicas of the model of `config`, one for each port."""
    return [service_spec(REPLICA, index, config, around, port) for index, port in enumerate(ports)]


def successor_spec(spec: ProcessSpec, seed: Path) -> ProcessSpec:
    """A replica that begins as a copy of the vault `seed` and serves once it is complete."""
    more = {"EDGE_INFERENCE_SERVE_WHEN": "complete", "EDGE_INFERENCE_VAULT_SEED_DIR": str(seed)}
    return _with(spec, f"{spec.name}-next", more)


def _with(spec: ProcessSpec, name: str, more: Mapping[str, str]) -> ProcessSpec:
    return replace(spec, name=name, env={**spec.env, **more})
