"""A replica follows what every place shares in its log: their documents, shadows, watermarks, and the past of all."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from causeway.bus import Bus, ProblemReply
from causeway.edge_inference.history_rule import HistoryRule
from causeway.proto import subjects
from causeway.proto.documents import DocumentStatus, Residency, State
from causeway.proto.history import History, HistoryAsked, RevisionAsked, RevisionText
from causeway.proto.knowledge import DocumentShadowed
from tests.support.knowledge_builders import KB, chunk_id, document_key
from tests.support.knowledge_log import (
    document_entries,
    foreign_entries,
    manifest_entry,
    publish,
    shadow_entry,
    watermark_entry,
)
from tests.support.nats_server import NatsServer, nats_server
from tests.support.replica_site import BOUND_S, SITE, TEXTS, ask, bus, replica, search, searchable
from tests.support.waiting import until, until_async

__all__ = ["bus", "nats_server"]
HUB_TEXT = "Every employee has thirty days of annual leave."


def shadow(revision: int, place: str = "", *, concurrent: bool = False) -> DocumentShadowed:
    """Over the document `leave.md` of a place."""
    return DocumentShadowed(
        kb=KB,
        document_id="leave.md",
        document_key=document_key("leave.md", place),
        revision=revision,
        winner="hub" if not place else SITE,
        winner_revision=9,
        concurrent=concurrent,
    )


async def found(bus: Bus) -> set[bytes]:
    """The chunks of all passages."""
    return {passage.chunk_id for passage in (await search(bus)).passages}


async def history(bus: Bus, document_id: str = "") -> History:
    """The log of the kb or a document."""
    asked = HistoryAsked(kb=KB, document_id=document_id)
    return await bus.request(subjects.HISTORY.at(SITE, KB), asked, History, BOUND_S)


async def revision(bus: Bus, number: int = 0, document_id: str = "leave.md", origin: str = "") -> list[RevisionText]:
    """All parts of a revision."""
    asked = RevisionAsked(kb=KB, document_id=document_id, revision=number, origin=origin)
    async with aclosing(bus.request_stream(subjects.REVISION.at(SITE, KB), asked, RevisionText)) as parts:
        return [part async for part in parts]


async def test_documents_of_other_places_are_searched_told_of_and_named_in_the_epoch(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with replica(nats_server, tmp_path / "vault"):
        await publish(bus, *document_entries(SITE, "canteen.md", TEXTS[1:], 1))
        await publish(bus, *foreign_entries("hub", "leave.md", [HUB_TEXT], 5), watermark_entry("hub", 40))
        await publish(bus, *foreign_entries("branch-2", "gate.md", ["The gate opens at seven."], 6))
        await publish(bus, watermark_entry("branch-2", 3))
        await searchable(bus, "gate.md", 6, place="branch-2")
        await searchable(bus, "leave.md", 5, place="hub")

        async def whole() -> bool:
            return (await search(bus)).epoch == {SITE: 8, "hub": 40, "branch-2": 3}

        await until_async(whole)
        best = (await search(bus)).passages[0]
        assert (best.document_id, best.revision, best.quote) == ("leave.md", 5, HUB_TEXT)
        assert (await ask(bus)).epoch == {SITE: 8, "hub": 40, "branch-2": 3}
        await publish(bus, manifest_entry("hub", "leave.md", [], 7, deleted=True, place="hub"))
        await searchable(bus, "leave.md", 7, State.DELETED, place="hub")
        assert chunk_id(HUB_TEXT, place="hub") not in await found(bus)


async def test_a_document_that_gives_way_is_not_searched_until_its_shadow_is_lifted_across_restarts(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    own, hub = chunk_id(TEXTS[0]), chunk_id(HUB_TEXT, place="hub")
    async with replica(nats_server, tmp_path / "vault"):
        await publish(bus, *document_entries(SITE, "leave.md", TEXTS[:1], 1))
        await publish(bus, *foreign_entries("hub", "leave.md", [HUB_TEXT], 5))
        await searchable(bus, "leave.md", 5, place="hub")
        assert await found(bus) == {own, hub}
        await publish(bus, shadow_entry(SITE, shadow(1, concurrent=True)))

        async def hidden() -> bool:
            return await found(bus) == {hub}

        await until_async(hidden)
    async with replica(nats_server, tmp_path / "vault"):
        assert await found(bus) == {hub}
        entries = (await history(bus)).revisions
        assert [(one.origin, one.sibling_of) for one in entries if one.sibling_of] == [(SITE, "hub")]
        await publish(bus, shadow_entry(SITE, shadow(0)), shadow_entry("hub", shadow(5, "hub")))

        async def turned() -> bool:
            return await found(bus) == {own}

        await until_async(turned)
        await publish(bus, *document_entries(SITE, "leave.md", TEXTS[:1], 2))
        await searchable(bus, "leave.md", 2)


async def test_a_revision_that_comes_hidden_says_so_in_its_status(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with replica(nats_server, tmp_path / "vault"):
        await publish(bus, shadow_entry(SITE, shadow(1)), *document_entries(SITE, "leave.md", TEXTS[:1], 1))
        await searchable(bus, "leave.md", 1)
        subject = subjects.STATUS.at(SITE, KB, document_key("leave.md").hex())
        stored = await bus.last(subjects.STATUS.stream, subject)
        assert stored is not None
        assert isinstance(stored.message, DocumentStatus)
        assert "another place takes precedence" in stored.message.reason


async def test_idle_chunks_of_another_place_are_purged_under_its_own_subject(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with replica(nats_server, tmp_path / "vault", dropped_after_s=0) as service:
        await publish(bus, *foreign_entries("hub", "leave.md", [HUB_TEXT], 5))
        await searchable(bus, "leave.md", 5, place="hub")
        await publish(bus, manifest_entry("hub", "leave.md", [], 7, deleted=True, place="hub"))
        await until(lambda: service.replica.vault.counts() == (0, 0) and service.replica.vault.state.seq == 3)
        subject = subjects.KNOWLEDGE_CHUNK.at("hub", KB, chunk_id(HUB_TEXT, place="hub").hex())
        assert await bus.exists_many(subjects.KNOWLEDGE_CHUNK.stream, [subject]) == set()


async def test_a_chunk_of_another_place_that_the_vault_lacks_is_read_from_the_log(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with replica(nats_server, tmp_path / "vault") as service:
        chunk, manifest = foreign_entries("hub", "leave.md", [HUB_TEXT], 5)
        await publish(bus, chunk)
        await until(lambda: service.replica.vault.counts() == (1, 0))
        vault = service.replica.vault
        vault.remove_idle(vault.idle_chunks(dropped_before_ms=0, pending_before_ms=1 << 60, limit=9))
        await publish(bus, manifest)
        await searchable(bus, "leave.md", 5, place="hub")
        assert await found(bus) == {chunk_id(HUB_TEXT, place="hub")}


async def test_earlier_revisions_are_told_and_given_whole_after_the_log_has_forgotten_them(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with replica(nats_server, tmp_path / "vault", dropped_after_s=0) as service:
        await publish(bus, *document_entries(SITE, "leave.md", TEXTS, 1))
        await searchable(bus, "leave.md", 1)
        await publish(bus, manifest_entry(SITE, "leave.md", TEXTS[1:], 2, residency=Residency.PUBLIC))
        await searchable(bus, "leave.md", 2)
        await publish(bus, manifest_entry(SITE, "leave.md", [], 3, deleted=True))
        await searchable(bus, "leave.md", 3, State.DELETED)
        await until(lambda: service.replica.vault.counts() == (0, 0))
        subject = subjects.KNOWLEDGE_CHUNK.at(SITE, KB, chunk_id(TEXTS[0]).hex())
        assert await bus.exists_many(subjects.KNOWLEDGE_CHUNK.stream, [subject]) == set()

        log = await history(bus, "leave.md")
        assert [(one.revision, one.seq, one.deleted) for one in log.revisions] == [
            (3, 5, True),
            (2, 4, False),
            (1, 3, False),
        ]
        assert all(one.at_unix_ms > 1_700_000_000_000 for one in log.revisions)
        assert (log.complete_from, log.next_before) == (0, 0)
        (old,) = await revision(bus, 1)
        assert [text.text for text in old.chunks] == TEXTS
        assert old.standing_residency is Residency.PUBLIC
        (gone,) = await revision(bus)
        assert gone.manifest.deleted
        with pytest.raises(ProblemReply) as unknown:
            await revision(bus, 99)
        assert unknown.value.problem.code == "unknown_revision"


async def test_the_past_of_a_large_document_comes_in_parts(bus: Bus, nats_server: NatsServer, tmp_path: Path) -> None:
    texts = [f"Paragraph {number}: " + "leave is granted. " * 2_000 for number in range(12)]
    async with replica(nats_server, tmp_path / "vault"):
        await publish(bus, *document_entries(SITE, "leave.md", texts, 1))
        await searchable(bus, "leave.md", 1)
        parts = await revision(bus)
        assert len(parts) > 2
        assert [text.text for part in parts for text in part.chunks] == texts


async def test_what_the_rule_keeps_no_longer_is_pruned_by_the_side(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with replica(nats_server, tmp_path / "vault", dropped_after_s=0):
        for number, text in enumerate([*TEXTS, HUB_TEXT], start=1):
            await publish(bus, *document_entries(SITE, "leave.md", [text], number))
            await searchable(bus, "leave.md", number)
        assert [one.revision for one in (await history(bus)).revisions] == [3, 2, 1]
    rule = HistoryRule(revisions_max=1)
    async with replica(nats_server, tmp_path / "vault", dropped_after_s=0, rule=rule):

        async def pruned() -> bool:
            return [(one.revision, one.earlier_gone) for one in (await history(bus)).revisions] == [
                (3, False),
                (2, True),
            ]

        await until_async(pruned)


async def test_asks_go_on_while_the_past_is_read(bus: Bus, nats_server: NatsServer, tmp_path: Path) -> None:
    async with replica(nats_server, tmp_path / "vault"):
        await publish(bus, *document_entries(SITE, "leave.md", TEXTS, 1))
        await searchable(bus, "leave.md", 1)
        replies = await asyncio.gather(*(history(bus) for _ in range(6)), *(search(bus) for _ in range(10)))
        assert len(replies) == 16
