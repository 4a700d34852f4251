"""How one service meets the bus. Values come from the service's own settings; nothing here reads the environment."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from opentelemetry.trace import TracerProvider
from prometheus_client import CollectorRegistry


class Connection(Protocol):
    """The part of a service's settings that every service has."""

    @property
    def site(self) -> str: ...
    @property
    def nats_url(self) -> str: ...
    @property
    def nats_user(self) -> str: ...
    @property
    def nats_password_file(self) -> Path | None: ...
    @property
    def drain_timeout_s(self) -> float: ...


@dataclass(frozen=True, kw_only=True)
class BusSettings:
    """`service` is the durable name, the connection name and the metric label. Secrets never appear in repr."""

    url: str = "nats://127.0.0.1:4222"
    site: str
    service: str
    user: str | None = None
    password: str = field(default="", repr=False)
    password_file: Path | None = None
    nkey_seed_file: Path | None = None
    creds_file: Path | None = None
    ca_file: Path | None = None
    inbox_prefix: str = "_INBOX"
    connect_timeout_s: float = 5.0
    reconnect_wait_s: float = 0.5
    ping_interval_s: float = 10.0
    pending_bytes_max: int = 16 * 1024 * 1024
    publish_timeout_s: float = 5.0
    publish_attempt_s: float = 2.0
    request_timeout_s: float = 10.0
    api_timeout_s: float = 5.0
    streams_wait_s: float | None = None
    drain_timeout_s: float = 25.0
    prometheus_registry: CollectorRegistry | None = None
    tracer_provider: TracerProvider | None = None

    @classmethod
    def of(
        cls,
        settings: Connection,
        service: str,
        prometheus_registry: CollectorRegistry | None = None,
        tracer_provider: TracerProvider | None = None,
    ) -> Self:
        """The connection of `service`, by its own settings."""
        return cls(
            url=settings.nats_url,
            site=settings.site,
            service=service,
            user=settings.nats_user or None,
            password_file=settings.nats_password_file,
            drain_timeout_s=settings.drain_timeout_s,
            prometheus_registry=prometheus_registry,
            tracer_provider=tracer_provider,
        )

    def secret(self) -> str:
        """The password, from its file where there is one. The file is read once, at start."""
        if self.password_file is None:
            return self.password
        return self.password_file.read_text(encoding="utf-8").strip()

    @property
    def source(self) -> str:
        """The CloudEvents source of what this service publishes."""
        return f"causeway://{self.site}/{self.service}"
