"""From CHUNKS to KNOWLEDGE: encode what is new, copy what is there, publish a manifest when all its chunks are.

At least once. A crash after a publish and before the ack repeats it with the same message id, or, past the server's
window for duplicates, stores the same chunk once more under its own subject, where the last one stays: no reader can
tell. A manifest is published by compare-and-set on its subject, so that an old revision never overtakes a new one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from causeway.bus import Ack, Delivery, Outcome, Retry, Stored, WrongLastSequence
from causeway.embedder.encoding import Encoding, Vectors
from causeway.embedder.ports import Log
from causeway.embedder.publication import Verdict, unproven, verdict
from causeway.proto import subjects
from causeway.proto.chunks import ChunkCut, Manifest, RevisionDrafted
from causeway.proto.documents import DocumentStatus, State
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised

KNOWLEDGE = subjects.KNOWLEDGE_CHUNK.stream
SENT_MAX = 200_000
"""Chunk ids remembered as put in the log by this process: 16 bytes each, forgotten all at once beyond this."""
CONTENDED_TRIES_MAX = 3


@dataclass(kw_only=True)
class Embedding:
    """The handler of CHUNKS and what it keeps between batches: the ids that it has sent.

    A chunk that was cut while another model was in force is embedded by this one and keeps its name; the ingestor
    renames its document later.
    """

    site: str
    log: Log
    encoding: Encoding
    unix_ms: Callable[[], int]
    sent: set[bytes] = field(default_factory=set)

    async def handle(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """One outcome per delivery: chunks first, then the drafts in their order."""
        outcomes: dict[int, Outcome] = {}
        cuts: list[tuple[int, Delivery, ChunkCut]] = []
        drafts: list[tuple[int, RevisionDrafted]] = []
        for index, delivery in enumerate(deliveries):
            message = delivery.message
            if isinstance(message, ChunkCut):
                cuts.append((index, delivery, message))
            elif isinstance(message, RevisionDrafted):
                drafts.append((index, message))
        await self._embed([(delivery, cut) for _, delivery, cut in cuts])
        outcomes |= {index: Ack() for index, _, _ in cuts}
        for index, draft in drafts:
            outcomes[index] = await self._revise(draft)
        return [outcomes[index] for index in range(len(deliveries))]

    async def _embed(self, cuts: list[tuple[Delivery, ChunkCut]]) -> None:
        by_subject = {self._chunk_subject(cut): (delivery, cut) for delivery, cut in cuts}
        present = await self.log.exists_many(KNOWLEDGE, list(by_subject)) if by_subject else set()
        new: list[tuple[str, Delivery, ChunkCut]] = []
        for subject, (delivery, cut) in by_subject.items():
            stored = await self.log.last(KNOWLEDGE, subject) if subject in present else None
            standing = stored.message if stored is not None else None
            if isinstance(standing, ChunkEmbedded) and standing.model == self.encoding.encoder.model_id:
                await self._copy(subject, delivery, standing)
            else:
                new.append((subject, delivery, cut))
        if new:
            await self._encode(new)

    async def _copy(self, subject: str, delivery: Delivery, standing: ChunkEmbedded) -> None:
        """A chunk that is already embedded moves to the end of the log, past any purge that is about to drop it."""
        await self.log.publish(subject, standing, msg_id=_chunk_msg_id(standing.chunk_id, delivery))
        self._remember([standing.chunk_id])
        self.encoding.metrics.chunks.labels(outcome="already_embedded").inc()

    async def _encode(self, new: list[tuple[str, Delivery, ChunkCut]]) -> None:
        texts = [embed_text(cut) for _, _, cut in new]
        async for group, vectors in self.encoding.groups(texts, new[-1][1].pending):
            await self._publish_chunks([new[index] for index in group], vectors)

    async def _publish_chunks(self, group: list[tuple[str, Delivery, ChunkCut]], vectors: Vectors) -> None:
        encoder = self.encoding.encoder
        items = [
            (
                subject,
                embedded(cut, encoder.model_id, encoder.dims, vector.tobytes()),
                _chunk_msg_id(cut.chunk_id, delivery),
            )
            for (subject, delivery, cut), vector in zip(group, vectors, strict=True)
        ]
        await self.log.publish_many(items)
        self._remember([cut.chunk_id for _, _, cut in group])

    async def _revise(self, draft: RevisionDrafted) -> Outcome:
        manifest = draft.manifest
        subject = subjects.KNOWLEDGE_DOCUMENT.at(self.site, manifest.kb, manifest.document_key.hex())
        for _ in range(CONTENDED_TRIES_MAX):
            stored = await self.log.last(KNOWLEDGE, subject)
            published = _manifest(stored)
            missing = await self._missing(manifest, published)
            decision = verdict(manifest, published, missing)
            if decision is Verdict.WAIT:
                return Retry(f"{len(missing)} chunks are not in KNOWLEDGE yet, the first is {min(missing).hex()}")
            if decision is not Verdict.PUBLISH:
                self.encoding.metrics.revisions.labels(outcome=decision.value).inc()
                return Ack()
            try:
                await self._publish_manifest(draft, subject, stored.seq if stored else 0)
                return Ack()
            except WrongLastSequence:
                continue
        return Retry("another embedder is publishing this document")

    async def _missing(self, manifest: Manifest, published: Manifest | None) -> set[bytes]:
        doubtful = unproven(manifest, published, self.sent)
        by_subject = {self._chunk_subject_of(manifest.kb, chunk_id): chunk_id for chunk_id in doubtful}
        present = await self.log.exists_many(KNOWLEDGE, list(by_subject)) if by_subject else set()
        return {chunk_id for subject, chunk_id in by_subject.items() if subject not in present}

    async def _publish_manifest(self, draft: RevisionDrafted, subject: str, last_seq: int) -> None:
        manifest = draft.manifest
        key = f"{manifest.kb}:{manifest.document_key.hex()}:{manifest.revision}"
        if not manifest.deleted:
            status = DocumentStatus(
                kb=manifest.kb,
                document_id=manifest.document_id,
                revision=manifest.revision,
                state=State.EMBEDDED,
                service="embedder",
                at_unix_ms=self.unix_ms(),
                chunks_total=len(manifest.places),
                chunks_new=draft.chunks_new,
                pages=manifest.pages,
            )
            at = subjects.STATUS.at(self.site, manifest.kb, manifest.document_key.hex())
            await self.log.publish(at, status, msg_id=f"{key}:{status.state}")
        revised = DocumentRevised(manifest=manifest)
        await self.log.publish(subject, revised, msg_id=f"{key}:revised", expected_last_subject_seq=last_seq)
        self.encoding.metrics.revisions.labels(outcome="published").inc()

    def _remember(self, ids: list[bytes]) -> None:
        if len(self.sent) > SENT_MAX:
            self.sent.clear()
        self.sent.update(ids)

    def _chunk_subject(self, cut: ChunkCut) -> str:
        return self._chunk_subject_of(cut.kb, cut.chunk_id)

    def _chunk_subject_of(self, kb: str, chunk_id: bytes) -> str:
        return subjects.KNOWLEDGE_CHUNK.at(self.site, kb, chunk_id.hex())


def embed_text(cut: ChunkCut) -> str:
    """What is embedded, and what the chunk's id is the hash of."""
    return f"{cut.context}\n{cut.text}" if cut.context else cut.text


def embedded(cut: ChunkCut, model_id: str, dims: int, vector_f16: bytes) -> ChunkEmbedded:
    """The chunk with its vector."""
    return ChunkEmbedded(
        kb=cut.kb,
        chunk_id=cut.chunk_id,
        model=model_id,
        language=cut.language,
        context=cut.context,
        text=cut.text,
        dims=dims,
        vector_f16=vector_f16,
    )


def _manifest(stored: Stored | None) -> Manifest | None:
    return stored.message.manifest if stored and isinstance(stored.message, DocumentRevised) else None


def _chunk_msg_id(chunk_id: bytes, delivery: Delivery) -> str:
    return f"{chunk_id.hex()}:{delivery.stream_seq}"
