"""What the ingestor asks the embedder to do: new chunks, then the draft of the revision that names them all."""

from typing import ClassVar

import msgspec

from causeway.proto.codec import Message
from causeway.proto.documents import DocumentId, Kb, Residency


class ChunkCut(Message, frozen=True, kw_only=True):
    """A chunk that the knowledge base may not have yet. What is embedded is `context` + newline + `text`."""

    type_name: ClassVar[str] = "io.causeway.chunk_cut.v1"

    kb: Kb
    chunk_id: bytes
    model: str
    language: str
    context: str
    text: str


class Place(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Where a chunk stands in its document: order is the list's. Pages count from 1; 0 means that there are none."""

    chunk_id: bytes
    page_first: int = 0
    page_last: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of a document: everything about it that is not the text of its chunks."""

    kb: Kb
    document_id: DocumentId
    document_key: bytes
    revision: int
    deleted: bool = False
    title: str = ""
    filename: str = ""
    media_type: str = ""
    language: str = "und"
    residency: Residency = Residency.RESTRICTED
    metadata: dict[str, str] = {}
    content_sha256: str = ""
    model: str = ""
    pages: int = 0
    places: list[Place] = []


class RevisionDrafted(Message, frozen=True, kw_only=True):
    """A manifest that becomes knowledge when all its chunks are there. Kept, last per document, in DRAFTS."""

    type_name: ClassVar[str] = "io.causeway.revision_drafted.v1"

    manifest: Manifest
    chunks_new: int
