"""The ingestor's handler between real streams: what it publishes, once, whatever is repeated or comes late."""

import asyncio
import os
import signal
from pathlib import Path

import msgspec

from causeway.bus import Ack
from causeway.proto import subjects
from causeway.proto.documents import Document, DocumentDeleted, Residency, State
from tests.support.ingestor_site import KB, SITE, declared_site, running_ingestor
from tests.support.nats_server import NatsServer

TEXT = b"# Leave\n\nEach employee has 25 days of leave.\n\n# Travel\n\nTrains are booked by the office.\n"


async def test_a_document_becomes_chunks_then_a_draft_that_names_them(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_site(nats_server.url) as site, running_ingestor(nats_server.url, tmp_path):
        revision = await site.publish("rules", TEXT, "rules.md", residency=Residency.PUBLIC, metadata={"owner": "hr"})
        status = await site.until("rules", State.PARSED, revision)
        await site.until_empty("DOCUMENTS")
        chunks, drafts = await site.chunks(), await site.drafts()
    assert [chunk.context for chunk in chunks] == ["rules", "rules"]
    assert [chunk.text.splitlines()[0] for chunk in chunks] == ["Leave", "Travel"]
    manifest = drafts[0].manifest
    assert [place.chunk_id for place in manifest.places] == [chunk.chunk_id for chunk in chunks]
    assert (manifest.revision, manifest.residency, manifest.metadata) == (revision, Residency.PUBLIC, {"owner": "hr"})
    assert (status.chunks_total, status.chunks_new) == (2, 2)


async def test_an_edit_sends_only_the_chunk_that_changed(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_site(nats_server.url) as site, running_ingestor(nats_server.url, tmp_path):
        first = await site.publish("rules", TEXT, "rules.md")
        await site.until("rules", State.PARSED, first)
        await site.until_empty("DOCUMENTS")
        await site.embed("rules")
        second = await site.publish("rules", TEXT.replace(b"25 days", b"30 days"), "rules.md")
        status = await site.until("rules", State.PARSED, second)
        await site.until_empty("DOCUMENTS")
        drafts = await site.drafts()
    assert (status.chunks_total, status.chunks_new) == (2, 1)
    assert [draft.manifest.revision for draft in drafts] == [first, second]


async def test_a_chunk_that_was_lost_on_its_way_is_sent_again(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_site(nats_server.url) as site, running_ingestor(nats_server.url, tmp_path):
        first = await site.publish("rules", TEXT, "rules.md")
        await site.until("rules", State.PARSED, first)
        await site.until_empty("DOCUMENTS")
        second = await site.publish("rules", TEXT, "rules.md")
        status = await site.until("rules", State.PARSED, second)
    assert status.chunks_new == 2, "the first draft was never published as knowledge, so nothing vouches for its chunks"


async def test_a_deletion_travels_as_a_tombstone_draft(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_site(nats_server.url) as site, running_ingestor(nats_server.url, tmp_path):
        first = await site.publish("rules", TEXT, "rules.md")
        await site.until("rules", State.PARSED, first)
        ack = await site.bus.publish(
            subjects.DOCUMENT.at(SITE, KB), DocumentDeleted(kb=KB, document_id="rules"), msg_id="delete"
        )
        await site.until_empty("DOCUMENTS")
        draft = await site.last_draft("rules")
        drafts = await site.drafts()
    assert draft is not None
    assert (draft.manifest.deleted, draft.manifest.revision, draft.manifest.places) == (True, ack.seq, [])
    assert drafts[-1] == draft


async def test_a_document_that_can_not_be_read_fails_with_a_reason_and_is_a_dead_letter(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async with declared_site(nats_server.url) as site, running_ingestor(nats_server.url, tmp_path):
        bad = await site.publish("broken", b"%PDF-1.7 and nothing more", "broken.pdf")
        good = await site.publish("rules", TEXT, "rules.md")
        status = await site.until("broken", State.FAILED, bad)
        await site.until("rules", State.PARSED, good)
        await site.until_empty("DOCUMENTS")
        dead = [entry.letter async for entry in site.bus.dead_letters.entries()]
    assert status.code == "corrupt"
    assert status.reason.startswith("broken.pdf is a broken PDF")
    assert [letter.origin_seq for letter in dead] == [bad]
    assert "export or copy it again" in dead[0].reason


async def test_an_older_revision_never_overtakes_a_newer_one(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_site(nats_server.url) as site:
        older = await site.publish("rules", TEXT, "rules.md")
        newer = await site.publish("rules", TEXT.replace(b"25", b"30"), "rules.md")
        async with running_ingestor(nats_server.url, tmp_path, lanes=1) as (handler, _):
            await site.until_empty("DOCUMENTS")
            late = Document(kb=KB, document_id="rules", filename="rules.md", body=TEXT)
            outcome = await handler._document(late, older)
            assert outcome == Ack()
            draft = await site.last_draft("rules")
    assert draft is not None
    assert draft.manifest.revision == newer


async def test_two_revisions_handled_at_once_end_with_the_newer_draft(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_site(nats_server.url) as site:
        for number in range(12):
            last = await site.publish("rules", TEXT.replace(b"25", str(number).encode()), "rules.md")
        async with (
            running_ingestor(nats_server.url, tmp_path, lanes=3),
            running_ingestor(nats_server.url, tmp_path, lanes=3),
        ):
            await site.until_empty("DOCUMENTS")
        draft = await site.last_draft("rules")
        handed = [drafted.manifest.revision for drafted in await site.drafts()]
        chunk_ids = {chunk.chunk_id for chunk in await site.chunks()}
    assert draft is not None
    assert draft.manifest.revision == last == max(handed)
    assert {place.chunk_id for place in draft.manifest.places} <= chunk_ids


async def test_a_repeated_delivery_only_hands_the_draft_over_again(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_site(nats_server.url) as site, running_ingestor(nats_server.url, tmp_path) as (handler, pool):
        revision = await site.publish("rules", TEXT, "rules.md")
        await site.until("rules", State.PARSED, revision)
        await site.until_empty("DOCUMENTS")
        before = await site.messages("CHUNKS")
        await pool.stop()
        await handler._document(Document(kb=KB, document_id="rules", filename="rules.md", body=TEXT), revision)
        assert (await site.messages("CHUNKS"), pool.pids) == (before, [])


async def test_a_large_body_comes_through_the_object_store_and_is_removed(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    body = "\n\n".join(
        f"Paragraph {number} says that the pump has {number} valves." for number in range(30_000)
    ).encode()
    assert len(body) > 1024 * 1024
    async with declared_site(nats_server.url) as site, running_ingestor(nats_server.url, tmp_path):
        ref = await site.bus.put_object("BODIES", "rules/1", body)
        revision = await site.publish("rules", None, "rules.txt", object=ref)
        status = await site.until("rules", State.PARSED, revision)
        await site.until_empty("DOCUMENTS")
        gone = await site.publish("again", None, "rules.txt", object=ref)
        failed = await site.until("again", State.FAILED, gone)
    assert status.chunks_total > 1000
    assert failed.code == "body_missing"
    left = await asyncio.to_thread(os.listdir, tmp_path)
    assert left == ["nats"], "no body stays on the disk"


async def test_a_body_that_differs_from_its_digest_fails(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_site(nats_server.url) as site, running_ingestor(nats_server.url, tmp_path):
        ref = await site.bus.put_object("BODIES", "rules/1", b"x" * 1000)
        lie = msgspec.structs.replace(ref, sha256="0" * 64)
        revision = await site.publish("rules", None, "rules.txt", object=lie)
        status = await site.until("rules", State.FAILED, revision)
    assert status.code == "body_differs"


async def test_a_message_whose_kb_is_not_its_subjects_is_refused(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_site(nats_server.url) as site, running_ingestor(nats_server.url, tmp_path):
        await site.bus.publish(
            subjects.DOCUMENT.at(SITE, "other"), Document(kb=KB, document_id="rules", body=TEXT), msg_id="lie"
        )
        await site.until_empty("DOCUMENTS")
        dead = [entry.letter async for entry in site.bus.dead_letters.entries()]
    assert "make them agree" in dead[0].reason


async def test_a_killed_worker_costs_nothing_but_time(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_site(nats_server.url) as site, running_ingestor(nats_server.url, tmp_path) as (_, pool):
        warm = await site.publish("warm", TEXT, "warm.md")
        await site.until("warm", State.PARSED, warm)
        (pid,) = pool.pids
        os.kill(pid, signal.SIGKILL)
        revisions = [await site.publish(f"doc-{number}", TEXT, "a.md") for number in range(5)]
        await asyncio.gather(
            *(site.until(f"doc-{number}", State.PARSED, revision) for number, revision in enumerate(revisions))
        )
        assert pool.pids != [pid]
