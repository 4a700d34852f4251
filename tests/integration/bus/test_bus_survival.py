"""Kill -9 of the server and ends of services: nothing acknowledged is lost, nothing waits for a time-out."""

import asyncio
from collections import Counter
from itertools import count

import pytest

from causeway.bus import Ack, Bus, Delivery, Outcome, Position
from causeway.proto import subjects
from causeway.proto.documents import Document, DocumentStatus
from tests.support.buses import DOCUMENTS, KB, SITE, declared_bus, document, settings, status, until, until_stored
from tests.support.nats_server import NatsServer

TYPES = subjects.DOCUMENT.carries


def _id(delivery: Delivery) -> str:
    assert isinstance(delivery.message, Document)
    return delivery.message.document_id


async def test_no_message_is_lost_or_stored_twice_when_the_server_is_killed_while_publishing_and_consuming(
    nats_server: NatsServer,
) -> None:
    got: Counter[int] = Counter()
    acknowledged: set[int] = set()
    killed = asyncio.Event()

    async def take(deliveries: list[Delivery]) -> list[Outcome]:
        got.update(delivery.stream_seq for delivery in deliveries)
        return [Ack() for _ in deliveries]

    async def produce(bus: Bus) -> None:
        for number in count():
            ack = await bus.publish(DOCUMENTS, document(number), msg_id=f"d{number}", timeout_s=20)
            assert ack.seq not in acknowledged
            acknowledged.add(ack.seq)
            if killed.is_set() and number > 300:
                return

    async with declared_bus(nats_server) as bus:
        bus.consume("DOCUMENTS", DOCUMENTS, take, message_types=TYPES, ack_wait_s=2)
        producing = asyncio.create_task(produce(bus))
        for round_ in (1, 2, 3):
            await until(lambda round_=round_: len(got) > 40 * round_)  # type: ignore[misc]
            await nats_server.restart()
        killed.set()
        await asyncio.wait_for(producing, 30)
        await until(lambda: acknowledged <= set(got), 20)
        await until_stored(bus, "DOCUMENTS", 0)
        # A publish whose acknowledgement was lost may have been stored before the kill: once, under its sequence.
        assert len(set(got)) == len(acknowledged)


async def test_a_follower_sees_each_message_of_a_log_once_and_in_order_across_three_kills(
    nats_server: NatsServer,
) -> None:
    seen: list[int] = []

    async def where() -> Position:
        return Position(seq=len(seen))

    async def take(deliveries: list[Delivery]) -> None:
        seen.extend(delivery.stream_seq for delivery in deliveries)

    async with declared_bus(nats_server) as bus:
        bus.follow("STATUS", ["site.site1.status.>"], where, take, message_types=subjects.STATUS.carries)
        for round_ in range(3):
            entries = [(subjects.STATUS.at(SITE, KB, f"{round_}-{n}"), status(n), f"{round_}.{n}") for n in range(200)]
            publishing = asyncio.create_task(bus.publish_many(entries, timeout_s=20))
            await until(lambda round_=round_: len(seen) > 200 * round_ + 20)  # type: ignore[misc]
            await nats_server.restart()
            await asyncio.wait_for(publishing, 30)
        await until(lambda: len(seen) == 600, 20)
        assert seen == list(range(1, 601))


async def test_a_follower_whose_log_was_made_anew_is_told_and_starts_again(nats_server: NatsServer) -> None:
    seen: list[int] = []
    position = Position()
    resets: list[Position] = []

    async def where() -> Position:
        return position

    async def take(deliveries: list[Delivery]) -> None:
        nonlocal position
        seen.extend(delivery.stream_seq for delivery in deliveries)
        position = Position(seq=seen[-1], stream_created=following.position.stream_created)

    async def reset(anew: Position) -> None:
        nonlocal position
        position = anew
        seen.clear()
        resets.append(anew)

    async with declared_bus(nats_server) as bus:
        subject = subjects.STATUS.at(SITE, KB, "aa")
        following = bus.follow(
            "STATUS", ["site.site1.status.>"], where, take, message_types=subjects.STATUS.carries, on_reset=reset
        )
        await bus.publish(subject, status(1), msg_id="1")
        await bus.publish(subject, status(2), msg_id="2")
        await until(lambda: seen == [1, 2])
        config = (await bus.broker.js.stream_info("STATUS")).config
        await bus.broker.js.delete_stream("STATUS")
        await bus.broker.js.add_stream(config)
        await bus.publish(subject, status(3), msg_id="3")
        await until(lambda: seen == [1] and len(resets) == 1)


async def test_a_follower_whose_handler_fails_gets_the_same_messages_again(nats_server: NatsServer) -> None:
    tries: list[list[int]] = []

    async def where() -> Position:
        return Position()

    async def take(deliveries: list[Delivery]) -> None:
        tries.append([delivery.stream_seq for delivery in deliveries])
        if len(tries) < 3:
            raise OSError("disk full")

    async with declared_bus(nats_server) as bus:
        await bus.publish(subjects.STATUS.at(SITE, KB, "aa"), status(1), msg_id="1")
        following = bus.follow("STATUS", [], where, take, message_types=(DocumentStatus,))
        await until(lambda: "disk full" in following.reason)
        assert not (await bus.health()).ok
        await until(following.caught_up.is_set)
        assert tries == [[1], [1], [1]]
        await until(lambda: following.reason == "")


async def test_a_follower_that_is_stopped_while_it_handles_a_batch_leaves_nothing_for_the_drain_to_wait_for(
    nats_server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    runs, go_on = asyncio.Event(), asyncio.Event()

    async def where() -> Position:
        return Position()

    async def take(deliveries: list[Delivery]) -> None:
        runs.set()
        await go_on.wait()

    async with declared_bus(nats_server, "cli") as bus:
        await bus.publish(subjects.STATUS.at(SITE, KB, "aa"), status(1), msg_id="1")
        leaving = Bus(settings(nats_server))
        following = leaving.follow("STATUS", [], where, take, message_types=(DocumentStatus,))
        await leaving.start()
        await asyncio.wait_for(runs.wait(), 10)
        stopping = asyncio.create_task(leaving.stop())
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.wait_for(stopping, 20)
        assert following.position.seq == 1
        assert await bus.broker.js.consumers_info("STATUS") == []
    assert "DrainTimeoutError" not in caplog.text


async def test_an_unsubscribing_that_is_cut_off_leaves_nothing_for_the_drain_to_wait_for(
    nats_server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with declared_bus(nats_server) as bus:
        js = bus.broker.js
        pull = await js.pull_subscribe("", stream="STATUS")
        nats_server.freeze()
        leaving = asyncio.create_task(pull.unsubscribe())
        await until(lambda: len(bus.client._pongs) > 0)
        leaving.cancel()
        nats_server.thaw()
    assert "DrainTimeoutError" not in caplog.text


async def test_stopping_finishes_the_running_handler_and_hands_the_rest_to_a_sibling_at_once(
    nats_server: NatsServer,
) -> None:
    first_runs, go_on = asyncio.Event(), asyncio.Event()
    by_first: list[str] = []
    by_second: list[str] = []

    async def first(deliveries: list[Delivery]) -> list[Outcome]:
        first_runs.set()
        await go_on.wait()
        by_first.extend(map(_id, deliveries))
        return [Ack() for _ in deliveries]

    async def second(deliveries: list[Delivery]) -> list[Outcome]:
        by_second.extend(map(_id, deliveries))
        return [Ack() for _ in deliveries]

    async with declared_bus(nats_server, "cli") as bus:
        leaving = Bus(settings(nats_server, drain_timeout_s=60.0))
        leaving.consume("DOCUMENTS", DOCUMENTS, first, message_types=TYPES, batch_max=3)
        await leaving.start()
        await bus.publish_many([(DOCUMENTS, document(n), f"d{n}") for n in range(10)], window=1)
        await asyncio.wait_for(first_runs.wait(), 10)
        stopping = asyncio.create_task(leaving.stop())
        async with Bus(settings(nats_server)) as sibling:
            sibling.consume("DOCUMENTS", DOCUMENTS, second, message_types=TYPES)
            await until(lambda: len(by_second) >= 7)
            assert not stopping.done()
            go_on.set()
            await asyncio.wait_for(stopping, 10)
            # Well before ack_wait_s, since what was delivered and not begun was given back.
            await until_stored(bus, "DOCUMENTS", 0)
        assert sorted(by_first + by_second) == sorted(f"d{n}" for n in range(10))
        assert by_first


async def test_a_handler_that_does_not_end_is_left_to_a_sibling_when_the_drain_time_is_over(
    nats_server: NatsServer,
) -> None:
    runs = asyncio.Event()

    async def hang(deliveries: list[Delivery]) -> list[Outcome]:
        runs.set()
        await asyncio.Event().wait()
        return []

    async with declared_bus(nats_server, "cli") as bus:
        leaving = Bus(settings(nats_server, drain_timeout_s=0.5))
        leaving.consume("DOCUMENTS", DOCUMENTS, hang, message_types=TYPES)
        await leaving.start()
        await bus.publish(DOCUMENTS, document(1), msg_id="d1")
        await asyncio.wait_for(runs.wait(), 10)
        await asyncio.wait_for(leaving.stop(), 10)
        taken: list[Delivery] = []

        async def take(deliveries: list[Delivery]) -> list[Outcome]:
            taken.extend(deliveries)
            return [Ack() for _ in deliveries]

        async with Bus(settings(nats_server)) as sibling:
            sibling.consume("DOCUMENTS", DOCUMENTS, take, message_types=TYPES)
            await until(lambda: len(taken) == 1)
        assert taken[0].num_delivered == 2


async def test_a_service_keeps_its_messages_while_a_long_handler_runs(nats_server: NatsServer) -> None:
    tries: list[int] = []

    async def slow(deliveries: list[Delivery]) -> list[Outcome]:
        tries.append(deliveries[0].num_delivered)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 7.0)
        return [Ack() for _ in deliveries]

    async with declared_bus(nats_server, "cli") as bus:
        async with Bus(settings(nats_server)) as one, Bus(settings(nats_server)) as two:
            for service in (one, two):
                service.consume("DOCUMENTS", DOCUMENTS, slow, message_types=TYPES, ack_wait_s=6)
            await bus.publish(DOCUMENTS, document(1), msg_id="d1")
            await until_stored(bus, "DOCUMENTS", 0)
        assert tries == [1]


async def test_a_service_waits_for_its_stream_and_begins_when_the_operator_declares_it(
    nats_server: NatsServer,
) -> None:
    from causeway.bus.streams import declare

    got: list[str] = []

    async def take(deliveries: list[Delivery]) -> list[Outcome]:
        got.extend(map(_id, deliveries))
        return [Ack() for _ in deliveries]

    service = Bus(settings(nats_server, streams_wait_s=None))
    service.consume("DOCUMENTS", DOCUMENTS, take, message_types=TYPES)
    starting = asyncio.create_task(service.start())
    async with Bus(settings(nats_server, "cli")) as operator:
        await declare(operator, fresh=True)
        await asyncio.wait_for(starting, 10)
        await operator.publish(DOCUMENTS, document(1), msg_id="d1")
        await until(lambda: got == ["d1"])
    await service.stop()
