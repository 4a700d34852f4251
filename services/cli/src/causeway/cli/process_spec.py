"""Which processes a place consists of, with their commands and environments. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from causeway.cli.engine_command import Engine, cloud_settings, engine_argv, engine_environment
from causeway.cli.keys import SiteKeys
from causeway.cli.site_config import CLOUD, SERVICES, SYNC, Role, SiteConfig
from causeway.cli.site_folder import SiteFolder
from causeway.topology import names

NATS = "nats-server"
MILVUS = "causeway-milvus"
ENGINE = "engine"
LOOPBACK = "127.0.0.1"
_OWN_PREFIXES = ("CAUSEWAY_", "INGESTOR_", "EMBEDDER_", "EDGE_INFERENCE_", "SYNC_DELTA_", "CLOUD_INFERENCE_")
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
    """One process. `ready_url` answers when it can work: a page, or tcp://HOST:PORT. Secrets are in the environment,
    never in `argv`. What others rest upon (`base`) is stopped after them."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    ready_url: str
    metrics_url: str = ""
    base: bool = False


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the plan needs to know of the machine. `secrets` are nats-server's, by variable; `linked` says that there is
    another side of a link, now or as soon as a site joins; `engine` is a hub's."""

    commands: Mapping[str, str]
    environ: Mapping[str, str]
    keys: SiteKeys
    folder: SiteFolder
    vault: Path
    secrets: Mapping[str, str] = field(repr=False)
    linked: bool = False
    engine: Engine = field(default_factory=Engine)


def commands_needed(config: SiteConfig, linked: bool) -> tuple[str, ...]:
    """The programs that the processes run; an engine's own is found with the engine."""
    services = (*replicated(config), *((SYNC,) if linked else ()))
    return (NATS, *((MILVUS,) if _own_milvus(config) else ()), *services)


def replicated(config: SiteConfig) -> tuple[str, ...]:
    """The services of which a place may run several."""
    return (*SERVICES, CLOUD) if config.role is Role.HUB else SERVICES


def base_specs(config: SiteConfig, around: Surroundings) -> list[ProcessSpec]:
    """What the services rest upon: nats-server first, and the Milvus of a hub that runs its own."""
    specs = [_nats_spec(config, around)]
    if _own_milvus(config):
        specs.append(_milvus_spec(config, around))
    return specs


def engine_spec(config: SiteConfig, around: Surroundings) -> ProcessSpec | None:
    """The engine of a hub that runs its own. It loads for minutes: nothing waits for it."""
    if not config.engine.own:
        return None
    port = config.ports.engine
    return ProcessSpec(
        name=ENGINE,
        argv=engine_argv(around.engine, port),
        env=_inherited(around.environ) | _OFFLINE | engine_environment(around.engine),
        ready_url=f"http://{LOOPBACK}:{port}/health",
        # Stopped after cloud-inference, which lets what it asked for come to its end.
        base=True,
    )


def service_specs(config: SiteConfig, around: Surroundings, metrics_ports: list[int]) -> list[ProcessSpec]:
    """The services in the order of their start. `metrics_ports` has one port for each process."""
    places = [(service, index) for service in replicated(config) for index in range(config.services[service].replicas)]
    if around.linked:
        places.append((SYNC, 0))
    return [
        service_spec(service, index, config, around, port)
        for (service, index), port in zip(places, metrics_ports, strict=True)
    ]


def processes_count(config: SiteConfig, linked: bool = False) -> int:
    """How many services' processes there will be."""
    return sum(config.services[service].replicas for service in replicated(config)) + linked


def site_url(config: SiteConfig) -> str:
    """Where the place's own processes and commands connect."""
    host = LOOPBACK if config.ports.host in ("0.0.0.0", "::") else config.ports.host  # noqa: S104 - compared, not bound.
    return f"nats://{host}:{config.ports.nats}"


def _own_milvus(config: SiteConfig) -> bool:
    return config.role is Role.HUB and not config.milvus.uri


def _nats_spec(config: SiteConfig, around: Surroundings) -> ProcessSpec:
    return ProcessSpec(
        name=NATS,
        argv=(around.commands[NATS], "--config", str(around.folder.nats_config_file)),
        env=_inherited(around.environ) | dict(around.secrets),
        ready_url=f"http://{LOOPBACK}:{config.ports.monitor}/healthz?js-server-only=true",
        base=True,
    )


def _milvus_spec(config: SiteConfig, around: Surroundings) -> ProcessSpec:
    port = str(config.ports.milvus)
    options = ("--data", str(around.folder.milvus), "--host", LOOPBACK, "--port", port)
    return ProcessSpec(
        name=MILVUS,
        argv=(around.commands[MILVUS], *options),
        env=_inherited(around.environ) | _OFFLINE,
        ready_url=f"tcp://{LOOPBACK}:{port}",
        base=True,
    )


def service_spec(service: str, index: int, config: SiteConfig, around: Surroundings, port: int) -> ProcessSpec:
    """One process of a service; its metrics and readiness are at `port`."""
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
        ready_url=f"http://{LOOPBACK}:{port}/readyz",
        metrics_url=f"http://{LOOPBACK}:{port}/metrics",
    )


def _inherited(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name in _PASSED_ON or not name.startswith(_OWN_PREFIXES)}


def _common(config: SiteConfig, around: Surroundings) -> dict[str, str]:
    return {
        "CAUSEWAY_SITE": config.site,
        "CAUSEWAY_NATS_URL": site_url(config),
        "CAUSEWAY_NATS_USER": names.APP_USER,
        "CAUSEWAY_NATS_PASSWORD_FILE": str(around.keys.password),
        "CAUSEWAY_LOG_FORMAT": "json",
        "CAUSEWAY_DRAIN_TIMEOUT_S": str(max(1, config.supervision.stop_timeout_s - 5)),
    }


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
    if config.role is Role.SITE and around.linked:
        # Questions to the hub go over the link, which only this account reaches.
        own |= _link(around)
    return own | _models(config)


def _cloud_inference(config: SiteConfig, around: Surroundings, index: int) -> dict[str, str]:
    return cloud_settings(around.engine, config.ports.engine) | _milvus(config) | _models(config)


def _sync_delta(config: SiteConfig, around: Surroundings, index: int) -> dict[str, str]:
    own = {
        "role": config.role.value,
        "state_dir": str(around.folder.sync),
        "artifacts_dir": str(around.folder.artifacts),
        "chunk_key_file": str(around.keys.chunk),
    }
    if config.role is Role.SITE:
        return own | _link(around)
    return own | _milvus(config)


def _link(around: Surroundings) -> dict[str, str]:
    return {"link_user": names.LINK_USER, "link_password_file": str(around.keys.link_password)}


def _milvus(config: SiteConfig) -> dict[str, str]:
    own = {"milvus_uri": config.milvus.uri or f"http://{LOOPBACK}:{config.ports.milvus}"}
    return own | ({"milvus_token_file": config.milvus.token_file} if config.milvus.token_file else {})


def _models(config: SiteConfig) -> dict[str, str]:
    return {"model": config.model.name, "precision": config.model.precision, "device": config.model.device}


_OWN_SETTINGS = {
    "ingestor": _ingestor,
    "embedder": _embedder,
    "edge-inference": _edge_inference,
    CLOUD: _cloud_inference,
    SYNC: _sync_delta,
}
