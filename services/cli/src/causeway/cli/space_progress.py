"""How far a change of the embedding model is, counted on the server."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from causeway.bus import Bus, drop_durable, durable_state
from causeway.proto import subjects
from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import DocumentRevised

KNOWLEDGE, VECTORS = subjects.KNOWLEDGE_CHUNK.stream, subjects.VECTOR.stream


def durable_of(space: str) -> str:
    """The consumer of the re-embedder of a space."""
    return f"embedder-{subjects.space_token(space)}"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Chunks and documents of KNOWLEDGE, and how many of each the re-embedder has behind it."""

    chunks_total: int = 0
    chunks_done: int = 0
    documents_total: int = 0
    documents_done: int = 0

    @property
    def lag(self) -> int:
        """Chunks to go."""
        return self.chunks_total - self.chunks_done


@dataclass
class Pace:
    """How fast it goes, by what was seen since this process began to look."""

    clock_s: Callable[[], float] = time.monotonic
    _first: tuple[float, int] | None = field(default=None, init=False)

    def eta_s(self, progress: Progress) -> float:
        """Seconds to go at the pace so far, -1 while there is none."""
        now = self.clock_s()
        if progress.lag == 0:
            return 0.0
        if self._first is None or progress.chunks_done < self._first[1]:
            self._first = (now, progress.chunks_done)
        began, done = self._first
        if progress.chunks_done == done or now == began:
            return -1.0
        return progress.lag * (now - began) / (progress.chunks_done - done)


async def read_progress(bus: Bus, space: str) -> Progress:
    """How far the vectors of a space are. Documents count when all that came before them is done."""
    chunks = await _subjects_count(bus, subjects.KNOWLEDGE_CHUNK.at("*"))
    state = await durable_state(bus, KNOWLEDGE, durable_of(space))
    if state is None:
        return Progress(chunks_total=chunks, documents_total=await count_documents(bus))
    total = max(chunks, state.lag)
    return Progress(
        chunks_total=total,
        chunks_done=total - state.lag,
        documents_total=await count_documents(bus),
        documents_done=await count_documents(bus, None if state.lag == 0 else state.settled_seq),
    )


async def count_documents(bus: Bus, up_to_seq: int | None = None) -> int:
    """Documents in KNOWLEDGE, of all places, as far as a sequence."""
    manifests = _manifests(bus, "*")
    return len([seq async for seq, _ in manifests if up_to_seq is None or seq <= up_to_seq])


async def count_elsewhere(bus: Bus, place: str, model_id: str) -> int:
    """Own documents that do not stand in a space yet."""
    return len([seq async for seq, manifest in _manifests(bus, place) if manifest.model != model_id])


async def _manifests(bus: Bus, place: str) -> AsyncIterator[tuple[int, Manifest]]:
    async for delivery in bus.scan(KNOWLEDGE, [subjects.KNOWLEDGE_DOCUMENT.at(place)]):
        if isinstance(delivery.message, DocumentRevised) and not delivery.message.manifest.deleted:
            yield delivery.stream_seq, delivery.message.manifest


async def forget_space(bus: Bus, space: str) -> None:
    """Drop what a re-embedder has made, and its place in KNOWLEDGE."""
    await drop_durable(bus, KNOWLEDGE, durable_of(space))
    await bus.purge(VECTORS, subjects.VECTOR.at("*", space=subjects.space_token(space)))


async def _subjects_count(bus: Bus, pattern: str) -> int:
    info = await bus.broker.js.stream_info(KNOWLEDGE, subjects_filter=pattern)
    return len(info.state.subjects or {})
