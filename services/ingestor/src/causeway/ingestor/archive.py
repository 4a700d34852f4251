"""Earlier revisions out of a replica of edge-inference, whole or not at all."""

from contextlib import aclosing

from causeway.bus import Bus, ProblemReply, RequestFailed
from causeway.ingestor.parsing.block import Code, ParseFailure
from causeway.ingestor.ports import Recalled
from causeway.proto import subjects
from causeway.proto.history import ChunkText, RevisionAsked, RevisionText

PART_WAIT_S = 20.0
# What no other moment would change: the others are asked again.
_GONE = ("unknown_kb", "unknown_document", "unknown_revision", "revision_not_whole")


class PartsLostError(RequestFailed):
    """Parts of the revision got lost on their way: ask again."""


class ReplicaArchive:
    """Asks the queue group of replicas."""

    def __init__(self, bus: Bus, site: str) -> None:
        self._bus = bus
        self._site = site

    async def revision(self, kb: str, document_id: str, revision: int) -> Recalled:
        """See Archive.revision."""
        asked = RevisionAsked(kb=kb, document_id=document_id, revision=revision)
        try:
            return whole(await self._parts(asked))
        except ProblemReply as reply:
            if reply.problem.code in _GONE:
                why = f"can not be restored: {reply.problem.message}; {reply.problem.mend}"
                raise ParseFailure(Code.PAST, why) from reply
            raise

    async def _parts(self, asked: RevisionAsked) -> list[RevisionText]:
        subject = subjects.REVISION.at(self._site, asked.kb)
        async with aclosing(self._bus.request_stream(subject, asked, RevisionText, wait_s=PART_WAIT_S)) as parts:
            return [part async for part in parts]


def whole(parts: list[RevisionText]) -> Recalled:
    """The revision that the parts make up.

    Raises:
        PartsLostError: there are not as many texts as the manifest has places.
    """
    texts: list[ChunkText] = [text for part in parts for text in part.chunks]
    places = parts[0].manifest.places if parts else []
    if not parts or [text.chunk_id for text in texts] != [place.chunk_id for place in places]:
        raise PartsLostError(f"{len(texts)} of {len(places)} texts came")
    return Recalled(manifest=parts[0].manifest, texts=texts, standing=parts[0].standing_residency)
