"""Whether what an answer cites still stands, by the newest that the log says of its documents. Pure.

A document is judged by its newest manifest alone, so it does not matter which revisions in between a compacted log has
forgotten. A shadow counts while it is over the revision that stands.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from causeway.edge_inference.answer_index import DocumentName
from causeway.proto.chunks import Manifest
from causeway.proto.feedback import Change, CitedChunk
from causeway.proto.knowledge import DocumentShadowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A document as far as its log was read. `revision` 0: no manifest was; `shadowed` 0: no shadow is over it.

    `seq` is the place in the log of the newest that was read of it.
    """

    revision: int = 0
    deleted: bool = False
    chunks: frozenset[bytes] = frozenset()
    shadowed: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """What became of a cited document, and in which revision."""

    change: Change
    revision: int


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A document that changed, as it stands now: by this site's log, or as the hub said at `hub_seq` of its own log,
    which knows of the standing's chunks only whether those that were asked for are among them."""

    document: DocumentName
    standing: Standing
    hub_seq: int | None = None

    def for_answer(self, made_at: int) -> Standing:
        """As it bears on an answer that was made at `Answer.hub_seq`. A newer revision proves itself; a shadow counts
        only from a hub that has come to where the answer was made."""
        behind = self.hub_seq is not None and self.hub_seq < made_at
        return replace(self.standing, shadowed=0) if behind else self.standing


def doubt_of(cited: Iterable[CitedChunk], standing: Standing) -> Doubt | None:
    """Why an answer that rests on these chunks of one document may be wrong now; None where all of them stand."""
    return next((doubt for chunk in cited if (doubt := _doubt(chunk, standing)) is not None), None)


def _doubt(cited: CitedChunk, standing: Standing) -> Doubt | None:
    if standing.revision > cited.revision:
        if standing.deleted:
            return Doubt(change=Change.DELETED, revision=standing.revision)
        if cited.chunk_id not in standing.chunks:
            return Doubt(change=Change.REVISED, revision=standing.revision)
    # Before the first manifest that was read, the one that stands is the one that was cited.
    stands = max(standing.revision, cited.revision)
    if standing.shadowed == stands:
        return Doubt(change=Change.REPLACED, revision=stands)
    return None


class Standings:
    """The documents that changed last, by name: at most so many, with at most so many chunks between them.

    They are for answers that come to be known after a change of what they cite. `forgotten_seq`: changes up to here may
    have been let go of.
    """

    def __init__(self, *, documents_max: int, chunks_max: int, forgotten_seq: int = 0) -> None:
        self._documents_max = documents_max
        self._chunks_max = chunks_max
        self._chunks = 0
        self._held: OrderedDict[DocumentName, Standing] = OrderedDict()
        self.forgotten_seq = forgotten_seq

    def of(self, document: DocumentName) -> Standing | None:
        """What is held of a document."""
        return self._held.get(document)

    def revise(self, document: DocumentName, manifest: Manifest, seq: int) -> Standing:
        """A manifest came; an older one than the one that is held changes nothing."""
        held = self._held.get(document, Standing())
        if manifest.revision < held.revision:
            return held
        chunks = frozenset(place.chunk_id for place in manifest.places)
        return self._put(
            document,
            replace(held, revision=manifest.revision, deleted=manifest.deleted, chunks=chunks, seq=seq),
        )

    def shade(self, document: DocumentName, shadow: DocumentShadowed, seq: int) -> Standing:
        """A shadow came, or went (revision 0)."""
        return self._put(document, replace(self._held.get(document, Standing()), shadowed=shadow.revision, seq=seq))

    def __len__(self) -> int:
        return len(self._held)

    def _put(self, document: DocumentName, standing: Standing) -> Standing:
        before = self._held.pop(document, Standing())
        self._held[document] = standing
        self._chunks += len(standing.chunks) - len(before.chunks)
        while len(self._held) > self._documents_max or (self._chunks > self._chunks_max and len(self._held) > 1):
            _, oldest = self._held.popitem(last=False)
            self._chunks -= len(oldest.chunks)
            self.forgotten_seq = max(self.forgotten_seq, oldest.seq)
        return standing
