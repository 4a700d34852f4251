"""What producers publish, and what a site says of each document on its way to being searchable."""

import enum
from typing import Annotated, ClassVar

import msgspec

from causeway.proto.codec import Message

KB_NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
Kb = Annotated[str, msgspec.Meta(pattern=KB_NAME, description="Knowledge base: lower-case letters, digits, - and _.")]
DocumentId = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, description="The producer's own id, any text.")]
DOCUMENT_BYTES_MAX = 256 * 1024 * 1024


class Residency(enum.StrEnum):
    """Where a document may go. The strictest is the default: a producer says so when something may travel."""

    RESTRICTED = "restricted"
    INTERNAL = "internal"
    PUBLIC = "public"


class ObjectRef(msgspec.Struct, frozen=True, kw_only=True):
    """A body in the JetStream object store, for what does not fit in a message."""

    bucket: str
    name: str
    size_bytes: int
    sha256: str


class Document(Message, frozen=True, kw_only=True):
    """One state of a document, in full. Publishing the same id again makes a new revision."""

    type_name: ClassVar[str] = "io.causeway.document.v1"

    kb: Kb
    document_id: DocumentId
    filename: str = ""
    media_type: str = ""
    title: str = ""
    residency: Residency = Residency.RESTRICTED
    metadata: dict[str, str] = {}
    body: bytes | None = None
    object: ObjectRef | None = None


class DocumentDeleted(Message, frozen=True, kw_only=True):
    """The producer has deleted the document: it leaves the knowledge base on every replica."""

    type_name: ClassVar[str] = "io.causeway.document_deleted.v1"

    kb: Kb
    document_id: DocumentId


class DocumentRestored(Message, frozen=True, kw_only=True):
    """An earlier revision of a document becomes its newest: nothing is uploaded again."""

    type_name: ClassVar[str] = "io.causeway.document_restored.v1"

    kb: Kb
    document_id: DocumentId
    revision: int


class State(enum.StrEnum):
    """How far a revision has come."""

    RECEIVED = "received"
    PARSED = "parsed"
    EMBEDDED = "embedded"
    FAILED = "failed"
    SEARCHABLE = "searchable"
    DELETED = "deleted"


class DocumentStatus(Message, frozen=True, kw_only=True):
    """One step of one revision. The newest of a document is `fold_statuses` over what STATUS holds.

    `origin` is the place that the revision came from over the link; empty for the place's own.
    """

    type_name: ClassVar[str] = "io.causeway.document_status.v1"

    kb: Kb
    document_id: DocumentId
    revision: int
    state: State
    reason: str = ""
    code: str = ""
    service: str
    at_unix_ms: int
    chunks_total: int = 0
    chunks_new: int = 0
    pages: int = 0
    origin: str = ""


_RANK = {state: rank for rank, state in enumerate(State)}


def fold_statuses(statuses: list[DocumentStatus]) -> dict[tuple[str, str], DocumentStatus]:
    """The furthest state of the newest revision, by (kb, document_id): repeats and late arrivals do not matter.

    Revisions of two places can not be compared: where the place has the document itself, its own count.
    """
    newest: dict[tuple[str, str], DocumentStatus] = {}
    for status in statuses:
        key = (status.kb, status.document_id)
        known = newest.get(key)
        if known is None or _order(status) > _order(known):
            newest[key] = status
    return newest


def _order(status: DocumentStatus) -> tuple[bool, int, int]:
    return not status.origin, status.revision, _RANK[status.state]
