"""Streams are declared by the operator only, after the key canary: a wrong storage key must cost nothing."""

import pytest
from faststream.nats import JStream, NatsBroker
from nats.js.errors import BadRequestError, NotFoundError, ServerError

from causeway.bus import Ack, Bus, Delivery, Outcome, WrongStorageKey
from causeway.bus.streams import declare
from causeway.proto import streams, subjects
from tests.support.buses import DOCUMENTS, declared_bus, document, raw_client, settings, started, status
from tests.support.nats_server import NatsServer

PAIR = pytest.mark.parametrize("remedy", [True, False], ids=["remedy", "plain"])


@PAIR
async def test_starting_a_service_does_not_change_the_subjects_of_a_stream(
    nats_server: NatsServer, remedy: bool
) -> None:
    async with declared_bus(nats_server) as bus:
        before = (await bus.broker.js.stream_info("STATUS")).config.subjects or []
        if remedy:

            async def take(deliveries: list[Delivery]) -> list[Outcome]:
                return [Ack() for _ in deliveries]

            service = Bus(settings(nats_server, "worker"))
            service.consume("STATUS", "site.site1.status.>", take, message_types=subjects.STATUS.carries)
            async with service:
                pass
        else:
            plain = NatsBroker(nats_server.url)
            plain.subscriber("another.subject", stream=JStream("STATUS"))(print)
            async with started(plain):
                pass
        after = (await bus.broker.js.stream_info("STATUS")).config.subjects or []
        assert (sorted(after) == sorted(before)) is remedy


@PAIR
async def test_after_a_start_with_the_wrong_key_the_right_key_brings_all_messages_back(
    nats_server: NatsServer, remedy: bool
) -> None:
    nats_server.configure(cipher="aes", key="right")
    await nats_server.restart()
    async with declared_bus(nats_server) as bus:
        await bus.publish_many([(DOCUMENTS, document(number), f"d{number}") for number in range(200)])

    nats_server.configure(key="wrong")
    await nats_server.restart()
    if remedy:
        async with Bus(settings(nats_server)) as bus:
            with pytest.raises(WrongStorageKey, match="right key"):
                await declare(bus, fresh=False)
    else:
        plain = NatsBroker(nats_server.url)
        plain.subscriber(DOCUMENTS, stream=JStream("DOCUMENTS", subjects=list(streams.DOCUMENTS.subjects)))(print)
        try:
            async with started(plain):
                pass
        except (BadRequestError, ServerError, NotFoundError):
            pass

    nats_server.configure(key="right")
    await nats_server.restart()
    async with raw_client(nats_server) as (_, js):
        if remedy:
            assert (await js.stream_info("DOCUMENTS")).state.messages == 200
        else:
            with pytest.raises(NotFoundError):
                await js.stream_info("DOCUMENTS")


async def test_a_rotated_key_keeps_every_message_and_what_the_server_drops_is_declared_again(
    nats_server: NatsServer,
) -> None:
    nats_server.configure(cipher="aes", key="old")
    await nats_server.restart()
    async with declared_bus(nats_server) as bus:
        await bus.publish_many([(DOCUMENTS, document(number), f"d{number}") for number in range(50)])
        await bus.publish(subjects.STATUS.at("site1", "kb", "aa"), status(1), msg_id="1")
    nats_server.configure(key="new", previous_key="old")
    await nats_server.restart()
    async with Bus(settings(nats_server)) as bus:
        report = await declare(bus, fresh=False)
        # nats-server 2.15.1 drops a stream that never held a message when it converts it to the new key.
        assert {"DOCUMENTS", "STATUS", "CANARY"}.isdisjoint(report.created)
        assert (await bus.broker.js.stream_info("DOCUMENTS")).state.messages == 50
        assert (await bus.broker.js.stream_info("STATUS")).state.messages == 1
    nats_server.configure(previous_key="")
    await nats_server.restart()
    async with Bus(settings(nats_server)) as bus:
        assert (await declare(bus, fresh=False)).created == ()
        assert (await bus.broker.js.stream_info("DOCUMENTS")).state.messages == 50


async def test_a_store_of_another_site_is_refused(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server):
        pass
    other = settings(nats_server)
    async with Bus(type(other)(url=other.url, site="site2", service="cli")) as bus:
        with pytest.raises(WrongStorageKey):
            await declare(bus, fresh=False)


async def test_declaring_twice_changes_nothing_and_keeps_the_first_sequence(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus:
        first = (await bus.broker.js.stream_info("DOCUMENTS")).config.first_seq
        report = await declare(bus, fresh=False)
        assert report.created == report.updated == ()
        assert "OBJ_BODIES" in report.unchanged
        assert (await bus.broker.js.stream_info("DOCUMENTS")).config.first_seq == first
        assert first is not None
        assert first > 1_700_000_000_000
