"""The compacted log that every replica rebuilds its read model from."""

from typing import ClassVar

from causeway.proto.chunks import Manifest
from causeway.proto.codec import Message
from causeway.proto.documents import Kb


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


class DocumentRevised(Message, frozen=True, kw_only=True):
    """A revision, published after all its chunks. `manifest.deleted` makes it a tombstone."""

    type_name: ClassVar[str] = "io.causeway.document_revised.v1"

    manifest: Manifest
