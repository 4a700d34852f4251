"""A site asks the hub's model over the link: as itself alone, answered in many messages, seen by no other site."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from causeway.bus import Bus
from tests.support.linked_servers import linked
from tests.support.waiting import until

PARTS = 20
WAIT_S = 5.0


@asynccontextmanager
async def answering(hub: Bus, group: str = "cloud-inference") -> AsyncIterator[list[str]]:
    """The hub's side: each ask of each site is answered in parts that say whose ask it was. Yields their subjects."""
    asked: list[str] = []

    async def answer(message: Msg) -> None:
        asked.append(message.subject)
        for part in range(PARTS):
            await hub.client.publish(message.reply, f"{message.subject} {part}".encode())

    subscription = await hub.client.subscribe("site.*.cloud.>", queue=group, cb=answer)
    await hub.client.flush()
    try:
        yield asked
    finally:
        await subscription.unsubscribe()


async def parts_of(client: Client, subject: str) -> list[str]:
    """What comes back to an ask, up to the last part."""
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    await client.publish(subject, b"question", reply=inbox)
    parts = [await subscription.next_msg(timeout=WAIT_S) for _ in range(PARTS)]
    await subscription.unsubscribe()
    return [part.data.decode() for part in parts]


@pytest.mark.parametrize(
    "subject", ["site.a.cloud.ask", "site.a.cloud.status", "site.a.cloud.cancel", "site.a.cloud.standing"]
)
async def test_a_reply_of_the_hub_comes_in_many_messages_and_in_order(tmp_path: Path, subject: str) -> None:
    async with (
        linked(tmp_path, sites=("a",)) as fleet,
        fleet.bus("a", "link") as a,
        fleet.bus("hub") as hub,
        answering(hub),
    ):
        assert await parts_of(a.client, subject) == [f"{subject} {part}" for part in range(PARTS)]


async def test_each_site_gets_its_own_answer_and_one_replica_takes_each_ask(tmp_path: Path) -> None:
    async with (
        linked(tmp_path) as fleet,
        fleet.bus("a", "link") as a,
        fleet.bus("b", "link") as b,
        fleet.bus("hub") as hub,
        fleet.bus("hub") as other_replica,
        answering(hub) as first,
        answering(other_replica) as second,
    ):
        asks = [parts_of(bus.client, f"site.{site}.cloud.ask") for _ in range(10) for site, bus in (("a", a), ("b", b))]
        for number, parts in enumerate(await asyncio.gather(*asks)):
            site = "ab"[number % 2]
            assert parts == [f"site.{site}.cloud.ask {part}" for part in range(PARTS)]
        assert len(first) + len(second) == 20


async def test_no_site_asks_in_the_name_of_another_or_of_the_hub(tmp_path: Path) -> None:
    async with (
        linked(tmp_path) as fleet,
        fleet.bus("a", "link") as a,
        fleet.bus("hub") as hub,
        answering(hub) as asked,
    ):
        for foreign in ("site.b.cloud.ask", "site.hub.cloud.ask", "site.b.cloud.status", "site.b.cloud.cancel"):
            await a.client.publish(foreign, b"from a")
            with pytest.raises((nats.errors.NoRespondersError, nats.errors.TimeoutError)):
                await a.client.request(foreign, b"from a", timeout=1)
        # The last of one connection is the last to arrive.
        await a.client.publish("site.a.cloud.cancel", b"mine", reply=a.client.new_inbox())
        await until(lambda: "site.a.cloud.cancel" in asked)
        assert asked == ["site.a.cloud.cancel"]


async def test_no_site_sees_or_answers_the_asks_of_another(tmp_path: Path) -> None:
    heard: list[bytes] = []
    async with (
        linked(tmp_path) as fleet,
        fleet.bus("a", "link") as a,
        fleet.bus("b", "link") as b,
        fleet.bus("hub") as hub,
    ):

        async def take(message: Msg) -> None:
            heard.append(message.data)
            if message.subject.startswith("site.") and message.reply:
                await message.respond(b"by b")

        await b.client.subscribe(">", cb=take)
        await b.client.flush()
        with pytest.raises(nats.errors.TimeoutError):
            await a.client.request("site.a.cloud.ask", b"question", timeout=1)
        async with answering(hub):
            assert len(await parts_of(a.client, "site.a.cloud.ask")) == PARTS
            assert len(await parts_of(b.client, "site.b.cloud.ask")) == PARTS
        assert [data for data in heard if b"site.a.cloud" in data] == []
        assert [data for data in heard if b"site.b.cloud" in data], "its own was overheard"


async def test_a_hub_without_the_service_is_silent_so_that_only_the_deadline_tells(tmp_path: Path) -> None:
    """The import of the subject counts as a responder: nobody says over a link that there is none."""
    async with linked(tmp_path, sites=("a",)) as fleet, fleet.bus("a", "link") as a:
        with pytest.raises(nats.errors.TimeoutError):
            await a.client.request("site.a.cloud.ask", b"question", timeout=1)


async def test_an_ask_is_only_possible_from_the_account_of_the_link(tmp_path: Path) -> None:
    async with (
        linked(tmp_path, sites=("a",)) as fleet,
        fleet.bus("a") as app,
        fleet.bus("hub") as hub,
        answering(hub) as asked,
    ):
        with pytest.raises(nats.errors.NoRespondersError):
            await app.client.request("site.a.cloud.ask", b"a restricted question", timeout=WAIT_S)
        assert asked == []
