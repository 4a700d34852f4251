"""Publishing, point reads and scans over a real server."""

import asyncio

import pytest

from causeway.bus import BusError, NotPublished, PayloadTooLarge, StreamFull, StreamMissing, WrongLastSequence
from causeway.bus.streams import declare
from causeway.proto import UndecodableError, headers, streams, subjects
from causeway.proto.documents import DocumentStatus
from causeway.proto.outbox import ChunkShared
from tests.support.buses import DOCUMENTS, KB, SITE, declared_bus, document, status
from tests.support.nats_server import NatsServer


def shared_chunk(number: int) -> ChunkShared:
    """One as sync-delta puts it into the outbox."""
    return ChunkShared(
        kb=KB,
        number=number,
        chunk_id=bytes(16),
        model="m",
        language="en",
        context="",
        text=b"text",
        scale=0.1,
        vector_i8=b"\x01\x02",
    )


async def test_the_same_id_is_stored_once_and_its_headers_are_cloud_events(nats_server: NatsServer) -> None:
    subject = subjects.STATUS.at(SITE, KB, "aa")
    async with declared_bus(nats_server) as bus:
        first = await bus.publish(subject, status(1), msg_id="one")
        again = await bus.publish(subject, status(1), msg_id="one")
        assert (again.seq, again.duplicate, first.duplicate) == (first.seq, True, False)
        stored = await bus.last("STATUS", subject)
        assert stored is not None
        assert stored.message == status(1)
        assert stored.headers[headers.CE_TYPE] == DocumentStatus.type_name
        assert stored.headers[headers.CE_SOURCE] == "causeway://site1/ingestor"
        assert stored.headers[headers.MSG_ID] == stored.headers[headers.CE_ID] == "one"
        assert stored.headers[headers.CONTENT_TYPE] == headers.MSGPACK


async def test_an_expected_last_sequence_is_checked_and_a_repeat_of_the_same_id_is_no_conflict(
    nats_server: NatsServer,
) -> None:
    subject = subjects.STATUS.at(SITE, KB, "aa")
    async with declared_bus(nats_server) as bus:
        first = await bus.publish(subject, status(1), msg_id="1", expected_last_subject_seq=0)
        with pytest.raises(WrongLastSequence):
            await bus.publish(subject, status(2), msg_id="2", expected_last_subject_seq=0)
        second = await bus.publish(subject, status(2), msg_id="3", expected_last_subject_seq=first.seq)
        again = await bus.publish(subject, status(2), msg_id="3", expected_last_subject_seq=first.seq)
        assert again.duplicate
        assert again.seq == second.seq


async def test_what_can_not_be_published_says_why(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus:
        with pytest.raises(PayloadTooLarge, match="object store"):
            await bus.publish(DOCUMENTS, document(1, b"x" * 1024 * 1024), msg_id="1")
        with pytest.raises(StreamMissing):
            await bus.publish("site.site1.ask.kb", document(1), msg_id="1")
        await bus.broker.js.delete_stream("DOCUMENTS")
        with pytest.raises(StreamMissing, match="causeway up site"):
            await bus.publish(DOCUMENTS, document(1), msg_id="1", timeout_s=2.0)
        nats_server.kill()
        with pytest.raises(NotPublished, match="same"):
            await bus.publish(subjects.STATUS.at(SITE, KB, "aa"), status(1), msg_id="1", timeout_s=0.5)


async def test_a_full_stream_refuses_at_the_door(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus:
        config = (await bus.broker.js.stream_info("DOCUMENTS")).config
        config.max_bytes = 10_000
        await bus.broker.js.update_stream(config)
        with pytest.raises(StreamFull):
            await bus.publish_many([(DOCUMENTS, document(n, b"x" * 2000), str(n)) for n in range(10)])


async def test_many_are_all_acknowledged_or_the_error_is_raised(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus:
        acks = await bus.publish_many((DOCUMENTS, document(n), f"d{n}") for n in range(1200))
        assert len({ack.seq for ack in acks}) == 1200
        with pytest.raises(PayloadTooLarge):
            await bus.publish_many([(DOCUMENTS, document(1, b"x" * 1024 * 1024), "big")])


async def test_what_crosses_the_link_carries_two_headers(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus:
        await declare(bus, (*streams.ALL_SITE, streams.outbox(SITE)), fresh=True)
        subject = subjects.OUTBOX_CHUNK.at(SITE, KB, "7")
        [ack] = await bus.publish_many([(subject, shared_chunk(7), "kb:7")])
        stored = await bus.broker.js.get_msg(ack.stream, ack.seq)
        # The server's own check of the stream is with what the site stores, and not with what it sends on.
        assert (stored.headers or {}) == {
            headers.MSG_ID: "kb:7",
            headers.CE_TYPE: ChunkShared.type_name,
            "Nats-Expected-Stream": ack.stream,
        }
        found = await bus.last(ack.stream, subject)
        assert found is not None
        assert found.message == shared_chunk(7)


async def test_one_that_can_not_be_published_does_not_keep_the_others_from_it(nats_server: NatsServer) -> None:
    wanted = [(subjects.STATUS.at(SITE, KB, f"{n}"), status(n), str(n)) for n in range(20)]
    async with declared_bus(nats_server) as bus:
        wanted.insert(3, (subjects.ASK.at(SITE, KB), status(99), "no stream keeps it"))
        with pytest.raises(StreamMissing):
            await bus.publish_many(wanted, timeout_s=1)
        assert await bus.count("STATUS") == 20


async def test_points_are_read_and_purged_below_a_sequence(nats_server: NatsServer) -> None:
    wanted = [subjects.STATUS.at(SITE, KB, f"{n:02}") for n in range(100)]
    async with declared_bus(nats_server) as bus:
        await bus.publish_many([(wanted[n], status(n), str(n)) for n in range(50)])
        assert await bus.exists_many("STATUS", wanted) == set(wanted[:50])
        assert set(await bus.last_many("STATUS", wanted)) == set(wanted[:50])
        assert await bus.last("STATUS", wanted[70]) is None
        older = await bus.publish(wanted[0], status(0, revision=2), msg_id="r2")
        newer = await bus.publish(wanted[0], status(0, revision=3), msg_id="r3")
        await bus.purge("STATUS", wanted[0], below_seq=newer.seq)
        assert older.seq < newer.seq
        seen = [delivery.stream_seq async for delivery in bus.scan("STATUS", [wanted[0]])]
        assert seen == [newer.seq]
        await bus.purge("STATUS", wanted[0])
        assert await bus.last("STATUS", wanted[0]) is None


async def test_a_scan_reads_all_that_is_there_also_when_the_server_is_killed_meanwhile(
    nats_server: NatsServer,
) -> None:
    async with declared_bus(nats_server) as bus:
        await bus.publish_many([(subjects.STATUS.at(SITE, KB, f"{n}"), status(n), str(n)) for n in range(1500)])
        seen: list[int] = []
        async for delivery in bus.scan("STATUS", ["site.site1.status.>"]):
            seen.append(delivery.stream_seq)
            if len(seen) == 600:
                await nats_server.restart()
        assert seen == list(range(1, 1501))
        with pytest.raises(BusError, match="work queue"):
            await anext(bus.scan("DOCUMENTS", []))


async def test_a_scan_tells_of_what_can_not_be_read_or_ends_there(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus:
        subject = subjects.STATUS.at(SITE, KB, "aa")
        await bus.publish(subject, status(1), msg_id="1")
        await bus.broker.js.publish(subject, b"not a message")
        await bus.publish(subject, status(2), msg_id="2")
        told: list[UndecodableError] = []
        seen = [each.stream_seq async for each in bus.scan("STATUS", [subject], passed_over=told.append)]
        assert (seen, len(told)) == ([1, 3], 1)
        with pytest.raises(UndecodableError):
            [each async for each in bus.scan("STATUS", [subject])]


async def test_publishing_waits_for_a_server_that_comes_back_in_time(nats_server: NatsServer) -> None:
    async with declared_bus(nats_server) as bus:
        nats_server.kill()
        publishing = asyncio.create_task(bus.publish(DOCUMENTS, document(1), msg_id="1", timeout_s=20))
        await asyncio.to_thread(nats_server.start)
        assert (await asyncio.wait_for(publishing, 20)).stream == "DOCUMENTS"
        assert (await bus.health()).ok
