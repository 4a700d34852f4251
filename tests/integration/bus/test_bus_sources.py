"""Sources bring another stream's messages; they are set, read and kicked while everything runs."""

import pytest

from causeway.bus import Bus, DeclareRefused
from causeway.bus.sources import kick, read_sources, set_sources
from causeway.bus.streams import declare
from causeway.proto import streams
from causeway.proto.streams import Source
from tests.support.buses import settings
from tests.support.nats_server import NatsServer
from tests.support.waiting import until_async

OUTBOX = streams.outbox("plant")
PLACE = (streams.CANARY, streams.INBOX, OUTBOX)
FILTERS = ("site.plant.outbox.a.>", "site.plant.outbox.b.>")


def source(subjects: str, owner: str = "") -> Source:
    return Source(stream=OUTBOX.name, subjects=subjects, api_prefix="", deliver_subject="", owner=owner)


async def messages(bus: Bus) -> int:
    return int((await bus.broker.js.stream_info("INBOX")).state.messages)


async def test_a_source_that_is_set_brings_what_is_there_and_a_kick_brings_nothing_twice(
    nats_server: NatsServer,
) -> None:
    async with Bus(settings(nats_server)) as bus:
        await declare(bus, PLACE, fresh=True, buckets=())
        for number in range(20):
            await bus.broker.client.publish(f"site.plant.outbox.a.chunk.{number}", b"a")
            await bus.broker.client.publish(f"site.plant.outbox.c.chunk.{number}", b"c")
        wanted = [source(one) for one in FILTERS]
        assert await set_sources(bus, "INBOX", wanted)
        assert not await set_sources(bus, "INBOX", list(reversed(wanted)))
        await until_async(lambda: _holds(bus, 20))
        assert await kick(bus, "INBOX") == 2
        await bus.broker.client.publish("site.plant.outbox.b.chunk.1", b"b")
        await until_async(lambda: _holds(bus, 21))
        assert [(state.subjects, state.lag) for state in await read_sources(bus, "INBOX")] == [
            (FILTERS[0], 0),
            (FILTERS[1], 0),
        ]


async def _holds(bus: Bus, count: int) -> bool:
    return await messages(bus) == count


async def test_what_a_source_brings_is_in_the_name_of_its_owner_whatever_its_subject_said(
    nats_server: NatsServer,
) -> None:
    async with Bus(settings(nats_server)) as bus:
        await declare(bus, PLACE, fresh=True, buckets=())
        await bus.broker.client.publish("site.plant.outbox.a.chunk.7", b"of another, it says")
        await set_sources(bus, "INBOX", [source("site.*.outbox.*.*.*", owner="other")])
        await until_async(lambda: _holds(bus, 1))
        found = await bus.broker.js.get_last_msg("INBOX", "site.other.outbox.a.chunk.7")
        assert found.data == b"of another, it says"
        assert not await set_sources(bus, "INBOX", [source("site.*.outbox.*.*.*", owner="other")])


async def test_sources_that_a_killed_kick_took_away_are_put_back_by_the_next_one(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Bus(settings(nats_server)) as bus:
        await declare(bus, PLACE, fresh=True, buckets=())
        await set_sources(bus, "INBOX", [source("site.*.outbox.*.*.*", owner="other"), source(FILTERS[0])])
        before = await read_sources(bus, "INBOX")
        update, calls = bus.broker.js.update_stream, 0

        async def killed(*given: object, **more: object) -> object:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise KeyboardInterrupt
            return await update(*given, **more)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr(bus.broker.js, "update_stream", killed)
            with pytest.raises(KeyboardInterrupt):
                await kick(bus, "INBOX")
        assert await read_sources(bus, "INBOX") == ()
        assert await kick(bus, "INBOX") == 2
        assert [state.subjects for state in await read_sources(bus, "INBOX")] == [state.subjects for state in before]
        assert "causeway" not in str((await bus.broker.js.stream_info("INBOX")).config.metadata)


async def test_declaring_again_leaves_the_sources_of_a_stream_as_they_are(nats_server: NatsServer) -> None:
    async with Bus(settings(nats_server)) as bus:
        await declare(bus, PLACE, fresh=True, buckets=())
        await set_sources(bus, "INBOX", [source(FILTERS[0])])
        assert (await declare(bus, PLACE, fresh=False, buckets=())).unchanged
        assert [state.subjects for state in await read_sources(bus, "INBOX")] == [FILTERS[0]]


async def test_a_stream_that_is_not_there_is_named(nats_server: NatsServer) -> None:
    async with Bus(settings(nats_server)) as bus:
        with pytest.raises(DeclareRefused, match="INBOX"):
            await set_sources(bus, "INBOX", [])
