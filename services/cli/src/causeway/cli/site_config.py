"""The configuration of a place: what `site.yaml` and `hub.yaml` may say, checked with the line of a mistake. Pure."""

import enum
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from causeway.cli.engine_config import ENGINE, EngineConfig, checked_engine
from causeway.cli.errors import BadConfigError
from causeway.cli.yaml_keys import Choice, Flag, Keys, Number, Section, Settings, Text, read_keys
from causeway.proto.streams import site_reserved_gb
from causeway.proto.subjects import HUB, SITE_NAME

SYNC = "sync-delta"
CLOUD = "cloud-inference"
# What a place may run several of; sync-delta is one process, as the only writer of its outbox.
SERVICES = ("ingestor", "embedder", "edge-inference")
# The streams reserve this much between them, and nats-server refuses to declare what it can not reserve.
STORE_GB_MIN = site_reserved_gb()


class Role(enum.StrEnum):
    """The two kinds of place."""

    SITE = "site"
    HUB = "hub"


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The embedding model."""

    name: str = "multilingual-e5-small"
    precision: str = "int8"
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class StorageConfig:
    """The index behind edge-inference, and the folder of its vault (empty: in the data folder)."""

    type: str = "chroma"
    path: str = ""


@dataclass(frozen=True, kw_only=True)
class SecurityConfig:
    """Encryption of the message store, and where the key files lie (empty: in the data folder)."""

    encryption: bool = True
    keys: str = ""


@dataclass(frozen=True, kw_only=True)
class PortsConfig:
    """Where the place listens. 0 takes a free port. `milvus` and `engine` are a hub's."""

    host: str = "127.0.0.1"
    nats: int = 4222
    monitor: int = 8222
    metrics: int = 9464
    milvus: int = 19530
    engine: int = 8000


@dataclass(frozen=True, kw_only=True)
class LimitsConfig:
    """What the message store may take."""

    store_gb: int = 96
    memory_mb: int = 256


@dataclass(frozen=True, kw_only=True)
class MilvusConfig:
    """A Milvus that someone else runs; without a uri the hub runs its own."""

    uri: str = ""
    token_file: str = ""


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """The local language model, if any."""

    model: str = ""
    threads: int = 2


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    """How many processes of a service, and further settings for its environment."""

    replicas: int = 1
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SupervisionConfig:
    """When a crashing process is given up, and how long one may take to stop."""

    crashes_max: int = 5
    window_s: int = 60
    stop_timeout_s: int = 25


def _services() -> dict[str, ServiceConfig]:
    return {name: ServiceConfig() for name in (*SERVICES, SYNC, CLOUD)}


@dataclass(frozen=True, kw_only=True)
class SiteConfig:
    """A whole place. A hub's ports and limits of nats-server come from fleet.yaml and not from here."""

    site: str = "local"
    model: ModelConfig = ModelConfig()
    storage: StorageConfig = StorageConfig()
    security: SecurityConfig = SecurityConfig()
    ports: PortsConfig = PortsConfig()
    limits: LimitsConfig = LimitsConfig()
    milvus: MilvusConfig = MilvusConfig()
    generator: GeneratorConfig = GeneratorConfig()
    engine: EngineConfig = field(default_factory=EngineConfig)
    services: dict[str, ServiceConfig] = field(default_factory=_services)
    supervision: SupervisionConfig = SupervisionConfig()

    @property
    def role(self) -> Role:
        """Whether this is the hub: the hub's name is no site's."""
        return Role.HUB if self.site == HUB else Role.SITE


_PORT = Number(0, 65_535)
_SERVICE = Section(ServiceConfig, {"replicas": Number(0, 32), "settings": Settings()})
_SERVICES = dict.fromkeys(SERVICES, _SERVICE) | {SYNC: Section(ServiceConfig, {"settings": Settings()})}
_EVERYWHERE: Keys = {
    "model": Section(
        ModelConfig, {"name": Text(), "precision": Choice("int8", "fp32"), "device": Choice("cpu", "cuda")}
    ),
    "storage": Section(StorageConfig, {"type": Choice("chroma", "usearch"), "path": Text()}),
    "security": Section(SecurityConfig, {"encryption": Flag(), "keys": Text()}),
    "generator": Section(GeneratorConfig, {"model": Text(), "threads": Number(1, 256)}),
    "supervision": Section(
        SupervisionConfig,
        {"crashes_max": Number(1, 1_000), "window_s": Number(1, 86_400), "stop_timeout_s": Number(1, 600)},
    ),
}
_KEYS: dict[Role, Keys] = {
    Role.SITE: {
        "site": Text(SITE_NAME, "lower-case letters, digits and -, at most 31, beginning with a letter or digit"),
        "ports": Section(PortsConfig, {"host": Text(), "nats": _PORT, "monitor": _PORT, "metrics": _PORT}),
        "limits": Section(
            LimitsConfig, {"store_gb": Number(STORE_GB_MIN, 100_000), "memory_mb": Number(16, 1_000_000)}
        ),
        "services": Section(dict, _SERVICES),
        **_EVERYWHERE,
    },
    Role.HUB: {
        "ports": Section(PortsConfig, {"host": Text(), "metrics": _PORT, "milvus": _PORT, "engine": _PORT}),
        "milvus": Section(MilvusConfig, {"uri": Text(), "token_file": Text()}),
        "engine": ENGINE,
        "services": Section(dict, _SERVICES | {CLOUD: _SERVICE}),
        **_EVERYWHERE,
    },
}


def parse_site_config(text: str, source: str, role: Role = Role.SITE) -> SiteConfig:
    """The configuration in `text`; `source` names it in errors.

    Raises:
        BadConfigError: not YAML, an unknown key, or a value that the key can not have: with the line.
    """
    values: dict[str, Any] = read_keys(text, source, _KEYS[role])
    services = _services() | values.pop("services", {})
    if services["edge-inference"].replicas == 0:
        raise BadConfigError(
            f"{source}: services.edge-inference.replicas is 0", "Nothing would answer; set at least 1."
        )
    if role is Role.HUB:
        hub = SiteConfig(site=HUB, services=services, **values)
        checked_engine(hub.engine, source)
        return hub
    config = SiteConfig(services=services, **values)
    if config.role is Role.HUB:
        raise BadConfigError(f"{source}: no site can be named {HUB}", "That is the hub: causeway up hub starts one.")
    return config


def example_config(role: Role = Role.SITE) -> str:
    """The annotated example, in which every key has its default."""
    texts = files("causeway.cli")
    parts = (f"{role.value}.example.yaml", "place.example.yaml")
    return "\n".join(texts.joinpath(part).read_text(encoding="utf-8") for part in parts)
