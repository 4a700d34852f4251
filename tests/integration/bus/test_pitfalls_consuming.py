"""FastStream and nats-py pitfalls of JetStream consumers: each seen with the plain libraries, and gone with ours."""

import asyncio
import contextlib
import time
from typing import Any

import msgspec
import pytest
from faststream import AckPolicy, ExceptionMiddleware
from faststream.nats import JStream, NatsBroker, PullSub
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig

from causeway.bus import Ack, Bus, Delivery, Outcome, Position
from causeway.proto import subjects
from tests.support.buses import DOCUMENTS, declared_bus, document, started, status, stays_false, until, until_stored
from tests.support.nats_server import NatsServer

PAIR = pytest.mark.parametrize("remedy", [True, False], ids=["remedy", "plain"])
STREAM = JStream("DOCUMENTS", declare=False)
TYPES = subjects.DOCUMENT.carries


async def _publish(bus: Bus, *numbers: int) -> None:
    for number in numbers:
        await bus.publish(DOCUMENTS, document(number), msg_id=f"d{number}")


@PAIR
async def test_a_consumer_that_was_deleted_is_made_again(nats_server: NatsServer, remedy: bool) -> None:
    got: list[Any] = []
    async with declared_bus(nats_server, "worker") as bus, started(NatsBroker(nats_server.url)) as plain:
        if remedy:

            async def take(deliveries: list[Delivery]) -> list[Outcome]:
                got.extend(deliveries)
                return [Ack() for _ in deliveries]

            await asyncio.wait_for(bus.consume("DOCUMENTS", DOCUMENTS, take, message_types=TYPES).ready.wait(), 10)
        else:
            # Batches of one: a fuller batch is dropped when the late loop of the next test meets it.
            subscriber = plain.subscriber(
                DOCUMENTS, durable="worker", stream=STREAM, pull_sub=PullSub(batch_size=1, timeout=0.5, batch=True)
            )

            async def see(bodies: list[Any]) -> None:
                got.extend(bodies)

            subscriber(see)
            await subscriber.start()
        await _publish(bus, 1)
        await until(lambda: len(got) == 1, 60)
        await bus.broker.js.delete_consumer("DOCUMENTS", "worker")
        await _publish(bus, 2)
        if remedy:
            await until(lambda: len(got) == 2)
        else:
            assert await stays_false(lambda: len(got) > 1, 3.0)


async def test_a_consumer_made_again_on_a_kept_log_delivers_from_the_start_so_handlers_must_be_idempotent(
    nats_server: NatsServer,
) -> None:
    got: list[int] = []

    async def take(deliveries: list[Delivery]) -> list[Outcome]:
        got.extend(delivery.stream_seq for delivery in deliveries)
        return [Ack() for _ in deliveries]

    async with declared_bus(nats_server) as bus:
        consumption = bus.consume("STATUS", "site.site1.status.>", take, message_types=subjects.STATUS.carries)
        await asyncio.wait_for(consumption.ready.wait(), 10)
        await bus.publish(subjects.STATUS.at("site1", "kb", "aa"), status(1), msg_id="1")
        await until(lambda: got == [1])
        await bus.broker.js.delete_consumer("STATUS", "ingestor")
        await until(lambda: got == [1, 1])
        assert consumption.lost == 1


@PAIR
async def test_an_empty_fetch_on_a_busy_loop_does_not_end_the_consuming_task(
    nats_server: NatsServer, remedy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the event loop were always late: nats-py then raises the bare TimeoutError of asyncio.
    monkeypatch.setattr(JetStreamContext, "_time_until", classmethod(lambda *_: 0.0))
    async with declared_bus(nats_server, "worker") as bus, started(NatsBroker(nats_server.url)) as plain:
        if remedy:

            async def take(deliveries: list[Delivery]) -> list[Outcome]:
                return [Ack() for _ in deliveries]

            consumption = bus.consume("DOCUMENTS", DOCUMENTS, take, message_types=TYPES, wait_s=0.3)
            await asyncio.wait_for(consumption.ready.wait(), 10)
            tasks = consumption._subscriber.tasks
            assert await stays_false(lambda: len(tasks) > 1 or tasks[0].done(), 2.0)
        else:
            subscriber = plain.subscriber(
                DOCUMENTS, durable="worker", stream=STREAM, pull_sub=PullSub(batch_size=10, timeout=0.3, batch=True)
            )
            subscriber(print)
            await subscriber.start()
            await until(lambda: len(subscriber.tasks) > 2)


@PAIR
async def test_a_failing_handler_is_tried_again_after_the_backoff(nats_server: NatsServer, remedy: bool) -> None:
    times: list[float] = []
    # Without the remedy the backoff is longer than any machine is slow.
    backoff_s = (0.4, 0.8) if remedy else (20.0, 40.0)
    async with declared_bus(nats_server, "worker") as bus, started(NatsBroker(nats_server.url)) as plain:
        if remedy:

            async def take(deliveries: list[Delivery]) -> list[Outcome]:
                times.append(time.monotonic())
                raise ValueError("not yet")

            bus.consume("DOCUMENTS", DOCUMENTS, take, message_types=TYPES, attempts_max=3, backoff_s=backoff_s)
        else:
            config = ConsumerConfig(backoff=list(backoff_s), max_deliver=3)
            subscriber = plain.subscriber(
                DOCUMENTS,
                durable="worker",
                config=config,
                stream=STREAM,
                pull_sub=PullSub(timeout=0.2),
                ack_policy=AckPolicy.NACK_ON_ERROR,
            )

            async def fail(body: bytes) -> None:
                times.append(time.monotonic())
                raise ValueError("not yet")

            subscriber(fail)
            await subscriber.start()
        await _publish(bus, 1)
        await until(lambda: len(times) == 3)
        first, second = times[1] - times[0], times[2] - times[1]
        if remedy:
            assert first >= 0.35
            assert second >= 0.75
        else:
            assert first + second < backoff_s[0]


@PAIR
async def test_after_the_last_attempt_a_message_is_a_dead_letter_and_not_forgotten(
    nats_server: NatsServer, remedy: bool
) -> None:
    tries: list[int] = []
    async with declared_bus(nats_server, "worker") as bus, started(NatsBroker(nats_server.url)) as plain:
        if remedy:

            async def take(deliveries: list[Delivery]) -> list[Outcome]:
                tries.append(deliveries[0].num_delivered)
                raise ValueError("never")

            bus.consume("DOCUMENTS", DOCUMENTS, take, message_types=TYPES, attempts_max=2, backoff_s=(0.05,))
        else:
            subscriber = plain.subscriber(
                DOCUMENTS,
                durable="worker",
                config=ConsumerConfig(max_deliver=2),
                stream=STREAM,
                pull_sub=PullSub(timeout=0.2),
                ack_policy=AckPolicy.NACK_ON_ERROR,
            )

            async def fail(body: bytes) -> None:
                tries.append(1)
                raise ValueError("never")

            subscriber(fail)
            await subscriber.start()
        await _publish(bus, 1)
        await until(lambda: len(tries) == 2)
        if remedy:
            await until_stored(bus, "DEAD", 1)
            await until_stored(bus, "DOCUMENTS", 0)
        else:
            assert await stays_false(lambda: len(tries) > 2, 1.0)
            # It lies in the work queue for ever: nobody gets it, nobody hears of it.
            assert (await bus.broker.js.stream_info("DOCUMENTS")).state.messages == 1


@PAIR
async def test_messages_are_handled_in_order_one_batch_after_the_other(nats_server: NatsServer, remedy: bool) -> None:
    done: list[str] = []
    running, running_max = 0, 0
    gate = asyncio.Event()

    async def work(document_id: str) -> None:
        nonlocal running, running_max
        running += 1
        running_max = max(running_max, running)
        # The first of all takes the longest.
        if document_id == "d0":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(gate.wait(), 0.5 if remedy else 20)
        running -= 1
        done.append(document_id)
        if len(done) == 9:
            gate.set()

    async with declared_bus(nats_server, "worker") as bus, started(NatsBroker(nats_server.url)) as plain:
        await _publish(bus, *range(10))
        if remedy:

            async def take(deliveries: list[Delivery]) -> list[Outcome]:
                for delivery in deliveries:
                    await work(delivery.message.document_id)  # type: ignore[attr-defined]
                return [Ack() for _ in deliveries]

            bus.consume("DOCUMENTS", DOCUMENTS, take, message_types=TYPES, batch_max=10)
        else:
            subscriber = plain.subscriber(
                DOCUMENTS, durable="worker", stream=STREAM, pull_sub=PullSub(batch_size=10, timeout=0.5)
            )

            async def one(body: bytes) -> None:
                await work(msgspec.msgpack.decode(body)["document_id"])

            subscriber(one)
            await subscriber.start()
        await until(lambda: len(done) == 10)
        in_order = done == [f"d{number}" for number in range(10)]
        assert in_order is remedy
        assert (running_max == 1) is remedy


@PAIR
async def test_a_handled_exception_is_not_an_acknowledgement(nats_server: NatsServer, remedy: bool) -> None:
    tries: list[int] = []
    # What makes error replies for requests swallows the error of a JetStream handler, which then counts as done.
    middleware = ExceptionMiddleware(publish_handlers={ValueError: lambda error: "error"})
    broker = NatsBroker(nats_server.url, middlewares=[middleware])
    async with declared_bus(nats_server, "worker") as bus, started(broker) as plain:
        if remedy:

            async def take(deliveries: list[Delivery]) -> list[Outcome]:
                tries.append(1)
                raise ValueError("bad")

            bus.consume("DOCUMENTS", DOCUMENTS, take, message_types=TYPES, backoff_s=(0.05,), attempts_max=9)
        else:
            subscriber = plain.subscriber(
                DOCUMENTS,
                durable="worker",
                stream=STREAM,
                pull_sub=PullSub(timeout=0.2),
                ack_policy=AckPolicy.NACK_ON_ERROR,
            )

            async def fail(body: bytes) -> None:
                tries.append(1)
                raise ValueError("bad")

            subscriber(fail)
            await subscriber.start()
        await _publish(bus, 1)
        if remedy:
            await until(lambda: len(tries) >= 3)
        else:
            await until_stored(bus, "DOCUMENTS", 0)
            assert len(tries) == 1


@PAIR
async def test_a_reader_of_a_log_resumes_soon_after_kill_9_with_nothing_missing(
    nats_server: NatsServer, remedy: bool
) -> None:
    seen: list[Any] = []
    async with declared_bus(nats_server) as bus:
        plain = NatsBroker(nats_server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)  # type: ignore[arg-type]
        if remedy:

            async def where() -> Position:
                return Position(seq=len(seen))

            async def take(deliveries: list[Delivery]) -> None:
                seen.extend(delivery.message.revision for delivery in deliveries)  # type: ignore[attr-defined]

            following = bus.follow(
                "STATUS", ["site.site1.status.>"], where, take, message_types=subjects.STATUS.carries
            )
            await asyncio.wait_for(following.caught_up.wait(), 10)
        else:
            await plain.connect()
            bucket = await plain.key_value("watched")
            watching = plain.subscriber("key", kv_watch="watched")

            async def see(value: Any) -> None:
                seen.append(value)

            watching(see)
            await plain.start()
            await bucket.put("key", b"0")
            await until(lambda: len(seen) == 1)
            seen.clear()
        await nats_server.restart()
        for number in range(1, 6):
            if remedy:
                message = status(number, revision=number)
                subject = subjects.STATUS.at("site1", "kb", "aa")
                await bus.publish(subject, message, msg_id=f"s{number}", timeout_s=15)
            else:
                await until(lambda: bool(plain.connection.is_connected))
                await bucket.put("key", str(number).encode())
        if remedy:
            await until(lambda: seen == [1, 2, 3, 4, 5])
        else:
            assert await stays_false(lambda: len(seen) == 5, 5.0)
            await plain.stop()
