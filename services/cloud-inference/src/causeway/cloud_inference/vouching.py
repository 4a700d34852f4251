"""Answers sites that ask whether what they cite of other places still stands, from Milvus alone.

At most once, and nothing is kept of who asked: a site that got no reply asks again. The position is read before the
documents, so that the reply never claims more than was there.
"""

from causeway.bus import ProblemReply
from causeway.cloud_inference.metrics import Metrics
from causeway.cloud_inference.ports import Documents
from causeway.cloud_inference.problems import shelf_away, shelf_rebuilding
from causeway.cloud_inference.settled import ShelfRebuilding, settled
from causeway.cloud_inference.standing import by_origin, change_of, standing_of
from causeway.milvus.errors import ShelfError
from causeway.proto.answers import Problem
from causeway.proto.cloud import CitationsAsked, CitationsStanding


class Vouching:
    """Says of documents by name how they stand, and never what is in them. Only what is shared is on the shelf."""

    def __init__(self, documents: Documents | None, metrics: Metrics) -> None:
        """Without `documents` this hub reads no Milvus, and says so."""
        self._documents = documents
        self._metrics = metrics

    async def standing(self, asked: CitationsAsked) -> CitationsStanding:
        """How the documents stand.

        Raises:
            ProblemReply: Milvus is away or is being emptied, which passes; or this hub has none.
        """
        try:
            return await self._standing(asked)
        except ShelfRebuilding as error:
            raise self._refused(shelf_rebuilding(str(error))) from error
        except ShelfError as error:
            raise self._refused(shelf_away(str(error))) from error

    async def _standing(self, asked: CitationsAsked) -> CitationsStanding:
        if self._documents is None:
            raise self._refused(shelf_away("no engine is configured, so that Milvus is not read", retryable=False))
        position = await settled(self._documents)
        held = {
            (origin, document.manifest.document_id): document
            for origin, ids in by_origin(asked.documents).items()
            for document in await self._documents.named(asked.kb, origin, ids)
        }
        judged = [standing_of(cited, held.get((cited.origin, cited.document_id))) for cited in asked.documents]
        for standing in judged:
            self._metrics.standings.labels(standing=change_of(standing)).inc()
        return CitationsStanding(
            hub_seq=position.seq,
            log_created=position.stream_created,
            documents=[standing for standing in judged if standing is not None],
        )

    def _refused(self, problem: Problem) -> ProblemReply:
        self._metrics.standings.labels(standing="refused").inc()
        return ProblemReply(problem)
