"""Requests over the link between sync-delta of a site and of the hub, and those that an operator makes of either."""

from typing import Annotated, ClassVar

import msgspec

from causeway.proto.codec import Message
from causeway.proto.documents import Kb

KEYS_MAX = 512
ARTIFACT_BYTES_MAX = 1024 * 1024


class SiteReport(Message, frozen=True, kw_only=True):
    """What a site tells the hub about itself from time to time; the reply is `HubReport`.

    `closed_seq`: the hub had applied all that the site had begun to share when its outbox ended there; 0: not so now.
    """

    type_name: ClassVar[str] = "io.causeway.site_report.v1"

    site: str
    at_unix_ms: int
    outbox_seq: int
    closed_seq: int = 0
    queued: int = 0
    withheld: int = 0
    siblings: int = 0
    inbox_seq: int = 0
    verified_unix_ms: int = 0
    verified_equal: bool = False
    artifacts: dict[str, str] = {}


class HubReport(Message, frozen=True, kw_only=True):
    """How far the hub has applied what the site shares (`applied_seq` of its outbox; 0: nothing yet).

    `shared` is a fingerprint, by kb, of all live documents that the hub shares, as it was when its outbox stood at
    `outbox_seq` or later: a site that has a kb whole finds the same.
    """

    type_name: ClassVar[str] = "io.causeway.hub_report.v1"

    at_unix_ms: int
    applied_seq: int
    outbox_seq: int = 0
    siblings: int = 0
    shared: dict[str, bytes] = {}


class Span(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The documents with low <= document_key < high (empty: no bound), as one fingerprint and their number."""

    low: bytes
    high: bytes
    count: int
    fingerprint: bytes


class Item(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One document and the digest of all that a replica of it must hold."""

    document_key: bytes
    digest: bytes


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """All the items of one span that was found to differ."""

    low: bytes
    high: bytes
    items: list[Item]


class Compare(Message, frozen=True, kw_only=True):
    """The spans of what the asking site shares of a kb. `thorough` makes the hub read its records again."""

    type_name: ClassVar[str] = "io.causeway.compare.v1"

    kb: Kb
    spans: list[Span]
    thorough: bool = False


class Compared(Message, frozen=True, kw_only=True):
    """Of the spans that differ: finer spans to ask about, and the items of those that are small."""

    type_name: ClassVar[str] = "io.causeway.compared.v1"

    kb: Kb
    spans: list[Span] = []
    listings: list[Listing] = []


class FetchDocuments(Message, frozen=True, kw_only=True):
    """Ask for what the hub holds of documents of the asking site, to mend the site's own log."""

    type_name: ClassVar[str] = "io.causeway.fetch_documents.v1"

    kb: Kb
    document_keys: Annotated[list[bytes], msgspec.Meta(max_length=KEYS_MAX)]


class FetchArtifact(Message, frozen=True, kw_only=True):
    """Ask for bytes of an artifact from an offset on."""

    type_name: ClassVar[str] = "io.causeway.fetch_artifact.v1"

    object_name: str
    offset: Annotated[int, msgspec.Meta(ge=0)]
    bytes_max: Annotated[int, msgspec.Meta(ge=1, le=ARTIFACT_BYTES_MAX)] = ARTIFACT_BYTES_MAX


class OffersAsked(Message, frozen=True, kw_only=True):
    """Ask for all artifacts that are on offer: what came over the link by itself may have lost one."""

    type_name: ClassVar[str] = "io.causeway.offers_asked.v1"


class ArtifactBytes(Message, frozen=True, kw_only=True):
    """A piece of an artifact; `total` is its whole size."""

    type_name: ClassVar[str] = "io.causeway.artifact_bytes.v1"

    offset: int
    total: int
    data: bytes


class LinkStatusAsked(Message, frozen=True, kw_only=True):
    """An operator asks how the link is."""

    type_name: ClassVar[str] = "io.causeway.link_status_asked.v1"


class PeerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One direction of one link. Lag is what `origin` shares and `replica` has not applied yet."""

    origin: str
    replica: str
    connected: bool
    outbox_seq: int
    applied_seq: int
    lag_messages: int
    lag_bytes: int
    lag_s: float
    queued: int = 0
    withheld: int = 0
    verified_unix_ms: int = 0
    verified_equal: bool = False


class LinkStatus(Message, frozen=True, kw_only=True):
    """The state of sync at one place. `epoch` is the vector of watermarks that its log has reached."""

    type_name: ClassVar[str] = "io.causeway.link_status.v1"

    place: str
    role: str
    epoch: dict[str, int]
    peers: list[PeerStatus]
    siblings: list[str] = []
    artifacts: dict[str, str] = {}


class VerifyAsked(Message, frozen=True, kw_only=True):
    """An operator asks a site to compare what it shares with what the hub holds, and to mend it if `repair`."""

    type_name: ClassVar[str] = "io.causeway.verify_asked.v1"

    kb: str = ""
    repair: bool = False


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One document that differs: where it is wrong, how, and whether it was mended."""

    kb: str
    document_key: bytes
    document_id: str
    wrong_at: str
    what: str
    repaired: bool = False


class Verified(Message, frozen=True, kw_only=True):
    """The outcome of a comparison: equal when there are no differences left."""

    type_name: ClassVar[str] = "io.causeway.verified.v1"

    place: str
    documents: int
    equal: bool
    differences: list[Difference]
    bytes_sent: int
    bytes_received: int
    rounds: int
    unsettled: bool = False


LINES_MAX = 1_000


class LedgerAsked(Message, frozen=True, kw_only=True):
    """An operator asks for lines of the egress ledger after a number; `verify` checks the whole chain."""

    type_name: ClassVar[str] = "io.causeway.ledger_asked.v1"

    after: int = 0
    lines_max: Annotated[int, msgspec.Meta(ge=1, le=LINES_MAX)] = 100
    newest: bool = False
    verify: bool = False


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that left the place: what, when, under which label and why. `hash` seals it and the line before it."""

    number: int
    at_unix_ms: int
    kb: str
    document_id: str
    revision: int
    label: str
    action: str
    reason: str
    chunks: int
    bytes_out: int
    hash: bytes


class Ledger(Message, frozen=True, kw_only=True):
    """The lines, and the first line that breaks the chain (0: none, or it was not asked for)."""

    type_name: ClassVar[str] = "io.causeway.ledger.v1"

    lines: list[LedgerLine]
    total: int
    broken_at: int = 0
    broken_reason: str = ""
