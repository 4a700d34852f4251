"""The history of a knowledge base: which revisions a replica holds, and what stood in each."""

from typing import Annotated, ClassVar

import msgspec

from causeway.proto.chunks import Manifest
from causeway.proto.codec import Message
from causeway.proto.documents import Kb, Residency

REVISIONS_MAX = 1_000


class HistoryAsked(Message, frozen=True, kw_only=True):
    """Ask for the revisions of a kb, newest first, or of one of its documents. `before` pages on."""

    type_name: ClassVar[str] = "io.causeway.history_asked.v1"

    kb: Kb
    document_id: str = ""
    revisions_max: Annotated[int, msgspec.Meta(ge=1, le=REVISIONS_MAX)] = 100
    before: int = 0


class RevisionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a log. `seq` is where the log stood when the revision took effect: the epoch to travel back to; it
    is 0 for what took effect in a log that has been made anew since.

    `current` is the newest revision of its origin. Where that gives way to another origin's, `shadowed_by` names it,
    and so does `sibling_of` if neither place knew of the other's. `earlier_gone` says of the oldest revision held of a
    document that there were earlier ones.
    """

    document_id: str
    document_key: bytes
    origin: str
    revision: int
    seq: int
    at_unix_ms: int
    deleted: bool
    title: str
    chunks: int
    current: bool
    sibling_of: str = ""
    shadowed_by: str = ""
    earlier_gone: bool = False


class History(Message, frozen=True, kw_only=True):
    """The revisions asked for; `next_before` is 0 at the end.

    From the epoch `complete_from` on, every revision that took effect was seen; of before, the log may have forgotten
    some.
    """

    type_name: ClassVar[str] = "io.causeway.history.v1"

    kb: Kb
    revisions: list[RevisionEntry]
    next_before: int = 0
    complete_from: int = 0


class RevisionAsked(Message, frozen=True, kw_only=True):
    """Ask for one revision of a document in full: by its number, or the one that stood at a sequence of the log.

    With neither it is the one that is searched. `origin` empty means: of any origin, that of the place first.
    """

    type_name: ClassVar[str] = "io.causeway.revision_asked.v1"

    kb: Kb
    document_id: str
    revision: int = 0
    at_seq: int = 0
    origin: str = ""


class ChunkText(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a chunk."""

    chunk_id: bytes
    language: str
    context: str
    text: str


class RevisionText(Message, frozen=True, kw_only=True):
    """A revision with the texts of its chunks in their order, in as many messages as it takes: `last` ends them.

    The first has the manifest whole, the others without its places. `standing_residency` is the strictest that the
    document has in its newest state that is not a deletion.
    """

    type_name: ClassVar[str] = "io.causeway.revision_text.v1"

    manifest: Manifest
    origin: str
    chunks: list[ChunkText]
    standing_residency: Residency = Residency.RESTRICTED
    last: bool = True
