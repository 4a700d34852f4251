"""The configuration of a site: what `site.yaml` may say, checked with the line of each mistake. Pure."""

from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from causeway.cli.errors import BadConfigError
from causeway.cli.yaml_keys import Choice, Flag, Keys, Number, Section, Settings, Text, read_keys
from causeway.proto.subjects import SITE_NAME

SERVICES = ("ingestor", "embedder", "edge-inference")
# The streams reserve this much between them, and nats-server refuses to declare what it can not reserve.
STORE_GB_MIN = 48


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
    """Where the site listens. 0 takes a free port."""

    host: str = "127.0.0.1"
    nats: int = 4222
    monitor: int = 8222
    metrics: int = 9464


@dataclass(frozen=True, kw_only=True)
class LimitsConfig:
    """What the message store may take."""

    store_gb: int = 64
    memory_mb: int = 256


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


@dataclass(frozen=True, kw_only=True)
class SiteConfig:
    """A whole site."""

    site: str = "local"
    model: ModelConfig = ModelConfig()
    storage: StorageConfig = StorageConfig()
    security: SecurityConfig = SecurityConfig()
    ports: PortsConfig = PortsConfig()
    limits: LimitsConfig = LimitsConfig()
    generator: GeneratorConfig = GeneratorConfig()
    services: dict[str, ServiceConfig] = field(default_factory=lambda: {name: ServiceConfig() for name in SERVICES})
    supervision: SupervisionConfig = SupervisionConfig()


_PORT = Number(0, 65_535)
_SERVICE = Section(ServiceConfig, {"replicas": Number(0, 32), "settings": Settings()})
_KEYS: Keys = {
    "site": Text(SITE_NAME, "lower-case letters, digits and -, at most 31, beginning with a letter or digit"),
    "model": Section(
        ModelConfig, {"name": Text(), "precision": Choice("int8", "fp32"), "device": Choice("cpu", "cuda")}
    ),
    "storage": Section(StorageConfig, {"type": Choice("chroma", "usearch"), "path": Text()}),
    "security": Section(SecurityConfig, {"encryption": Flag(), "keys": Text()}),
    "ports": Section(PortsConfig, {"host": Text(), "nats": _PORT, "monitor": _PORT, "metrics": _PORT}),
    "limits": Section(LimitsConfig, {"store_gb": Number(STORE_GB_MIN, 100_000), "memory_mb": Number(16, 1_000_000)}),
    "generator": Section(GeneratorConfig, {"model": Text(), "threads": Number(1, 256)}),
    "services": Section(dict, dict.fromkeys(SERVICES, _SERVICE)),
    "supervision": Section(
        SupervisionConfig,
        {"crashes_max": Number(1, 1_000), "window_s": Number(1, 86_400), "stop_timeout_s": Number(1, 600)},
    ),
}


def parse_site_config(text: str, source: str) -> SiteConfig:
    """The configuration in `text`; `source` names it in errors.

    Raises:
        BadConfigError: not YAML, an unknown key, or a value that the key can not have: with the line.
    """
    values: dict[str, Any] = read_keys(text, source, _KEYS)
    services = {name: ServiceConfig() for name in SERVICES} | values.pop("services", {})
    if services["edge-inference"].replicas == 0:
        raise BadConfigError(
            f"{source}: services.edge-inference.replicas is 0", "Nothing would answer; set at least 1."
        )
    return SiteConfig(services=services, **values)


def example_config() -> str:
    """The annotated example, in which every key has its default."""
    return files("causeway.cli").joinpath("site.example.yaml").read_text(encoding="utf-8")
