"""FastStream's NatsBroker with the remedies that an edge site needs; services consume and publish through it."""

import logging
import ssl
from typing import TYPE_CHECKING, Any

import nats.errors
from faststream._internal.constants import EMPTY
from faststream.nats import NatsBroker
from faststream.nats.security import NatsCredentials, NatsNKey, NatsSecurity, NatsUserPassword

from causeway.bus.connection import EdgeClient, EdgeJetStream
from causeway.bus.errors import NotConnected
from causeway.bus.settings import BusSettings
from causeway.bus.telemetry import broker_middlewares

if TYPE_CHECKING:
    from nats.aio.client import Client, ErrorCallback

log = logging.getLogger("causeway.bus.faststream")


class EdgeBroker(NatsBroker):
    """Never a zombie: an authorization error while reconnecting is reported and tried again."""

    def _log_connection_broken(self, error_cb: "ErrorCallback | None" = None) -> "ErrorCallback":
        inner = super()._log_connection_broken(error_cb)

        async def reported(error: Exception) -> None:
            try:
                await inner(error)
            except nats.errors.Error:
                # The first connect still fails at once; FastStream would also end the reconnect loop for ever.
                if self._connection is None:
                    raise

        return reported

    async def _connect(self) -> "Client":
        client = EdgeClient()
        await client.connect(**self._connection_kwargs)
        self.config.connect(client)
        return client

    @property
    def client(self) -> EdgeClient:
        """The connection, once connected."""
        client = self._connection
        if not isinstance(client, EdgeClient):
            raise NotConnected("the bus is not started")
        return client

    @property
    def js(self) -> EdgeJetStream:
        """JetStream over the connection."""
        stream = self.config.broker_config.connection_state.stream
        assert isinstance(stream, EdgeJetStream)
        return stream


def _security(settings: BusSettings) -> NatsSecurity | None:
    context = ssl.create_default_context(cafile=str(settings.ca_file)) if settings.ca_file else None
    tls: dict[str, Any] = {"ssl_context": context, "use_ssl": True} if context else {}
    if settings.creds_file:
        return NatsCredentials(str(settings.creds_file), **tls)
    if settings.nkey_seed_file:
        return NatsNKey.from_file(str(settings.nkey_seed_file), **tls)
    if settings.user:
        return NatsUserPassword(settings.user, settings.secret(), **tls)
    return NatsSecurity(**tls) if tls else None


def build_broker(settings: BusSettings) -> EdgeBroker:
    """A broker that connects for ever, decodes nothing by itself, and waits for its handlers at the end."""
    return EdgeBroker(
        settings.url,
        name=f"{settings.service}@{settings.site}",
        security=_security(settings),
        allow_reconnect=True,
        max_reconnect_attempts=-1,
        connect_timeout=settings.connect_timeout_s,  # type: ignore[arg-type]  # nats-py takes any number.
        reconnect_time_wait=settings.reconnect_wait_s,  # type: ignore[arg-type]
        ping_interval=settings.ping_interval_s,  # type: ignore[arg-type]
        max_outstanding_pings=2,
        pending_size=settings.pending_bytes_max,
        drain_timeout=max(1, int(settings.drain_timeout_s)),
        inbox_prefix=settings.inbox_prefix,
        graceful_timeout=settings.drain_timeout_s,
        js_options={"timeout": settings.api_timeout_s},
        middlewares=broker_middlewares(settings),
        apply_types=False,
        serializer=EMPTY,
        logger=log,
        log_level=logging.DEBUG,
    )
