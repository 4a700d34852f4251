"""The compacted log that every replica rebuilds its read model from."""

from typing import ClassVar

import msgspec

from causeway.proto.chunks import Manifest
from causeway.proto.codec import Message
from causeway.proto.documents import Kb


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """When a shared revision was written, by hybrid logical clock, and what its place had seen of the document then.

    `seen` holds, per origin, the newest revision of the same document that stood in the log before. `repair` counts
    how often the revision was sent again because a comparison found it damaged on the other side.
    """

    wall_ms: int
    counter: int
    origin: str
    seen: dict[str, int] = {}
    repair: int = 0


class ChunkEmbedded(Message, frozen=True, kw_only=True):
    """A chunk with its vector: `dims` float16 numbers, little endian, of length 1."""

    type_name: ClassVar[str] = "io.causeway.chunk_embedded.v1"

    kb: Kb
    chunk_id: bytes
    model: str
    language: str
    context: str
    text: str
    dims: int
    vector_f16: bytes


class ChunkReembedded(Message, frozen=True, kw_only=True):
    """Another vector of a chunk of this log, made at this place by another model; the rest of it is as it stands."""

    type_name: ClassVar[str] = "io.causeway.chunk_reembedded.v1"

    kb: Kb
    chunk_id: bytes
    model: str
    dims: int
    vector_f16: bytes


class DocumentRevised(Message, frozen=True, kw_only=True):
    """A revision, published after all its chunks. `manifest.deleted` makes it a tombstone."""

    type_name: ClassVar[str] = "io.causeway.document_revised.v1"

    manifest: Manifest
    stamp: Stamp | None = None


class DocumentShadowed(Message, frozen=True, kw_only=True):
    """This revision of a document gives way, at this place, to one of the same id from `winner`: it is not searched.

    `concurrent` tells a sibling (written while neither place knew of the other's) from a version that was replaced.
    Revision 0 lifts the shadow. A newer revision of the document than the one named stands in the light again.
    """

    type_name: ClassVar[str] = "io.causeway.document_shadowed.v1"

    kb: Kb
    document_id: str
    document_key: bytes
    revision: int
    winner: str
    winner_revision: int
    concurrent: bool


class Watermark(Message, frozen=True, kw_only=True):
    """How far what `origin` shares is in this log: published after its effects. Created times are unix nanoseconds."""

    type_name: ClassVar[str] = "io.causeway.watermark.v1"

    origin: str
    outbox_seq: int
    inbox_seq: int
    inbox_created_ns: int = 0
