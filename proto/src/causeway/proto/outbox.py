"""What crosses the link: chunks by number, documents as runs of those numbers, and offers of artifacts."""

import enum
from typing import Annotated, ClassVar

import msgspec

from causeway.proto.chunks import Manifest
from causeway.proto.codec import Message
from causeway.proto.documents import Kb
from causeway.proto.knowledge import Stamp


class ChunkShared(Message, frozen=True, kw_only=True):
    """A chunk with its vector as int8: component i is `vector_i8[i] * scale`. `number` is unique in origin and kb.

    `text` is UTF-8, compressed by zstd where `zstd` says so.
    """

    type_name: ClassVar[str] = "io.causeway.chunk_shared.v1"

    kb: Kb
    number: int
    chunk_id: bytes
    model: str
    language: str
    context: str
    text: bytes
    zstd: bool = False
    scale: float
    vector_i8: bytes


class Run(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The chunks numbered `start` to `start + count - 1`, in this order, all on these pages (0: there are none)."""

    start: int
    count: int
    page_first: int = 0
    page_last: int = 0


class DocumentShared(Message, frozen=True, kw_only=True):
    """A revision as it crosses the link: `manifest.places` is empty, `runs` says the same in a few bytes.

    The numbers name messages of the same outbox, so that no revision needs another one as its base.
    """

    type_name: ClassVar[str] = "io.causeway.document_shared.v1"

    manifest: Manifest
    runs: list[Run]
    stamp: Stamp


class ArtifactKind(enum.StrEnum):
    """What an artifact is for, and so how it is tried before it takes effect."""

    MODEL = "model"
    ADAPTER = "adapter"
    CALIBRATION = "calibration"
    FILE = "file"


ArtifactName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
ArtifactVersion = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class ArtifactOffered(Message, frozen=True, kw_only=True):
    """A version of an artifact that sites may fetch, as one file; a `filename` that ends in .tar is a folder's.

    `withdrawn` sends the sites back to the version that they had before.
    """

    type_name: ClassVar[str] = "io.causeway.artifact_offered.v1"

    kind: ArtifactKind
    name: ArtifactName
    version: ArtifactVersion
    filename: str
    object_name: str
    size_bytes: int
    sha256: str
    withdrawn: bool = False
