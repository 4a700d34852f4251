"""A whole replica: what it answers is kept, followed, judged and told of; across replicas, restarts and a real link."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from causeway.bus import Bus, StreamMissing
from causeway.client import AnswerInvalidated, Client
from causeway.edge_inference.service import Service
from causeway.proto import streams, subjects
from causeway.proto.answers import Answer, Ask, Route
from causeway.proto.feedback import AnswerGiven, Change, Verdict
from causeway.proto.usage import UsageRecorded
from tests.support.knowledge_builders import KB, chunk_id
from tests.support.knowledge_log import document_entries, manifest_entry, publish
from tests.support.linked_servers import LinkedServers, linked
from tests.support.nats_server import NatsServer, nats_server
from tests.support.places_apart import replica_at
from tests.support.replica_site import BOUND_S, QUESTION, SITE, TEXTS, ask, bus, replica, searchable
from tests.support.sync_delta_places import running
from tests.support.waiting import until, until_async

__all__ = ["bus", "nats_server"]
HEALED_S_MAX = 60.0
CHANGED = ["Every employee has thirty days of annual leave.", TEXTS[1]]


async def kept(bus: Bus, stream: str, many: int) -> list[object]:
    """Wait until a stream holds so many messages, and return them."""

    async def there() -> bool:
        return await bus.count(stream) >= many

    await until_async(there)
    return [delivery.message async for delivery in bus.scan(stream, [])]


async def first(told: AsyncGenerator[AnswerInvalidated, None], bound_s: float = BOUND_S) -> AnswerInvalidated:
    """The next that is told."""
    async with asyncio.timeout(bound_s):
        return await anext(told)


async def test_an_answer_is_kept_with_what_it_cites_and_its_asker_hears_when_that_changes(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with (
        replica(nats_server, tmp_path / "vault"),
        Client.at(nats_server.url, site=SITE) as client,
    ):
        await publish(bus, *document_entries(SITE, "leave.pdf", TEXTS, 1))
        await searchable(bus, "leave.pdf", 1)
        answer = await client.ask(KB, QUESTION, asker="ann")
        (given,) = await kept(bus, streams.ANSWERS.name, 1)
        assert isinstance(given, AnswerGiven)
        assert given.answer_id == answer.answer_id != ""
        assert (given.asker, given.question, given.text, given.epoch) == ("ann", QUESTION, answer.text, answer.epoch)
        assert {chunk.chunk_id for chunk in given.cited} == {one.chunk_id for one in answer.citations}
        assert all((chunk.origin, chunk.document_id) == ("", "leave.pdf") for chunk in given.cited)
        (usage,) = await kept(bus, streams.USAGE.name, 1)
        assert isinstance(usage, UsageRecorded)
        assert (usage.answer_id, usage.route, usage.cost_usd) == (answer.answer_id, answer.route, 0.0)
        async with aclosing(client.follow_invalidations({answer.answer_id}, kb=KB)) as told:
            await publish(bus, *document_entries(SITE, "leave.pdf", CHANGED, 2))
            heard = await first(told)
        assert (heard.change, heard.document_id, heard.revision, heard.asker) == (
            Change.REVISED,
            "leave.pdf",
            2,
            "ann",
        )


async def test_of_two_replicas_that_are_restarted_an_asker_hears_once(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    await publish(bus, *document_entries(SITE, "leave.pdf", TEXTS, 1))
    async with replica(nats_server, tmp_path / "one"), replica(nats_server, tmp_path / "two"):
        ids = {(await ask(bus)).answer_id for _ in range(6)}
        assert len(ids) == 6
        await kept(bus, streams.ANSWERS.name, 6)
        await publish(bus, manifest_entry(SITE, "leave.pdf", [], 2, deleted=True))
        await kept(bus, streams.INVALIDATIONS.name, 6)
    async with replica(nats_server, tmp_path / "one") as again, replica(nats_server, tmp_path / "three") as three:
        await publish(bus, *document_entries(SITE, "other.pdf", ["The gate opens at seven."], 1))
        last, judge = await bus.last_seq(streams.KNOWLEDGE.name), [again.around.invalidating, three.around.invalidating]
        await until(lambda: all(each.follower.position.seq >= last for each in judge))
        told = await kept(bus, streams.INVALIDATIONS.name, 6)
    assert {each.answer_id for each in told if isinstance(each, AnswerInvalidated)} == ids
    assert len(told) == 6


async def test_feedback_of_the_asker_is_counted_by_the_replica(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with (
        replica(nats_server, tmp_path / "vault") as service,
        Client.at(nats_server.url, site=SITE) as client,
    ):
        await publish(bus, *document_entries(SITE, "leave.pdf", TEXTS, 1))
        await searchable(bus, "leave.pdf", 1)
        answer = await client.ask(KB, QUESTION)
        await client.feedback(KB, answer.answer_id, Verdict.WRONG)
        labels = {"kb": KB, "language": "en", "route": answer.route.value, "verdict": "wrong"}
        name = "causeway_edge_inference_feedback_total"
        await until(lambda: service.registry.get_sample_value(name, labels) == 1)


async def test_the_words_of_a_restricted_question_and_answer_are_in_no_log(
    bus: Bus, nats_server: NatsServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "Zanzibar"
    async with replica(nats_server, tmp_path / "vault"):
        await publish(bus, *document_entries(SITE, "leave.pdf", [f"The patient of room seven is {secret}."], 1))
        await searchable(bus, "leave.pdf", 1)
        answer = await ask(bus, f"Who is {secret} of room seven?")
        await kept(bus, streams.ANSWERS.name, 1)
        await publish(bus, manifest_entry(SITE, "leave.pdf", [], 2, deleted=True))
        await kept(bus, streams.INVALIDATIONS.name, 1)
    assert answer.citations[0].chunk_id == chunk_id(f"The patient of room seven is {secret}.")
    assert caplog.records
    assert [record for record in caplog.records if secret in str(vars(record)) and "causeway" in record.name] == []


@asynccontextmanager
async def asker(fleet: LinkedServers, place: str) -> AsyncIterator[Client]:
    """A frontend at a place of the fleet."""
    async with Client(fleet.settings(place, service="client")) as client:
        yield client


async def ask_at(service: Service, client: Client, question: str) -> Answer:
    """One answer of the replica at a place, once it has all that its log holds."""
    await until(lambda: service.follower.lag == 0)
    return await client.bus.request(
        subjects.ASK.at(client.site, "k"), Ask(kb="k", question=question, passages_max=5), Answer, BOUND_S
    )


async def test_an_answer_given_while_the_link_is_cut_is_told_of_when_the_delta_arrives(tmp_path: Path) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",), keep=True, compression="off") as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path) as site,
        replica_at(fleet, "a", tmp_path / "vault") as service,
        asker(fleet, "a") as client,
    ):
        await hub.write("leave.md", TEXTS)
        await site.until_revision("hub", "leave.md", 1)

        async def known() -> bool:
            return service.replica.vault.counts() == (2, 1)

        await until_async(known)
        fleet.cut("a")
        await fleet.until_unlinked("a")
        answer = await ask_at(service, client, QUESTION)
        assert {one.document_id for one in answer.citations} == {"leave.md"}
        await hub.write("leave.md", ["Every employee has thirty days of annual leave."])
        async with aclosing(client.follow_invalidations({answer.answer_id})) as told:
            fleet.heal("a")
            heard = await first(told, HEALED_S_MAX)
        async with fleet.bus("a", "link") as link:
            with pytest.raises(StreamMissing):
                await link.last_seq(streams.ANSWERS.name)
        crossed = bytes(fleet.links["a"].captured_up)
        assert b"site.a.sync.report" in crossed, "the capture shows what does cross"
        for private in (QUESTION, answer.answer_id):
            assert private.encode() not in crossed
    assert (heard.origin, heard.document_id, heard.revision, heard.change) == ("hub", "leave.md", 2, Change.REVISED)
    assert answer.route is not Route.CLOUD
