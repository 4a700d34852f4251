"""FastStream and nats-py pitfalls of the connection: each seen with the plain libraries, and gone with the remedy."""

import asyncio
import contextlib
from typing import Any

import nats.errors
import pytest
from faststream.nats import NatsBroker
from nats.aio.client import Client

from causeway.bus import AccessRefused, Bus
from causeway.bus.broker import EdgeBroker, build_broker
from causeway.bus.connection import EdgeClient
from tests.support.buses import declared_bus, document, raw_client, settings, started, stays_false, until
from tests.support.nats_server import NatsServer

PAIR = pytest.mark.parametrize("remedy", [True, False], ids=["remedy", "plain"])


async def _restart_with(server: NatsServer, password: str) -> None:
    server.configure(users=(("svc", password),))
    await server.restart()


def _refusals(server: NatsServer) -> int:
    return server.log_path.read_text().count("authentication error")


@PAIR
async def test_a_refused_password_while_reconnecting_does_not_end_the_reconnecting(
    nats_server: NatsServer, remedy: bool
) -> None:
    await _restart_with(nats_server, "right")
    broker: NatsBroker
    if remedy:
        broker = build_broker(settings(nats_server, user="svc", password="right"))
    else:
        url = nats_server.url.replace("nats://", "nats://svc:right@")
        broker = NatsBroker(url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)  # type: ignore[arg-type]
    async with started(broker):
        await _restart_with(nats_server, "other")
        await until(lambda: _refusals(nats_server) > 0)
        await _restart_with(nats_server, "right")
        if remedy:
            await until(lambda: bool(broker.connection.is_connected))
        else:
            assert await stays_false(lambda: bool(broker.connection.is_connected), 3.0)
            assert not broker.connection.is_closed


@PAIR
async def test_a_user_revoked_by_a_reload_comes_back_with_the_next_reload(
    nats_server: NatsServer, remedy: bool
) -> None:
    await _restart_with(nats_server, "right")
    if not remedy:
        async with raw_client(
            nats_server, user="svc", password="right", max_reconnect_attempts=-1, reconnect_time_wait=0.1
        ) as (client, _):
            nats_server.configure(users=(("svc", "other"),))
            nats_server.reload()
            await until(lambda: bool(client.is_closed))
        return
    async with started(build_broker(settings(nats_server, user="svc", password="right"))) as broker:
        nats_server.configure(users=(("svc", "other"),))
        nats_server.reload()
        await until(lambda: not broker.connection.is_connected)
        nats_server.configure(users=(("svc", "right"),))
        nats_server.reload()
        await until(lambda: bool(broker.connection.is_connected))


async def test_a_wrong_password_at_the_start_fails_at_once(nats_server: NatsServer) -> None:
    await _restart_with(nats_server, "right")
    with pytest.raises(AccessRefused, match="(?i)authorization violation.*check the user and the password file"):
        await Bus(settings(nats_server, user="svc", password="wrong")).start()


async def test_a_bus_that_starts_before_its_server_connects_when_it_comes(nats_server: NatsServer) -> None:
    nats_server.kill()
    broker = build_broker(settings(nats_server))
    connecting = asyncio.create_task(broker.connect())
    assert await stays_false(connecting.done, 0.5)
    nats_server.start()
    await asyncio.wait_for(connecting, 10)
    assert isinstance(broker, EdgeBroker)
    assert broker.client.is_connected
    await broker.stop()


class _Recording:
    """Writes through to the transport and keeps what was written, in order."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.written = b""

    def write(self, payload: bytes) -> None:
        self.written += payload
        self._transport.write(payload)

    def writelines(self, payload: list[bytes]) -> None:
        self.written += b"".join(payload)
        self._transport.writelines(payload)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


@PAIR
async def test_flush_sends_a_subscription_before_its_ping(nats_server: NatsServer, remedy: bool) -> None:
    client: Client = EdgeClient() if remedy else Client()
    await client.connect(nats_server.url)
    recording = _Recording(client._transport)
    client._transport = recording  # type: ignore[assignment]
    await client.subscribe("some.subject")
    await client.flush()
    ping_is_first = recording.written.index(b"PING") < recording.written.index(b"SUB")
    assert ping_is_first is not remedy
    await client.close()


@PAIR
async def test_a_flush_that_is_cancelled_does_not_end_the_reading(nats_server: NatsServer, remedy: bool) -> None:
    client: Client = EdgeClient() if remedy else Client()
    await client.connect(nats_server.url)
    nats_server.freeze()
    flushing = asyncio.create_task(client.flush())
    await until(lambda: len(client._pongs) > 0)
    flushing.cancel()
    nats_server.thaw()
    if remedy:
        await client.flush()
        assert (client.is_connected, client.stats["reconnects"]) == (True, 0)
    else:
        await until(lambda: client._reading_task is not None and client._reading_task.done())
        assert client.is_connected
    await client.close()


@PAIR
async def test_an_error_in_the_loop_that_reads_is_a_lost_connection(
    nats_server: NatsServer, remedy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Client = EdgeClient() if remedy else Client()
    await client.connect(nats_server.url, reconnect_time_wait=1)
    parse = client._ps.parse

    async def broken(data: bytes) -> None:
        monkeypatch.setattr(client._ps, "parse", parse)
        raise LookupError("a fault of the parser")

    monkeypatch.setattr(client._ps, "parse", broken)
    with contextlib.suppress(nats.errors.FlushTimeoutError):
        await client.flush(1)
    if remedy:
        await until(lambda: client.is_connected and client.stats["reconnects"] == 1)
        await client.flush()
    else:
        assert (client.is_connected, client.stats["reconnects"]) == (True, 0)
    await client.close()


@PAIR
async def test_a_second_of_silence_is_not_a_failed_publish(nats_server: NatsServer, remedy: bool) -> None:
    async with declared_bus(nats_server) as bus, started(NatsBroker(nats_server.url)) as plain:
        nats_server.freeze()
        if remedy:
            asyncio.get_running_loop().call_later(1.0, nats_server.thaw)
            ack = await bus.publish("site.site1.document.kb", document(1), msg_id="one")
            assert ack.stream == "DOCUMENTS"
        else:
            with pytest.raises(TimeoutError):
                await plain.publish(b"", "site.site1.document.kb", stream="DOCUMENTS")
            nats_server.thaw()
