"""From a question to passages of what is shared: encode, search by meaning and words, name the documents."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from causeway.cloud_inference.ports import Encoder, Knowledge, Vectors
from causeway.cloud_inference.settled import settled
from causeway.cloud_inference.stopwatch import Stopwatch
from causeway.milvus.values import Hit, ShelvedDocument
from causeway.proto.answers import Citation

_HEADING_SEPARATOR = " › "
# More are asked for than wanted: the same text stands in several documents, and a document may be on its way out.
CANDIDATES_FACTOR = 3


@dataclass(frozen=True, kw_only=True)
class Found:
    """Passages, best first, and the epoch that all of them were there at, or after. `known`: the kb holds something."""

    citations: list[Citation]
    epoch: dict[str, int]
    known: bool


class Retrieving:
    """Encodes on a thread, so that the event loop stays free for the streams."""

    def __init__(
        self,
        knowledge: Knowledge,
        encoder: Encoder,
        executor: Executor,
        epoch_at: Callable[[int], dict[str, int]],
    ) -> None:
        """`epoch_at` gives the epoch of a position in KNOWLEDGE."""
        self._knowledge = knowledge
        self._encoder = encoder
        self._executor = executor
        self._epoch_at = epoch_at

    async def find(self, kb: str, question: str, passages_max: int, watch: Stopwatch) -> Found:
        """At most `passages_max`, each text once.

        Raises:
            ShelfError: Milvus does not answer, or refuses. ShelfRebuilding: it is being emptied.
        """
        # The position first: whatever changes after it is told to whoever holds an answer of this epoch.
        position, vector = await asyncio.gather(settled(self._knowledge), self._encoded(question, watch))
        with watch.part("search"):
            hits = await self._knowledge.hybrid_search(
                self._encoder.model_id, kb, vector, question, CANDIDATES_FACTOR * passages_max
            )
            keys = list(dict.fromkeys(hit.chunk.document_key for hit in hits))
            documents = await self._knowledge.documents(keys) if keys else {}
            if not hits:
                # It may have been emptied since: that nobody shares the kb is said only of a shelf that is whole.
                await settled(self._knowledge)
        citations = cited(hits, documents, passages_max)
        return Found(citations=citations, epoch=self._epoch_at(position.seq), known=bool(hits))

    async def _encoded(self, question: str, watch: Stopwatch) -> Vectors:
        with watch.part("encode"):
            loop = asyncio.get_running_loop()
            vectors = await loop.run_in_executor(self._executor, self._encoder.encode_queries, [question])
            vector: Vectors = vectors[0]
            return vector


def cited(hits: list[Hit], documents: dict[bytes, ShelvedDocument], passages_max: int) -> list[Citation]:
    """One citation for each text, in order. A chunk whose document is not there, is not public, or names it no more,
    is not cited, whatever its row says."""
    found: dict[str, Citation] = {}
    for hit in hits:
        document = documents.get(hit.chunk.document_key)
        citation = _citation(hit, document) if document is not None and document.live else None
        if citation is not None:
            found.setdefault(citation.quote, citation)
    return list(found.values())[:passages_max]


def _citation(hit: Hit, document: ShelvedDocument) -> Citation | None:
    manifest = document.manifest
    place = next((place for place in manifest.places if place.chunk_id == hit.chunk.chunk_id), None)
    if place is None:
        return None
    context = hit.chunk.context
    return Citation(
        document_id=manifest.document_id,
        revision=manifest.revision,
        title=manifest.title,
        page=place.page_first,
        heading=context.removeprefix(manifest.title).removeprefix(_HEADING_SEPARATOR) if manifest.title else context,
        chunk_id=hit.chunk.chunk_id,
        quote=hit.chunk.text,
        score=round(hit.score, 4),
        origin=document.origin,
    )
