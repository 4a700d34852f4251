"""Who can reach what over the link: tried from inside of a site's LINK account, which is what a taken-over site has."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from causeway.bus import Bus, add_source
from causeway.proto import streams, subjects
from causeway.topology.hub_config import ACCOUNTS_FILE
from causeway.topology.sources import hub_feeds, site_sources
from tests.support.linked_servers import PASSWORD, LinkedServers, linked
from tests.support.shared_chunks import held, share, shared_chunk, subjects_of, until_holds
from tests.support.waiting import until

KBS = {"a": ("k",), "b": ("k", "m")}
ROUNDS_MAX = 10
OURS = ("$JS.", "_INBOX.", "_R_.", "$SYS.", "$JSC.")


@asynccontextmanager
async def overheard(bus: Bus) -> AsyncIterator[list[str]]:
    """The subjects of everything that the account of this bus gets to see."""
    heard: list[str] = []

    async def note(message: Msg) -> None:
        heard.append(message.subject)

    subscription = await bus.client.subscribe(">", cb=note)
    await bus.client.flush()
    try:
        yield heard
    finally:
        await subscription.unsubscribe()


async def answered(client: Client, wanted: Iterable[str], own: str) -> list[str]:
    """Those of the subjects that somebody answers in the time in which `own` is answered. Nobody may."""

    async def is_answered(subject: str) -> bool:
        try:
            await client.request(subject, b"{}", timeout=1.5)
        except (nats.errors.NoRespondersError, nats.errors.TimeoutError):
            return False
        return True

    names = [*wanted, own]
    found: list[str] = []
    for _ in range(ROUNDS_MAX):
        answers = await asyncio.gather(*(is_answered(name) for name in names))
        found += [name for name, yes in zip(names, answers, strict=True) if yes]
        if own in found:
            break
    found.remove(own)
    return found


async def test_a_site_sees_nothing_of_another_site_nor_of_kbs_that_it_does_not_take(tmp_path: Path) -> None:
    async with (
        linked(tmp_path, kbs=KBS) as fleet,
        fleet.bus("a", "link") as a,
        fleet.bus("b", "link") as b,
        fleet.bus("hub") as hub,
        overheard(a) as heard,
    ):
        await share(b, "b", 20)
        await share(hub, "hub", 20, kb="m")
        await until_holds(hub, 20)
        await until_holds(b, 20)
        await share(hub, "hub", 5, kb="k")
        await until_holds(a, 5)
        assert await subjects_of(a) == {f"site.hub.outbox.k.chunk.{number}" for number in range(5)}
        foreign = [subject for subject in heard if ".b." in subject or ".m." in subject or "_b" in subject]
        assert foreign == []
        assert "site.hub.outbox.k.chunk.0" in heard, "its own was overheard"


async def test_what_a_site_publishes_reaches_the_hub_as_its_own_or_not_at_all(tmp_path: Path) -> None:
    async with (
        linked(tmp_path, kbs=KBS) as fleet,
        fleet.bus("a", "link") as a,
        fleet.bus("b", "link") as b,
        fleet.bus("hub") as hub,
        overheard(hub) as at_hub,
        overheard(b) as at_b,
    ):
        for subject in (
            "site.b.sync.report",
            "site.hub.sync.report",
            "site.b.outbox.k.chunk.1",
            "site.a.knowledge.k.chunk.1",
            "site.hub.knowledge.k.document.1",
            "site.hub.document.k",
            "site.a.document.k",
            "site.hub.outbox.k.chunk.1",
            "site.hub.ask.k",
            "_DLV.b.up.x",
            "_DLV.hub.b.kb.k",
            "_DLV.hub.a.kb.k",
            "$JS.FC.OUTBOX_b.x.y",
            "$JS.FC.OUTBOX_hub.b_k.y",
            "$JS.FC.OUTBOX_hub.b.y",
        ):
            await a.client.publish(subject, b"from a")
        # The last of one connection is the last to arrive.
        await a.client.publish("site.a.sync.report", b"mine")
        await until(lambda: "site.a.sync.report" in at_hub)
        assert [subject for subject in at_hub if not subject.startswith(OURS)] == ["site.a.sync.report"]
        assert [subject for subject in at_hub if subject.startswith("$JS.FC")] == []
        assert [subject for subject in at_b if not subject.startswith(OURS)] == []
        assert await held(hub, "OUTBOX_hub") == await held(hub, "KNOWLEDGE") == await held(hub, "DOCUMENTS") == 0


async def test_a_site_that_publishes_under_the_name_of_another_is_taken_for_itself(tmp_path: Path) -> None:
    async with (
        linked(tmp_path, kbs=KBS) as fleet,
        fleet.bus("a", "link") as a,
        fleet.bus("b", "link") as b,
        fleet.bus("hub") as hub,
    ):
        await share(b, "b", 1, text=b"of b")
        await until_holds(hub, 1)
        config = (await a.broker.js.stream_info("OUTBOX_a")).config
        await a.broker.js.update_stream(config.evolve(subjects=["site.*.outbox.>"]))
        await a.broker.js.publish("site.b.outbox.k.chunk.0", b"by a")
        await a.broker.js.publish("site.b.outbox.k.document.0", b"by a")
        await share(a, "a", 1, first=5)
        await until_holds(hub, 4)
        assert await subjects_of(hub) == {
            "site.b.outbox.k.chunk.0",
            "site.a.outbox.k.chunk.0",
            "site.a.outbox.k.document.0",
            "site.a.outbox.k.chunk.5",
        }
        stored = await hub.last("INBOX", "site.b.outbox.k.chunk.0")
        assert stored is not None
        assert stored.message == shared_chunk(0, text=b"of b")


async def test_a_site_can_not_use_the_hubs_jetstream_but_for_its_own_feeds(tmp_path: Path) -> None:
    apis = (
        "$JS.hub.API",
        "$JS.b.API",
        "_HUB.a.kb.k.API",
        "_HUB.a.kb.m.API",
        "_HUB.b.kb.m.API",
        "_HUB.a.API",
        "_HUB.API",
    )
    requests = (
        "INFO",
        "STREAM.NAMES",
        "STREAM.INFO.KNOWLEDGE",
        "STREAM.DELETE.INBOX",
        "STREAM.MSG.GET.INBOX",
        "DIRECT.GET.KNOWLEDGE",
        "CONSUMER.CREATE.OUTBOX_hub.x.site.hub.outbox.k.>",
        "CONSUMER.CREATE.OUTBOX_hub.x.site.hub.outbox.m.>",
        "CONSUMER.CREATE.INBOX",
        "CONSUMER.CREATE.OUTBOX_b.x",
        "CONSUMER.DURABLE.CREATE.OUTBOX_hub.x",
        "CONSUMER.DELETE.OUTBOX_hub.b_m",
        "CONSUMER.RESET.OUTBOX_hub.b_m",
        "CONSUMER.RESET.OUTBOX_hub.b",
    )
    async with linked(tmp_path, kbs=KBS) as fleet, fleet.bus("a", "link") as a:
        foreign = [f"{api}.{request}" for api in apis for request in requests]
        assert await answered(a.client, foreign, own="_HUB.a.kb.k.API.CONSUMER.RESET.OUTBOX_hub.a_k") == []


async def test_a_site_can_not_source_a_kb_that_it_does_not_take(tmp_path: Path) -> None:
    async with linked(tmp_path, kbs=KBS) as fleet, fleet.bus("a", "link") as a, fleet.bus("hub") as hub:
        for source in (*site_sources("a", ["m"]), *site_sources("b", ["k", "m"])):
            await add_source(a, "INBOX", source)
        await share(hub, "hub", 20, kb="m")
        await share(hub, "hub", 20, kb="k")
        await until_holds(a, 20)
        assert all(".outbox.k." in subject for subject in await subjects_of(a))


async def test_the_hub_reaches_nothing_of_a_site_but_what_the_site_shares(tmp_path: Path) -> None:
    streams_of_app = [stream.name for stream in streams.ALL_SITE]
    wanted = [f"$JS.a.API.STREAM.INFO.{name}" for name in (*streams_of_app, "OUTBOX_a", "INBOX")]
    wanted += [f"$JS.a.API.CONSUMER.CREATE.{name}.x.>" for name in streams_of_app]
    wanted += [
        f"$JS.a.API.{request}" for request in ("STREAM.NAMES", "STREAM.DELETE.OUTBOX_a", "STREAM.PURGE.OUTBOX_a")
    ]
    wanted += ["site.a.ask.k", "site.a.search.k", "site.a.link.status"]
    async with linked(tmp_path, sites=("a",)) as fleet, fleet.bus("a") as app, fleet.bus("hub") as hub:
        await answer_everything(app, "site.a.>")
        assert await answered(hub.client, wanted, own="$JS.API.INFO") == []
        assert await answered(app.client, [], own="site.a.ask.k") == [], "at the site somebody answers"


async def answer_everything(bus: Bus, subject: str) -> None:
    async def answer(message: Msg) -> None:
        if message.reply:
            await message.respond(b"here")

    await bus.client.subscribe(subject, cb=answer)
    await bus.client.flush()


async def test_even_a_hub_with_other_permissions_finds_only_the_link_of_a_site(tmp_path: Path) -> None:
    async with linked(tmp_path, sites=("a",)) as fleet, fleet.bus("a") as app:
        await answer_everything(app, "site.a.>")
        client = await inside_of_the_sites_account(fleet)
        try:
            reply = await client.request("$JS.a.API.STREAM.NAMES", b"{}", timeout=5)
            assert all(name in reply.data for name in (b"OUTBOX_a", b"INBOX"))
            assert not any(name.encode() in reply.data for name in ("KNOWLEDGE", "DOCUMENTS", "CHUNKS", "STATUS"))
            foreign = ["site.a.ask.k", "$JS.a.API.STREAM.INFO.KNOWLEDGE.", "$SRV.PING"]
            assert await answered(client, foreign, own="$JS.a.API.STREAM.NAMES") == []
        finally:
            await client.close()


async def inside_of_the_sites_account(fleet: LinkedServers) -> Client:
    """A client in the hub's account of site a, which no rendered configuration lets anyone have."""
    path = fleet.places["hub"].folder / ACCOUNTS_FILE
    text = path.read_text()
    user = f"users: [ {{ user: spy, password: {PASSWORD} }}, {{ nkey:"
    path.write_text(text.replace("users: [ { nkey:", user, 1))
    await asyncio.to_thread(fleet.places["hub"].reload)
    await fleet.until_linked("a")
    return await nats.connect(fleet.url("hub"), user="spy", password=PASSWORD)


async def test_a_site_knows_its_feeds_and_nothing_else_of_the_hub(tmp_path: Path) -> None:
    async with linked(tmp_path, kbs=KBS) as fleet, fleet.bus("hub") as hub:
        consumers = {info.name for info in await hub.broker.js.consumers_info("OUTBOX_hub")}
        assert consumers == {feed.consumer for site, kbs in KBS.items() for feed in hub_feeds(site, kbs)}


@pytest.mark.parametrize("account", ["app", "link"])
async def test_what_only_the_site_may_see_never_appears_on_the_link(tmp_path: Path, account: str) -> None:
    marker = b"0123456789 only here 0123456789"
    async with linked(tmp_path, sites=("a",), compression="off", keep=True) as fleet, fleet.bus("hub") as hub:
        async with fleet.bus("a", account) as bus:
            subject = subjects.OUTBOX_CHUNK.at("a", "k", "1") if account == "link" else "site.a.document.k"
            await bus.broker.js.publish(subject, marker)
        async with fleet.bus("a", "link") as link:
            await share(link, "a", 1, first=7)
        await until_holds(hub, 2 if account == "link" else 1)
        assert (marker in fleet.links["a"].captured_up) is (account == "link"), "link: the capture would have seen it"
