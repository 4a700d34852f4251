"""Which processes a site consists of, with their commands and environments. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from causeway.cli.keys import SiteKeys
from causeway.cli.nats_config import PASSWORD_VARIABLE, STORAGE_KEY_VARIABLE, USER
from causeway.cli.site_config import SERVICES, SiteConfig

_OWN_PREFIXES = ("CAUSEWAY_", "INGESTOR_", "EMBEDDER_", "EDGE_INFERENCE_")
_PASSED_ON = ("CAUSEWAY_MODELS", "CAUSEWAY_MODELS_REGISTRY")
# Nothing may be fetched behind the operator's back: an edge site works without a network.
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """One process. `ready_url` answers 200 when it can work; secrets are in the environment, never in `argv`."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    ready_url: str
    metrics_url: str = ""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the plan needs to know of the machine."""

    commands: Mapping[str, str]
    environ: Mapping[str, str]
    keys: SiteKeys
    vault: Path
    nats_config: Path
    storage_key: str
    password: str


def nats_spec(config: SiteConfig, around: Surroundings) -> ProcessSpec:
    """The nats-server."""
    secrets = {PASSWORD_VARIABLE: around.password}
    if config.security.encryption:
        secrets[STORAGE_KEY_VARIABLE] = around.storage_key
    return ProcessSpec(
        name="nats-server",
        argv=(around.commands["nats-server"], "--config", str(around.nats_config)),
        env=_inherited(around.environ) | secrets,
        ready_url=f"http://127.0.0.1:{config.ports.monitor}/healthz?js-server-only=true",
    )


def service_specs(config: SiteConfig, around: Surroundings, metrics_ports: list[int]) -> list[ProcessSpec]:
    """The services in the order of their start. `metrics_ports` has one port for each process."""
    ports = iter(metrics_ports)
    return [
        _service_spec(service, index, config, around, next(ports))
        for service in SERVICES
        for index in range(config.services[service].replicas)
    ]


def processes_count(config: SiteConfig) -> int:
    """How many services' processes there will be."""
    return sum(config.services[service].replicas for service in SERVICES)


def _service_spec(service: str, index: int, config: SiteConfig, around: Surroundings, port: int) -> ProcessSpec:
    prefix = service.upper().replace("-", "_")
    own = _OWN_SETTINGS[service](config, around, index) | {"metrics_port": str(port)}
    own |= config.services[service].settings
    single = config.services[service].replicas == 1
    return ProcessSpec(
        name=service if single else f"{service}-{index + 1}",
        argv=(around.commands[service],),
        env=_inherited(around.environ)
        | _OFFLINE
        | _common(config, around)
        | {f"{prefix}_{name.upper()}": value for name, value in own.items()},
        ready_url=f"http://127.0.0.1:{port}/readyz",
        metrics_url=f"http://127.0.0.1:{port}/metrics",
    )


def _inherited(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name in _PASSED_ON or not name.startswith(_OWN_PREFIXES)}


def _common(config: SiteConfig, around: Surroundings) -> dict[str, str]:
    return {
        "CAUSEWAY_SITE": config.site,
        "CAUSEWAY_NATS_URL": site_url(config),
        "CAUSEWAY_NATS_USER": USER,
        "CAUSEWAY_NATS_PASSWORD_FILE": str(around.keys.password),
        "CAUSEWAY_LOG_FORMAT": "json",
        "CAUSEWAY_DRAIN_TIMEOUT_S": str(max(1, config.supervision.stop_timeout_s - 5)),
    }


def site_url(config: SiteConfig) -> str:
    """Where the site's own processes and commands connect."""
    host = "127.0.0.1" if config.ports.host in ("0.0.0.0", "::") else config.ports.host  # noqa: S104 - compared, not bound.
    return f"nats://{host}:{config.ports.nats}"


def _ingestor(config: SiteConfig, around: Surroundings, index: int) -> dict[str, str]:
    return {"chunk_key_file": str(around.keys.chunk)} | _models(config)


def _embedder(config: SiteConfig, around: Surroundings, index: int) -> dict[str, str]:
    return _models(config)


def _edge_inference(config: SiteConfig, around: Surroundings, index: int) -> dict[str, str]:
    own = {
        "vault_dir": str(around.vault / str(index + 1)),
        "vault_key_file": str(around.keys.vault),
        "index": config.storage.type,
    }
    if config.generator.model:
        own |= {"generator": config.generator.model, "generator_threads": str(config.generator.threads)}
    return own | _models(config)


def _models(config: SiteConfig) -> dict[str, str]:
    return {"model": config.model.name, "precision": config.model.precision, "device": config.model.device}


_OWN_SETTINGS = {"ingestor": _ingestor, "embedder": _embedder, "edge-inference": _edge_inference}
