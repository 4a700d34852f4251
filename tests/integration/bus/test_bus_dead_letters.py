"""The dead-letter stream over a real server: nothing is lost on the way in, and everything comes back out."""

import time

import pytest
from prometheus_client import CollectorRegistry

from causeway.bus import Ack, Bus, Dead, Delivery, ObjectMissing, Outcome
from causeway.proto import headers, subjects
from tests.support.buses import DOCUMENTS, declared_bus, document, until, until_stored
from tests.support.nats_server import NatsServer

TYPES = subjects.DOCUMENT.carries


async def _bury(bus: Bus, reason: str = "no such format") -> None:
    async def refuse(deliveries: list[Delivery]) -> list[Outcome]:
        return [Dead(reason) for _ in deliveries]

    consumption = bus.consume("DOCUMENTS", DOCUMENTS, refuse, message_types=TYPES)
    await until_stored(bus, "DOCUMENTS", 0)
    await bus.release(consumption)


async def test_a_dead_letter_tells_where_it_came_from_and_why(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus:
        ack = await bus.publish(DOCUMENTS, document(1, b"body"), msg_id="original")
        await _bury(bus)
        entries = [entry async for entry in bus.dead_letters.entries()]
        assert len(entries) == 1
        letter = entries[0].letter
        assert (letter.service, letter.reason, letter.attempts) == ("ingestor", "no such format", 1)
        assert (letter.origin_stream, letter.origin_subject, letter.origin_seq) == ("DOCUMENTS", DOCUMENTS, ack.seq)
        assert letter.headers[headers.MSG_ID] == "original"
        assert b"body" in letter.body
        assert abs(letter.at_unix_ms - time.time() * 1000) < 60_000


async def test_a_replayed_letter_is_not_taken_for_a_duplicate_and_keeps_its_lineage(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus:
        await bus.publish(DOCUMENTS, document(1), msg_id="original")
        await _bury(bus)
        got: list[Delivery] = []

        async def take(deliveries: list[Delivery]) -> list[Outcome]:
            got.extend(deliveries)
            return [Ack() for _ in deliveries]

        bus.consume("DOCUMENTS", DOCUMENTS, take, message_types=TYPES)
        entry = await anext(bus.dead_letters.entries())
        ack = await bus.dead_letters.replay(entry.seq)
        assert not ack.duplicate
        await until(lambda: len(got) == 1)
        assert got[0].message == document(1)
        assert got[0].headers[headers.REPLAY_OF] == "original"
        assert got[0].headers[headers.CE_ID] == "original"
        assert [entry async for entry in bus.dead_letters.entries()] == []
        with pytest.raises(ObjectMissing):
            await bus.dead_letters.replay(entry.seq)


async def test_a_letter_that_dies_again_can_be_replayed_again(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus:
        await bus.publish(DOCUMENTS, document(1), msg_id="original")
        await _bury(bus)
        for _ in range(2):
            entry = await anext(bus.dead_letters.entries())
            assert not (await bus.dead_letters.replay(entry.seq)).duplicate
            await _bury(bus)
        assert len([entry async for entry in bus.dead_letters.entries()]) == 1


async def test_a_discarded_letter_is_gone_and_counts_as_no_loss(nats_server: NatsServer) -> None:
    registry = CollectorRegistry()
    async with declared_bus(nats_server, prometheus_registry=registry) as bus:
        for number in range(3):
            await bus.publish(DOCUMENTS, document(number), msg_id=f"d{number}")
        await _bury(bus)
        assert await bus.dead_letters.discard(1)
        assert not await bus.dead_letters.discard(1)
        config = (await bus.broker.js.stream_info("DEAD")).config
        assert [entry.seq async for entry in bus.dead_letters.entries()] == [2, 3]
        await bus.dead_letters.refresh_metrics()
        labels = {"service": "ingestor"}
        assert registry.get_sample_value("causeway_bus_dead_letters_stored", labels) == 2
        assert registry.get_sample_value("causeway_bus_dead_letters_expired", labels) == 0
        # As if age had removed one.
        config.max_msgs = 1
        config.discard = type(config.discard)("old")  # type: ignore[misc]
        await bus.broker.js.update_stream(config)
        await bus.dead_letters.refresh_metrics()
        assert registry.get_sample_value("causeway_bus_dead_letters_expired", labels) == 1


async def test_an_undecodable_message_dies_at_once_and_its_neighbours_live(nats_server: NatsServer) -> None:
    handled: list[str] = []

    async def take(deliveries: list[Delivery]) -> list[Outcome]:
        handled.extend(delivery.msg_id for delivery in deliveries)
        return [Ack() for _ in deliveries]

    async with declared_bus(nats_server) as bus:
        await bus.publish(DOCUMENTS, document(1), msg_id="good1")
        await bus.broker.js.publish(DOCUMENTS, b"\xc1 no msgpack", headers={headers.MSG_ID: "bad"})
        await bus.publish(DOCUMENTS, document(2), msg_id="good2")
        bus.consume("DOCUMENTS", DOCUMENTS, take, message_types=TYPES)
        await until_stored(bus, "DOCUMENTS", 0)
        letters = [entry.letter async for entry in bus.dead_letters.entries()]
        assert handled == ["good1", "good2"]
        assert [letter.reason.split(":")[0] for letter in letters] == ["undecodable"]
        assert letters[0].body == b"\xc1 no msgpack"


async def test_a_full_dead_letter_stream_keeps_the_message_where_it_was(nats_server: NatsServer) -> None:
    registry = CollectorRegistry()
    async with declared_bus(nats_server, prometheus_registry=registry) as bus:
        config = (await bus.broker.js.stream_info("DEAD")).config
        config.max_bytes = 1
        await bus.broker.js.update_stream(config)
        await bus.publish(DOCUMENTS, document(1), msg_id="one")

        async def refuse(deliveries: list[Delivery]) -> list[Outcome]:
            return [Dead("bad") for _ in deliveries]

        bus.consume("DOCUMENTS", DOCUMENTS, refuse, message_types=TYPES)
        labels = {"service": "ingestor", "stream": "DOCUMENTS"}
        name = "causeway_bus_dead_letters_refused_total"
        await until(lambda: registry.get_sample_value(name, labels) == 1)
        assert (await bus.broker.js.stream_info("DOCUMENTS")).state.messages == 1
