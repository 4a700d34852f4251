"""The streams and buckets of a site, with every limit written down. Only the operator declares them."""

import enum
from dataclasses import dataclass

MIB = 1024 * 1024
GIB = 1024 * MIB
DAY_S = 86_400


class Retention(enum.StrEnum):
    """`workqueue` keeps a message until it is acknowledged; `limits` keeps it until a limit."""

    LIMITS = "limits"
    WORKQUEUE = "workqueue"


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What a stream must be. A limit of 0 means none; `refuses_when_full` makes a full stream an error at the door."""

    name: str
    subjects: tuple[str, ...]
    retention: Retention = Retention.LIMITS
    per_subject_max: int = 0
    bytes_max: int
    age_max_s: int = 0
    duplicate_window_s: int = 120
    refuses_when_full: bool = True
    first_seq_is_unix_ms: bool = False
    summary: str


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """An object store bucket."""

    name: str
    bytes_max: int
    age_max_s: int = 0
    summary: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """A stream of the other side of the link, copied into one of this side.

    `api_prefix` and `deliver_subject` are what this side may use of the other's accounts. Where `consumer` is named,
    it was made by the owner of the stream (a `Feed`), which says what it carries; else this side makes its own as it
    needs it. `owner` replaces the place in every subject, so that nobody can speak for another.
    """

    stream: str
    api_prefix: str
    deliver_subject: str
    subjects: str
    consumer: str = ""
    owner: str = ""


@dataclass(frozen=True, kw_only=True)
class Feed:
    """A consumer that the owner of a stream makes for one `Source` of another place."""

    stream: str
    consumer: str
    deliver_subject: str
    subjects: str


DOCUMENTS = Stream(
    name="DOCUMENTS",
    subjects=("site.*.document.*",),
    retention=Retention.WORKQUEUE,
    bytes_max=4 * GIB,
    first_seq_is_unix_ms=True,
    summary="Documents that wait for the ingestor. A sequence here is the document's revision.",
)
CHUNKS = Stream(
    name="CHUNKS",
    subjects=("site.*.chunk.*",),
    retention=Retention.WORKQUEUE,
    bytes_max=4 * GIB,
    summary="Chunks and drafts that wait for the embedder.",
)
DRAFTS = Stream(
    name="DRAFTS",
    subjects=("site.*.draft.*.*",),
    per_subject_max=1,
    bytes_max=4 * GIB,
    summary="The last draft per document.",
)
KNOWLEDGE = Stream(
    name="KNOWLEDGE",
    subjects=(
        "site.*.knowledge.*.chunk.*",
        "site.*.knowledge.*.document.*",
        "site.*.knowledge.*.shadow.*",
        "site.*.watermark",
    ),
    per_subject_max=1,
    bytes_max=16 * GIB,
    summary="Chunks with vectors, manifests, shadows and watermarks, of this place and of every place that it hears "
    "from: the truth that replicas rebuild from.",
)
VECTORS = Stream(
    name="VECTORS",
    subjects=("site.*.vector.*.*.*",),
    per_subject_max=1,
    bytes_max=4 * GIB,
    summary="Vectors of chunks of KNOWLEDGE in another space than they stand there: what a re-embedding has made so "
    "far, and what came over the link in a space that is not this place's.",
)
STATUS = Stream(
    name="STATUS",
    subjects=("site.*.status.*.*",),
    per_subject_max=8,
    bytes_max=1 * GIB,
    refuses_when_full=False,
    summary="The last steps of each document.",
)
DEAD = Stream(
    name="DEAD",
    subjects=("site.*.dead.*",),
    bytes_max=2 * GIB,
    age_max_s=30 * DAY_S,
    summary="What could not be processed. A full DEAD keeps the message where it was, unacknowledged.",
)
ANSWERS = Stream(
    name="ANSWERS",
    subjects=("site.*.answered.*",),
    bytes_max=1 * GIB,
    age_max_s=30 * DAY_S,
    refuses_when_full=False,
    summary="Answers that were given: what may be followed, judged and audited.",
)
INVALIDATIONS = Stream(
    name="INVALIDATIONS",
    subjects=("site.*.invalidated.*",),
    bytes_max=256 * MIB,
    age_max_s=30 * DAY_S,
    refuses_when_full=False,
    summary="Answers that a later change made doubtful, for askers that come back.",
)
FEEDBACK = Stream(
    name="FEEDBACK",
    subjects=("site.*.feedback.*", "site.*.audited.*"),
    bytes_max=512 * MIB,
    age_max_s=365 * DAY_S,
    refuses_when_full=False,
    summary="What askers and audits say of answers: what calibration is fitted from.",
)
CACHE = Stream(
    name="CACHE",
    subjects=("site.*.cached.*.*",),
    per_subject_max=1,
    bytes_max=1 * GIB,
    age_max_s=30 * DAY_S,
    refuses_when_full=False,
    summary="Answers that may be given again.",
)
USAGE = Stream(
    name="USAGE",
    subjects=("site.*.usage",),
    bytes_max=512 * MIB,
    age_max_s=90 * DAY_S,
    refuses_when_full=False,
    summary="What answers cost.",
)
BREAKER = Stream(
    name="BREAKER",
    subjects=("site.*.breaker.*",),
    per_subject_max=64,
    bytes_max=16 * MIB,
    refuses_when_full=False,
    summary="The last transitions of each breaker; the newest is its state.",
)
CALIBRATION = Stream(
    name="CALIBRATION",
    subjects=("site.*.calibration.*", "site.*.drift.*.*"),
    per_subject_max=16,
    bytes_max=256 * MIB,
    refuses_when_full=False,
    summary="The last calibrations of each kb, and the last alarms of each of its languages that one has drifted.",
)
CANARY = Stream(
    name="CANARY",
    subjects=("site.*.canary",),
    per_subject_max=1,
    bytes_max=1 * MIB,
    summary="Readable only with the right storage key.",
)

INBOX = Stream(
    name="INBOX",
    subjects=(),
    per_subject_max=1,
    bytes_max=16 * GIB,
    # An id that one site chose must not keep a message of another site out; sources bring each message once anyhow.
    duplicate_window_s=0,
    refuses_when_full=False,
    summary="What the other side of the link shares, brought by JetStream sources: nobody publishes here.",
)


def outbox(place: str) -> Stream:
    """The stream of what `place` shares. The place is in its name, so that flow control of two links never meets."""
    return Stream(
        name=f"OUTBOX_{place}",
        subjects=(f"site.{place}.outbox.*.chunk.*", f"site.{place}.outbox.*.document.*", f"site.{place}.artifact.*"),
        per_subject_max=1,
        bytes_max=16 * GIB,
        summary="What may leave, last per chunk and document, for as long as the other side needs to take it.",
    )


ALL_SITE: tuple[Stream, ...] = (
    DOCUMENTS,
    CHUNKS,
    DRAFTS,
    KNOWLEDGE,
    VECTORS,
    STATUS,
    ANSWERS,
    INVALIDATIONS,
    FEEDBACK,
    CACHE,
    USAGE,
    BREAKER,
    CALIBRATION,
    DEAD,
    CANARY,
)

BODIES = Bucket(
    name="BODIES",
    bytes_max=8 * GIB,
    age_max_s=30 * DAY_S,
    summary="Bodies of documents that do not fit in a message.",
)
ALL_SITE_BUCKETS: tuple[Bucket, ...] = (BODIES,)
ARTIFACTS = Bucket(
    name="ARTIFACTS",
    bytes_max=16 * GIB,
    summary="Models, adapters and calibration files that the hub hands to its sites.",
)
ALL_HUB_BUCKETS: tuple[Bucket, ...] = (BODIES, ARTIFACTS)


def site_reserved_gb() -> int:
    """What the streams and buckets of a site reserve between them: a server with less refuses to declare them."""
    return _reserved_gb(*ALL_SITE, *ALL_SITE_BUCKETS, CANARY, INBOX, outbox("any"))


def hub_reserved_gb() -> int:
    """The same of a hub."""
    return _reserved_gb(*ALL_SITE, *ALL_HUB_BUCKETS, INBOX, outbox("any"))


def _reserved_gb(*kept: Stream | Bucket) -> int:
    return -(-sum(one.bytes_max for one in kept) // GIB)


def documented(place: str = "branch-1") -> tuple[Stream, ...]:
    """Every stream that there is at a place, those of the link included."""
    return (*ALL_SITE, INBOX, outbox(place))
