"""From KNOWLEDGE to VECTORS: a vector of this embedder's space for every chunk that stands there with another's.

At least once, effects before acks, from a durable consumer of KNOWLEDGE that is named for the space: a crash repeats
chunks to the same subjects, where only the last vector stays. Nothing in KNOWLEDGE is touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from causeway.bus import Ack, Delivery, NotPublished, Outcome, Retry
from causeway.embedder.encoding import Encoding
from causeway.embedder.ports import Log
from causeway.proto import subjects
from causeway.proto.knowledge import ChunkEmbedded, ChunkReembedded

FULL_DELAY_S = 10.0
Wanted = dict[str, tuple[ChunkEmbedded, int]]
"""The chunk and its sequence in KNOWLEDGE, by the subject of the vector that it shall get."""


def durable_of(model_id: str) -> str:
    """The consumer of KNOWLEDGE that remembers how far the vectors of a model are."""
    return f"embedder-{subjects.space_token(model_id)}"


@dataclass(kw_only=True)
class Reembedding:
    """The handler of the chunks of KNOWLEDGE, those of other places included.

    `run` tells this process from the one before: vectors may have been purged in between, and what is then published
    once more must not be taken for a repetition.
    """

    log: Log
    encoding: Encoding
    run: str

    async def handle(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """One outcome for all: a full VECTORS, or a server that is away, is waited for."""
        try:
            await self._embed(deliveries)
        except NotPublished as error:
            return [Retry(str(error), delay_s=FULL_DELAY_S, forever=True)] * len(deliveries)
        return [Ack()] * len(deliveries)

    async def _embed(self, deliveries: Sequence[Delivery]) -> None:
        encoder, metrics = self.encoding.encoder, self.encoding.metrics
        wanted = _wanted(deliveries, encoder.model_id)
        present = await self.log.exists_many(subjects.VECTOR.stream, list(wanted)) if wanted else set()
        new = [(subject, *wanted[subject]) for subject in wanted if subject not in present]
        metrics.chunks.labels(outcome="own_space").inc(len(deliveries) - len(wanted))
        metrics.chunks.labels(outcome="already_embedded").inc(len(present))
        pending = deliveries[-1].pending
        if new:
            async for group, vectors in self.encoding.groups([text_of(chunk) for _, chunk, _ in new], pending):
                await self.log.publish_many(
                    self._entry(*new[index], vector.tobytes()) for index, vector in zip(group, vectors, strict=True)
                )
        metrics.pending.set(pending)

    def _entry(
        self, subject: str, chunk: ChunkEmbedded, seq: int, vector_f16: bytes
    ) -> tuple[str, ChunkReembedded, str]:
        encoder = self.encoding.encoder
        message = ChunkReembedded(
            kb=chunk.kb, chunk_id=chunk.chunk_id, model=encoder.model_id, dims=encoder.dims, vector_f16=vector_f16
        )
        return subject, message, f"{subject}:{seq}:{self.run}"


def _wanted(deliveries: Sequence[Delivery], model_id: str) -> Wanted:
    space = subjects.space_token(model_id)
    wanted: Wanted = {}
    for delivery in deliveries:
        chunk = delivery.message
        assert isinstance(chunk, ChunkEmbedded)
        if chunk.model != model_id:
            origin = delivery.subject.split(".")[1]
            subject = subjects.VECTOR.at(origin, chunk.kb, chunk.chunk_id.hex(), space)
            wanted[subject] = (chunk, delivery.stream_seq)
    return wanted


def text_of(chunk: ChunkEmbedded) -> str:
    """What is embedded of a chunk that was embedded before."""
    return f"{chunk.context}\n{chunk.text}" if chunk.context else chunk.text
