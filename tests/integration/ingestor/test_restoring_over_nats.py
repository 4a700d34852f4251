"""An earlier revision comes back through the ingestor: same chunks, nothing parsed, never laxer than what stands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from causeway.bus import Bus, Caller, Endpoint, ProblemReply
from causeway.proto import subjects
from causeway.proto.answers import Problem
from causeway.proto.chunks import Manifest
from causeway.proto.documents import DocumentDeleted, DocumentRestored, Residency, State
from causeway.proto.history import ChunkText, RevisionAsked, RevisionText
from tests.support.ingestor_site import KB, SITE, IngestorSite, bus_settings, declared_site, running_ingestor
from tests.support.nats_server import NatsServer
from tests.support.waiting import until

TEXT = b"# Leave\n\nEach employee has 25 days of leave.\n\n# Travel\n\nTrains are booked by the office.\n"


class Archive:
    """Stands for the replicas: remembers what it is told, and answers as they do."""

    def __init__(self) -> None:
        self.held: dict[int, RevisionText] = {}
        self.standing = Residency.PUBLIC

    async def remember(self, site: IngestorSite, document_id: str) -> int:
        """The document as it was drafted last."""
        draft = await site.last_draft(document_id)
        assert draft is not None
        cuts = {cut.chunk_id: cut for cut in await site.chunks()}
        texts = [
            ChunkText(
                chunk_id=place.chunk_id,
                language=cuts[place.chunk_id].language,
                context=cuts[place.chunk_id].context,
                text=cuts[place.chunk_id].text,
            )
            for place in draft.manifest.places
        ]
        self.held[draft.manifest.revision] = RevisionText(manifest=draft.manifest, origin=SITE, chunks=texts)
        return draft.manifest.revision

    async def revision(self, caller: Caller, asked: RevisionAsked) -> AsyncIterator[RevisionText]:
        """What is held, or the problem that the replicas reply with."""
        held = self.held.get(asked.revision)
        if held is None:
            raise ProblemReply(Problem(code="unknown_revision", message="it is not held", mend="choose another"))
        yield RevisionText(
            manifest=held.manifest,
            origin=held.origin,
            chunks=held.chunks,
            standing_residency=self.standing,
            last=True,
        )


@asynccontextmanager
async def archive(url: str) -> AsyncIterator[Archive]:
    """An archive that serves."""
    held = Archive()
    async with Bus(bus_settings(url, "edge-inference")) as bus:
        endpoint = Endpoint(
            name="revision",
            subject=subjects.REVISION.at(SITE),
            handler=held.revision,
            request_type=RevisionAsked,
            is_last=lambda part: part.last,
        )
        serving = bus.serve("edge-inference", "1.0.0", "An archive.", [endpoint], {})
        await serving.ready.wait()
        yield held


async def publish_and_embed(site: IngestorSite, body: bytes, residency: Residency) -> int:
    """A revision that stands in KNOWLEDGE."""
    revision = await site.publish("rules", body, "rules.md", residency=residency, metadata={"owner": "hr"})
    await site.until("rules", State.PARSED, revision)
    await site.until_empty("DOCUMENTS")
    await site.embed("rules")
    return revision


async def restore(site: IngestorSite, revision: int) -> int:
    """Ask for an earlier revision; returns the number that it gets."""
    message = DocumentRestored(kb=KB, document_id="rules", revision=revision)
    ack = await site.bus.publish(subjects.DOCUMENT.at(SITE, KB), message, msg_id=f"restore {revision}")
    return ack.seq


async def drafted(site: IngestorSite) -> Manifest:
    """The newest draft."""
    draft = await site.last_draft("rules")
    assert draft is not None
    return draft.manifest


async def test_a_restored_revision_has_the_same_chunks_and_all_that_was_said_of_it(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async with (
        declared_site(nats_server.url) as site,
        archive(nats_server.url) as held,
        running_ingestor(nats_server.url, tmp_path) as (_, pool),
    ):
        first = await publish_and_embed(site, TEXT, Residency.PUBLIC)
        await held.remember(site, "rules")
        before = await drafted(site)
        await publish_and_embed(site, TEXT.replace(b"25 days", b"30 days"), Residency.PUBLIC)
        await pool.stop()
        number = await restore(site, first)
        status = await site.until("rules", State.PARSED, number)
        await site.until_empty("DOCUMENTS")
        after = await drafted(site)
    assert after.places == before.places
    assert (after.title, after.filename, after.metadata, after.content_sha256) == (
        before.title,
        before.filename,
        {"owner": "hr"},
        before.content_sha256,
    )
    assert (after.revision, after.deleted, after.residency) == (number, False, Residency.PUBLIC)
    assert (status.chunks_total, status.chunks_new) == (2, 1), "what KNOWLEDGE holds is not embedded again"
    assert status.reason == f"restored from revision {first}"


async def test_restoring_does_not_lower_the_residency_that_stands(nats_server: NatsServer, tmp_path: Path) -> None:
    async with (
        declared_site(nats_server.url) as site,
        archive(nats_server.url) as held,
        running_ingestor(nats_server.url, tmp_path),
    ):
        first = await publish_and_embed(site, TEXT, Residency.PUBLIC)
        await held.remember(site, "rules")
        await publish_and_embed(site, TEXT, Residency.RESTRICTED)
        number = await restore(site, first)
        await site.until("rules", State.PARSED, number)
        await site.until_empty("DOCUMENTS")
        assert (await drafted(site)).residency is Residency.RESTRICTED


async def test_a_deleted_document_comes_back_under_the_residency_that_it_had_last(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async with (
        declared_site(nats_server.url) as site,
        archive(nats_server.url) as held,
        running_ingestor(nats_server.url, tmp_path),
    ):
        first = await publish_and_embed(site, TEXT, Residency.PUBLIC)
        await held.remember(site, "rules")
        deletion = DocumentDeleted(kb=KB, document_id="rules")
        await site.bus.publish(subjects.DOCUMENT.at(SITE, KB), deletion, msg_id="delete")
        await site.until_empty("DOCUMENTS")
        held.standing = Residency.INTERNAL
        number = await restore(site, first)
        await site.until("rules", State.PARSED, number)
        await site.until_empty("DOCUMENTS")
        manifest = await drafted(site)
    assert (manifest.deleted, manifest.residency) == (False, Residency.INTERNAL)


async def test_a_revision_that_is_not_held_fails_with_the_mend_and_is_a_dead_letter(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async with (
        declared_site(nats_server.url) as site,
        archive(nats_server.url),
        running_ingestor(nats_server.url, tmp_path),
    ):
        number = await restore(site, 7)
        status = await site.until("rules", State.FAILED, number)
        await site.until_empty("DOCUMENTS")
        dead = [entry.letter async for entry in site.bus.dead_letters.entries()]
    assert status.code == "revision_unknown"
    assert status.reason == "rules can not be restored: it is not held; choose another"
    assert [letter.origin_seq for letter in dead] == [number]


async def test_a_deletion_is_no_revision_to_restore(nats_server: NatsServer, tmp_path: Path) -> None:
    async with (
        declared_site(nats_server.url) as site,
        archive(nats_server.url) as held,
        running_ingestor(nats_server.url, tmp_path),
    ):
        await publish_and_embed(site, TEXT, Residency.PUBLIC)
        deletion = DocumentDeleted(kb=KB, document_id="rules")
        await site.bus.publish(subjects.DOCUMENT.at(SITE, KB), deletion, msg_id="delete")
        await site.until_empty("DOCUMENTS")
        number = await restore(site, await held.remember(site, "rules"))
        status = await site.until("rules", State.FAILED, number)
    assert "was deleted at revision" in status.reason


async def test_a_restoration_waits_for_a_replica_that_answers(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_site(nats_server.url) as site, running_ingestor(nats_server.url, tmp_path) as (handler, _):
        ingested = handler.metrics.documents.labels("retried")
        number = await restore(site, 7)
        await until(lambda: ingested._value.get() >= 1)
        assert await site.messages("DOCUMENTS") == 1
        assert [status.state for status in await site.statuses("rules")] == [State.RECEIVED]
        assert number
