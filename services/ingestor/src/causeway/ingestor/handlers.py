"""From DOCUMENTS to CHUNKS: parse, cut, compare with what came before, send what is new, then the draft.

At least once. Chunks are in CHUNKS before the draft is in DRAFTS, and the draft is in DRAFTS (by compare-and-set)
before it is in CHUNKS; a crash anywhere repeats with the same ids, or finds the draft and only sends it again. Of two
revisions that are handled at the same time, the older one loses the compare-and-set and ends as superseded.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from causeway.bus import (
    Ack,
    Dead,
    Delivery,
    NotConnected,
    NotPublished,
    ObjectError,
    Outcome,
    RequestFailed,
    Retry,
    Stored,
    WrongLastSequence,
)
from causeway.ingestor import revision as revisions
from causeway.ingestor.chunking import Measure
from causeway.ingestor.extraction import Extraction, Job
from causeway.ingestor.metrics import Metrics
from causeway.ingestor.parsing.block import Code, Limits, ParseFailure
from causeway.ingestor.ports import Archive, Bodies, Extractor, Log, Recalled
from causeway.ingestor.revision import Naming, Standing
from causeway.ingestor.worker import WorkerStartError
from causeway.proto import subjects
from causeway.proto.chunks import ChunkCut, Manifest, RevisionDrafted
from causeway.proto.documents import Document, DocumentDeleted, DocumentRestored, DocumentStatus, ObjectRef, State
from causeway.proto.knowledge import DocumentRevised

log = logging.getLogger(__name__)
SERVICE = "ingestor"
CONTENDED_TRIES_MAX = 5
FULL_DELAY_S = 10.0
START_DELAY_S = 5.0
REASON_CHARS_MAX = 1000


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What one document may cost, and how it is cut."""

    limits: Limits
    measure: Measure
    cpu_s_max: int
    chunks_max: int


@dataclass(kw_only=True)
class Ingestion:
    """The handler of DOCUMENTS."""

    site: str
    log: Log
    bodies: Bodies
    extractor: Extractor
    archive: Archive
    naming: Naming
    rules: Rules
    metrics: Metrics
    unix_ms: Callable[[], int]

    async def handle(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """One outcome per delivery, in order."""
        return [await self._one(delivery) for delivery in deliveries]

    async def _one(self, delivery: Delivery) -> Outcome:
        message = delivery.message
        assert isinstance(message, Document | DocumentDeleted | DocumentRestored)
        if delivery.subject != subjects.DOCUMENT.at(self.site, message.kb):
            return Dead(f"the message says kb {message.kb!r}, its subject is {delivery.subject}: make them agree")
        try:
            if isinstance(message, Document):
                return await self._document(message, delivery.stream_seq)
            if isinstance(message, DocumentRestored):
                return await self._restoration(message, delivery.stream_seq)
            return await self._deletion(message, delivery.stream_seq)
        except NotPublished as error:
            # A full CHUNKS empties as the embedder works; the document waits in DOCUMENTS, however long that takes.
            self.metrics.documents.labels("retried").inc()
            return Retry(str(error), delay_s=FULL_DELAY_S, forever=True)
        except (RequestFailed, NotConnected) as error:
            # No replica answers now, and none of what it holds is lost by waiting.
            self.metrics.documents.labels("retried").inc()
            return Retry(str(error), delay_s=FULL_DELAY_S, forever=True)
        except WorkerStartError as error:
            self.metrics.documents.labels("retried").inc()
            return Retry(str(error), delay_s=START_DELAY_S, forever=True)
        except ObjectError as error:
            return Retry(str(error))

    async def _document(self, document: Document, revision: int) -> Outcome:
        key = self._key(document)
        last = await self._last_draft(document.kb, key)
        standing = revisions.standing(_manifest(last), revision)
        if standing is not Standing.NEW:
            return await self._settle(document.object, last, standing)
        await self._say(document, key, revision, State.RECEIVED)
        try:
            body = await self._body(document)
            extraction = await self._extract(document, body)
        except ParseFailure as failure:
            return await self._fail(document, key, revision, failure)
        messages = revisions.chunk_cuts(extraction.cuts, document.kb, self.naming)
        manifest = revisions.manifest_of(document, revision, extraction, messages, body, self.naming)
        return await self._draft(manifest, messages, document.object, extraction.warnings)

    async def _deletion(self, deleted: DocumentDeleted, revision: int) -> Outcome:
        last = await self._last_draft(deleted.kb, self._key(deleted))
        standing = revisions.standing(_manifest(last), revision)
        if standing is not Standing.NEW:
            return await self._settle(None, last, standing)
        return await self._draft(revisions.tombstone(deleted, revision, self.naming), [], None, [])

    async def _restoration(self, restored: DocumentRestored, revision: int) -> Outcome:
        """An earlier revision takes the same road as a new one, from its chunks on; nothing is parsed."""
        key = self._key(restored)
        last = await self._last_draft(restored.kb, key)
        standing = revisions.standing(_manifest(last), revision)
        if standing is not Standing.NEW:
            return await self._settle(None, last, standing)
        await self._say(restored, key, revision, State.RECEIVED)
        try:
            past = await self._recall(restored)
        except ParseFailure as failure:
            return await self._fail(restored, key, revision, failure)
        cuts = revisions.cuts_of(past.texts, past.manifest.places)
        messages = revisions.chunk_cuts(cuts, restored.kb, self.naming)
        manifest = revisions.restored(restored, revision, past.manifest, messages, self.naming)
        manifest = revisions.tightened(manifest, past.standing)
        said = f"restored from revision {restored.revision}"
        return await self._draft(manifest, messages, None, [said], never_laxer=True)

    async def _recall(self, restored: DocumentRestored) -> Recalled:
        past = await self.archive.revision(restored.kb, restored.document_id, restored.revision)
        if past.manifest.deleted:
            raise ParseFailure(
                Code.PAST, f"was deleted at revision {restored.revision}: delete it, or restore an earlier revision"
            )
        return past

    async def _draft(
        self,
        manifest: Manifest,
        messages: list[ChunkCut],
        ref: ObjectRef | None,
        warnings: list[str],
        *,
        never_laxer: bool = False,
    ) -> Outcome:
        """Publish chunks, then the draft, if no newer revision has come first. `never_laxer` keeps the residency of the
        last draft if that is stricter."""
        key = manifest.document_key.hex()
        subject = subjects.DRAFT.at(self.site, manifest.kb, key)
        sent: set[bytes] = set()
        for _ in range(CONTENDED_TRIES_MAX):
            last = await self._last_draft(manifest.kb, key)
            standing = revisions.standing(_manifest(last), manifest.revision)
            if standing is not Standing.NEW:
                return await self._settle(ref, last, standing)
            drafted = _manifest(last)
            if never_laxer and drafted is not None and not drafted.deleted:
                manifest = revisions.tightened(manifest, drafted.residency)
            known = revisions.vouched(drafted, await self._published(manifest.kb, key))
            draft = revisions.draft(manifest, messages, known)
            await self._send([cut for cut in draft.chunks if cut.chunk_id not in sent], manifest)
            sent |= {cut.chunk_id for cut in draft.chunks}
            try:
                await self.log.publish(
                    subject,
                    draft.drafted,
                    msg_id=f"{manifest.kb}:{key}:{manifest.revision}:draft",
                    expected_last_subject_seq=last.seq if last else 0,
                )
            except WrongLastSequence:
                continue
            self.metrics.chunks.labels("kept").inc(len(messages) - draft.drafted.chunks_new)
            return await self._finish(draft.drafted, ref, warnings)
        return Retry("several revisions of this document are being drafted at once")

    async def _send(self, cuts: list[ChunkCut], manifest: Manifest) -> None:
        subject = subjects.CHUNK.at(self.site, manifest.kb)
        prefix = f"{manifest.document_key.hex()}:{manifest.revision}"
        await self.log.publish_many([(subject, cut, f"{prefix}:{cut.chunk_id.hex()}") for cut in cuts])

    async def _finish(self, drafted: RevisionDrafted, ref: ObjectRef | None, warnings: list[str]) -> Outcome:
        """The draft is durable and names only chunks that are: hand it to the embedder. The body is done with."""
        manifest = drafted.manifest
        if not manifest.deleted:
            await self._say_parsed(drafted, warnings)
        await self._hand_over(drafted)
        if ref is not None:
            await self.bodies.delete(ref)
        self.metrics.documents.labels("deleted" if manifest.deleted else "drafted").inc()
        self.metrics.chunks.labels("new").inc(drafted.chunks_new)
        return Ack()

    async def _settle(self, ref: ObjectRef | None, last: Stored | None, standing: Standing) -> Outcome:
        """A repeat hands its draft over again, since a crash may have come between; what is superseded is dropped."""
        if standing is Standing.DRAFTED and last is not None and isinstance(last.message, RevisionDrafted):
            if not last.message.manifest.deleted:
                await self._say_parsed(last.message)
            await self._hand_over(last.message)
        if ref is not None:
            await self.bodies.delete(ref)
        self.metrics.documents.labels("repeated" if standing is Standing.DRAFTED else "superseded").inc()
        return Ack()

    async def _hand_over(self, drafted: RevisionDrafted) -> None:
        manifest = drafted.manifest
        msg_id = f"{manifest.kb}:{manifest.document_key.hex()}:{manifest.revision}:drafted"
        await self.log.publish(subjects.CHUNK.at(self.site, manifest.kb), drafted, msg_id=msg_id)

    async def _body(self, document: Document) -> bytes:
        if document.body is not None:
            return document.body
        if document.object is None:
            raise ParseFailure(Code.MISSING, "has neither a body nor an object: publish it again with one of them")
        return await self.bodies.get(document.object)

    async def _extract(self, document: Document, body: bytes) -> Extraction:
        job = Job(
            filename=document.filename,
            media_type=document.media_type,
            title=document.title,
            limits=self.rules.limits,
            measure=self.rules.measure,
            cpu_s_max=self.rules.cpu_s_max,
        )
        self.metrics.body_bytes.inc(len(body))
        with self.metrics.parsing.track_inprogress(), self.metrics.parse_seconds.time():
            extraction = await self.extractor.extract(job, body)
        if len(extraction.cuts) > self.rules.chunks_max:
            raise ParseFailure(
                Code.TEXT,
                f"gives {len(extraction.cuts)} chunks, the limit is {self.rules.chunks_max}: split it or raise "
                "INGESTOR_CHUNKS_MAX",
            )
        return extraction

    async def _fail(
        self, document: Document | DocumentRestored, key: str, revision: int, failure: ParseFailure
    ) -> Outcome:
        """The status says why, and the message goes to DEAD, body or object reference included, for a replay."""
        filename = document.filename if isinstance(document, Document) else ""
        reason = f"{filename or document.document_id} {failure.reason}"
        await self._say(document, key, revision, State.FAILED, code=failure.code, reason=reason)
        self.metrics.documents.labels("failed").inc()
        self.metrics.failures.labels(failure.code).inc()
        log.warning("a document failed", extra={"kb": document.kb, "document": key, "code": failure.code.value})
        return Dead(f"{failure.code}: {reason}")

    async def _say_parsed(self, drafted: RevisionDrafted, warnings: Sequence[str] = ()) -> None:
        manifest = drafted.manifest
        await self._status(
            manifest.document_key.hex(),
            DocumentStatus(
                kb=manifest.kb,
                document_id=manifest.document_id,
                revision=manifest.revision,
                state=State.PARSED,
                reason="; ".join(warnings)[:REASON_CHARS_MAX],
                service=SERVICE,
                at_unix_ms=self.unix_ms(),
                chunks_total=len(manifest.places),
                chunks_new=drafted.chunks_new,
                pages=manifest.pages,
            ),
        )

    async def _say(
        self,
        document: Document | DocumentRestored,
        key: str,
        revision: int,
        state: State,
        *,
        code: str = "",
        reason: str = "",
    ) -> None:
        status = DocumentStatus(
            kb=document.kb,
            document_id=document.document_id,
            revision=revision,
            state=state,
            reason=reason,
            code=code,
            service=SERVICE,
            at_unix_ms=self.unix_ms(),
        )
        await self._status(key, status)

    async def _status(self, key: str, status: DocumentStatus) -> None:
        msg_id = f"{status.kb}:{key}:{status.revision}:{status.state}"
        await self.log.publish(subjects.STATUS.at(self.site, status.kb, key), status, msg_id=msg_id)

    async def _last_draft(self, kb: str, key: str) -> Stored | None:
        return await self.log.last(subjects.DRAFT.stream, subjects.DRAFT.at(self.site, kb, key))

    async def _published(self, kb: str, key: str) -> Manifest | None:
        stored = await self.log.last(
            subjects.KNOWLEDGE_DOCUMENT.stream, subjects.KNOWLEDGE_DOCUMENT.at(self.site, kb, key)
        )
        return _manifest(stored)

    def _key(self, message: Document | DocumentDeleted | DocumentRestored) -> str:
        return revisions.key_of(message, self.naming).hex()


def _manifest(stored: Stored | None) -> Manifest | None:
    if stored is not None and isinstance(stored.message, RevisionDrafted | DocumentRevised):
        return stored.message.manifest
    return None
