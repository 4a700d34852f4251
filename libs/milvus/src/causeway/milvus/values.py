"""What a shelf holds, as values: documents, their chunks, and how far the log is applied. Knows no Milvus."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from causeway.proto.chunks import Manifest
from causeway.proto.documents import Residency
from causeway.proto.knowledge import DocumentRevised

Vector = NDArray[np.float32]
# 1: nothing of a document that is not public is on the shelf.
FORM = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ShelfPosition:
    """The last sequence of the log whose effects are on the shelf. `clearing`: it is being emptied to start again.
    `form`: by which rules it was filled; 0 is any from before there were forms."""

    seq: int = 0
    stream_created: int = 0
    clearing: bool = False
    form: int = FORM


@dataclass(frozen=True, kw_only=True, slots=True)
class ShelvedChunk:
    """A chunk as one document has it. When it is read back, the vector is there only if it was asked for."""

    kb: str
    origin: str
    document_key: bytes
    chunk_id: bytes
    model: str
    language: str
    context: str
    text: str
    live: bool = True
    vector: Vector | None = field(default=None, compare=False)

    @property
    def key(self) -> tuple[bytes, bytes]:
        """What it is told by, in its embedding space."""
        return self.document_key, self.chunk_id


@dataclass(frozen=True, kw_only=True, slots=True)
class ShelvedDocument:
    """A revision as the shelf has it. It gives way up to revision `shadowed` to one of the same id from elsewhere."""

    origin: str
    revised: DocumentRevised
    shadowed: int = 0

    @property
    def manifest(self) -> Manifest:
        """The revision, without its stamp."""
        return self.revised.manifest

    @property
    def key(self) -> bytes:
        """The document's key."""
        return self.manifest.document_key

    @property
    def repair(self) -> int:
        """How often this revision was sent again."""
        return self.revised.stamp.repair if self.revised.stamp else 0

    @property
    def version(self) -> tuple[int, int]:
        """What orders the revisions of one document of one origin."""
        return self.manifest.revision, self.repair

    @property
    def withdrawn(self) -> bool:
        """Whether nothing of it may leave the hub: it is deleted, or not public."""
        return self.manifest.deleted or self.manifest.residency is not Residency.PUBLIC

    @property
    def live(self) -> bool:
        """Whether it may be found by a search."""
        return not self.withdrawn and self.shadowed < self.manifest.revision


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A chunk that was found, best first. `score` is a cosine (dense) or a sum of reciprocal ranks (hybrid)."""

    chunk: ShelvedChunk
    score: float
