"""The registry of subjects: which type each carries, who writes, who reads, and in which stream it is kept.

Site and kb are the only variable tokens, because metrics use subjects as labels; the compacted logs end in a key.
"""

import hashlib
import re
from dataclasses import dataclass

from causeway.proto import (
    answers,
    breaker,
    cache,
    calibration,
    chunks,
    cloud,
    dead,
    documents,
    feedback,
    history,
    knowledge,
    link,
    outbox,
    space,
    usage,
)
from causeway.proto.codec import Message

HUB = "hub"
"""The name of the place at the other end of every link; no site may have it."""
OUTBOX = "OUTBOX"
"""What `stream` says of the subjects that cross the link: `streams.outbox` has the name with the place in it."""
SITE_NAME = re.compile(cloud.PLACE_NAME)
_KB_NAME = re.compile(documents.KB_NAME)


class BadNameError(ValueError):
    """A site is named by lower-case letters, digits and -, a kb also by _; both begin with a letter or digit."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One row of the registry. `pattern` has {site}, {kb} and, in compacted logs, {key}; {space} is a model's."""

    name: str
    pattern: str
    carries: tuple[type[Message], ...]
    replies: tuple[type[Message], ...] = ()
    stream: str = ""
    """The stream that keeps it; `OUTBOX` stands for `OUTBOX_<place>`."""
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    summary: str

    def at(self, site: str, kb: str = "*", key: str = "*", space: str = "*") -> str:
        """The subject of a site, of one kb or all (`*`).

        Raises:
            BadNameError: a name that can not be a subject token.
        """
        return self.pattern.format(site=checked_site(site), kb=checked_kb(kb), key=key, space=space)


def checked_site(site: str) -> str:
    """The site's name, if it can be a token and a JetStream domain."""
    if site != "*" and not SITE_NAME.fullmatch(site):
        raise BadNameError(f"site {site!r} can not be a name: {BadNameError.__doc__}")
    return site


def checked_kb(kb: str) -> str:
    """The kb's name, if it can be a subject token."""
    if kb != "*" and not _KB_NAME.fullmatch(kb):
        raise BadNameError(f"knowledge base {kb!r} can not be a name: {BadNameError.__doc__}")
    return kb


def space_token(model_id: str) -> str:
    """The embedding space of a model as a subject token."""
    return hashlib.blake2b(model_id.encode(), digest_size=4).hexdigest()


DOCUMENT = Subject(
    name="document",
    pattern="site.{site}.document.{kb}",
    carries=(documents.Document, documents.DocumentDeleted, documents.DocumentRestored),
    stream="DOCUMENTS",
    producers=("producer", "cli"),
    consumers=("ingestor",),
    summary="A producer publishes a document, whole, or deletes it.",
)
CHUNK = Subject(
    name="chunk",
    pattern="site.{site}.chunk.{kb}",
    carries=(chunks.ChunkCut, chunks.RevisionDrafted),
    stream="CHUNKS",
    producers=("ingestor",),
    consumers=("embedder",),
    summary="Chunks to embed, then the draft of the revision that names them.",
)
DRAFT = Subject(
    name="draft",
    pattern="site.{site}.draft.{kb}.{key}",
    carries=(chunks.RevisionDrafted,),
    stream="DRAFTS",
    producers=("ingestor",),
    consumers=("ingestor",),
    summary="The last draft per document: what the next revision is compared with.",
)
KNOWLEDGE_CHUNK = Subject(
    name="knowledge_chunk",
    pattern="site.{site}.knowledge.{kb}.chunk.{key}",
    carries=(knowledge.ChunkEmbedded,),
    stream="KNOWLEDGE",
    producers=("embedder", "ingestor", "sync-delta"),
    consumers=("edge-inference", "sync-delta"),
    summary="A chunk with its vector, last per chunk.",
)
KNOWLEDGE_DOCUMENT = Subject(
    name="knowledge_document",
    pattern="site.{site}.knowledge.{kb}.document.{key}",
    carries=(knowledge.DocumentRevised,),
    stream="KNOWLEDGE",
    producers=("embedder", "ingestor", "sync-delta"),
    consumers=("edge-inference", "sync-delta"),
    summary="The manifest of a document, last per document, published after all its chunks.",
)
KNOWLEDGE_SHADOW = Subject(
    name="knowledge_shadow",
    pattern="site.{site}.knowledge.{kb}.shadow.{key}",
    carries=(knowledge.DocumentShadowed,),
    stream="KNOWLEDGE",
    producers=("sync-delta",),
    consumers=("edge-inference", "sync-delta"),
    summary="A document that gives way to one of the same id from elsewhere; the site token is the loser's origin.",
)
WATERMARK = Subject(
    name="watermark",
    pattern="site.{site}.watermark",
    carries=(knowledge.Watermark,),
    stream="KNOWLEDGE",
    producers=("sync-delta",),
    consumers=("edge-inference", "sync-delta"),
    summary="How far what a place shares has come into this log; the site token is that place.",
)
VECTOR = Subject(
    name="vector",
    pattern="site.{site}.vector.{kb}.{space}.{key}",
    carries=(knowledge.ChunkReembedded,),
    stream="VECTORS",
    producers=("embedder",),
    consumers=("edge-inference", "ingestor"),
    summary="A vector of another space for a chunk of KNOWLEDGE; the site token is the chunk's origin.",
)
SPACE = Subject(
    name="space",
    pattern="site.{site}.space",
    carries=(space.SpaceAsked,),
    replies=(space.SpaceStatus, answers.Problem),
    producers=("cli",),
    consumers=("cli",),
    summary="Change the embedding model of a place, answered by its supervisor.",
)
OUTBOX_CHUNK = Subject(
    name="outbox_chunk",
    pattern="site.{site}.outbox.{kb}.chunk.{key}",
    carries=(outbox.ChunkShared,),
    stream=OUTBOX,
    producers=("sync-delta",),
    consumers=("sync-delta",),
    summary="A chunk on its way over the link; the key is its number.",
)
OUTBOX_DOCUMENT = Subject(
    name="outbox_document",
    pattern="site.{site}.outbox.{kb}.document.{key}",
    carries=(outbox.DocumentShared,),
    stream=OUTBOX,
    producers=("sync-delta",),
    consumers=("sync-delta",),
    summary="A document on its way over the link, after its chunks.",
)
ARTIFACT = Subject(
    name="artifact",
    pattern="site.{site}.artifact.{key}",
    carries=(outbox.ArtifactOffered,),
    stream=OUTBOX,
    producers=("cli",),
    consumers=("sync-delta",),
    summary="The newest version of an artifact that the hub offers; the key is kind and name.",
)
SYNC_REPORT = Subject(
    name="sync_report",
    pattern="site.{site}.sync.report",
    carries=(link.SiteReport,),
    replies=(link.HubReport, answers.Problem),
    producers=("sync-delta",),
    consumers=("sync-delta",),
    summary="A site reports to the hub, and hears how far the hub has come.",
)
SYNC_COMPARE = Subject(
    name="sync_compare",
    pattern="site.{site}.sync.compare",
    carries=(link.Compare,),
    replies=(link.Compared, answers.Problem),
    producers=("sync-delta",),
    consumers=("sync-delta",),
    summary="One round of finding the documents on which site and hub differ.",
)
SYNC_DOCUMENTS = Subject(
    name="sync_documents",
    pattern="site.{site}.sync.documents",
    carries=(link.FetchDocuments,),
    replies=(outbox.ChunkShared, outbox.DocumentShared, answers.Problem),
    producers=("sync-delta",),
    consumers=("sync-delta",),
    summary="What the hub holds of documents of the asking site, in parts.",
)
SYNC_ARTIFACT = Subject(
    name="sync_artifact",
    pattern="site.{site}.sync.artifact",
    carries=(link.FetchArtifact,),
    replies=(link.ArtifactBytes, answers.Problem),
    producers=("sync-delta",),
    consumers=("sync-delta",),
    summary="A piece of an artifact.",
)
SYNC_OFFERS = Subject(
    name="sync_offers",
    pattern="site.{site}.sync.offers",
    carries=(link.OffersAsked,),
    replies=(outbox.ArtifactOffered, answers.Problem),
    producers=("sync-delta",),
    consumers=("sync-delta",),
    summary="All artifacts that are on offer, in parts.",
)
LINK_STATUS = Subject(
    name="link_status",
    pattern="site.{site}.link.status",
    carries=(link.LinkStatusAsked,),
    replies=(link.LinkStatus, answers.Problem),
    producers=("cli",),
    consumers=("sync-delta",),
    summary="How sync stands at this place.",
)
LINK_VERIFY = Subject(
    name="link_verify",
    pattern="site.{site}.link.verify",
    carries=(link.VerifyAsked,),
    replies=(link.Verified, answers.Problem),
    producers=("cli",),
    consumers=("sync-delta",),
    summary="Compare with the other side, and mend on request.",
)
LINK_LEDGER = Subject(
    name="link_ledger",
    pattern="site.{site}.link.ledger",
    carries=(link.LedgerAsked,),
    replies=(link.Ledger, answers.Problem),
    producers=("cli",),
    consumers=("sync-delta",),
    summary="What left this place, line by line.",
)
HISTORY = Subject(
    name="history",
    pattern="site.{site}.history.{kb}",
    carries=(history.HistoryAsked,),
    replies=(history.History, answers.Problem),
    producers=("cli",),
    consumers=("edge-inference",),
    summary="The revisions that are held of a kb.",
)
REVISION = Subject(
    name="revision",
    pattern="site.{site}.revision.{kb}",
    carries=(history.RevisionAsked,),
    replies=(history.RevisionText, answers.Problem),
    producers=("cli", "ingestor"),
    consumers=("edge-inference",),
    summary="One revision of a document in full.",
)
STATUS = Subject(
    name="status",
    pattern="site.{site}.status.{kb}.{key}",
    carries=(documents.DocumentStatus,),
    stream="STATUS",
    producers=("ingestor", "embedder", "edge-inference", "sync-delta"),
    consumers=("cli", "client"),
    summary="The steps of each document on its way to being searchable, the last few per document.",
)
ASK = Subject(
    name="ask",
    pattern="site.{site}.ask.{kb}",
    carries=(answers.Ask,),
    replies=(answers.Answer, answers.AnswerPart, answers.Problem),
    producers=("client",),
    consumers=("edge-inference",),
    summary="A question; the reply is one answer, or parts of which the last is final.",
)
SEARCH = Subject(
    name="search",
    pattern="site.{site}.search.{kb}",
    carries=(answers.Search,),
    replies=(answers.SearchResult, answers.Problem),
    producers=("client",),
    consumers=("edge-inference",),
    summary="Passages without an answer.",
)
CLOUD_ASK = Subject(
    name="cloud_ask",
    pattern="site.{site}.cloud.ask",
    carries=(cloud.CloudAsk,),
    replies=(cloud.CloudPart, answers.Problem),
    producers=("edge-inference",),
    consumers=("cloud-inference",),
    summary="A question over the link, answered in parts by the hub.",
)
CLOUD_CANCEL = Subject(
    name="cloud_cancel",
    pattern="site.{site}.cloud.cancel",
    carries=(cloud.CloudCancel,),
    producers=("edge-inference",),
    consumers=("cloud-inference",),
    summary="A site waits no more for an answer over the link.",
)
CLOUD_STATUS = Subject(
    name="cloud_status",
    pattern="site.{site}.cloud.status",
    carries=(cloud.CloudStatusAsked,),
    replies=(cloud.CloudStatus, answers.Problem),
    producers=("cli", "edge-inference"),
    consumers=("cloud-inference",),
    summary="How the hub's engine is.",
)
CLOUD_STANDING = Subject(
    name="cloud_standing",
    pattern="site.{site}.cloud.standing",
    carries=(cloud.CitationsAsked,),
    replies=(cloud.CitationsStanding, answers.Problem),
    producers=("edge-inference",),
    consumers=("cloud-inference",),
    summary="Whether what answers at a site cite of other places still stands.",
)
ANSWERED = Subject(
    name="answered",
    pattern="site.{site}.answered.{kb}",
    carries=(feedback.AnswerGiven,),
    stream="ANSWERS",
    producers=("edge-inference",),
    consumers=("edge-inference", "cli"),
    summary="An answer as it was given.",
)
INVALIDATED = Subject(
    name="invalidated",
    pattern="site.{site}.invalidated.{kb}",
    carries=(feedback.AnswerInvalidated,),
    stream="INVALIDATIONS",
    producers=("edge-inference",),
    consumers=("client", "cli"),
    summary="An answer rests on a chunk that has changed since.",
)
FEEDBACK = Subject(
    name="feedback",
    pattern="site.{site}.feedback.{kb}",
    carries=(feedback.Feedback,),
    stream="FEEDBACK",
    producers=("client", "cli"),
    consumers=("edge-inference", "cli"),
    summary="What an asker says of an answer.",
)
AUDITED = Subject(
    name="audited",
    pattern="site.{site}.audited.{kb}",
    carries=(feedback.AnswerAudited,),
    stream="FEEDBACK",
    producers=("edge-inference",),
    consumers=("edge-inference", "cli"),
    summary="A local answer beside the cloud's.",
)
CACHED = Subject(
    name="cached",
    pattern="site.{site}.cached.{kb}.{key}",
    carries=(cache.AnswerCached, cache.AnswerUncached),
    stream="CACHE",
    producers=("edge-inference",),
    consumers=("edge-inference",),
    summary="An answer that may be given again, or that may not any more.",
)
USAGE = Subject(
    name="usage",
    pattern="site.{site}.usage",
    carries=(usage.UsageRecorded,),
    stream="USAGE",
    producers=("edge-inference", "cloud-inference"),
    consumers=("cost-guard",),
    summary="What an answer cost, at the place that did the work.",
)
BREAKER = Subject(
    name="breaker",
    pattern="site.{site}.breaker.{key}",
    carries=(breaker.BreakerTurned,),
    stream="BREAKER",
    producers=("edge-inference",),
    consumers=("edge-inference", "alerting"),
    summary="A breaker turned; the key is what it stands before.",
)
CALIBRATION = Subject(
    name="calibration",
    pattern="site.{site}.calibration.{kb}",
    carries=(calibration.CalibrationFitted,),
    stream="CALIBRATION",
    producers=("cli",),
    consumers=("edge-inference",),
    summary="The calibration of a kb from now on.",
)
DRIFT = Subject(
    name="drift",
    pattern="site.{site}.drift.{kb}.{key}",
    carries=(calibration.CalibrationDrifted,),
    stream="CALIBRATION",
    producers=("edge-inference",),
    consumers=("alerting", "edge-inference"),
    summary="Live agreement has left the promise of a calibration, or is back at it; the key is the language.",
)
DEAD = Subject(
    name="dead",
    pattern="site.{site}.dead.{key}",
    carries=(dead.DeadLetter,),
    stream="DEAD",
    producers=("ingestor", "embedder", "edge-inference", "sync-delta"),
    consumers=("cli",),
    summary="Messages that could not be processed; the last token is the service that gave up.",
)
CANARY = Subject(
    name="canary",
    pattern="site.{site}.canary",
    carries=(dead.Canary,),
    stream="CANARY",
    producers=("cli",),
    consumers=("cli",),
    summary="One message that is readable only with the storage key of the site.",
)

ALL: tuple[Subject, ...] = (
    DOCUMENT,
    CHUNK,
    DRAFT,
    KNOWLEDGE_CHUNK,
    KNOWLEDGE_DOCUMENT,
    KNOWLEDGE_SHADOW,
    WATERMARK,
    VECTOR,
    OUTBOX_CHUNK,
    OUTBOX_DOCUMENT,
    ARTIFACT,
    SYNC_REPORT,
    SYNC_COMPARE,
    SYNC_DOCUMENTS,
    SYNC_ARTIFACT,
    SYNC_OFFERS,
    LINK_STATUS,
    LINK_VERIFY,
    LINK_LEDGER,
    STATUS,
    ASK,
    SEARCH,
    HISTORY,
    REVISION,
    SPACE,
    CLOUD_ASK,
    CLOUD_CANCEL,
    CLOUD_STATUS,
    CLOUD_STANDING,
    ANSWERED,
    INVALIDATED,
    FEEDBACK,
    AUDITED,
    CACHED,
    USAGE,
    BREAKER,
    CALIBRATION,
    DRIFT,
    DEAD,
    CANARY,
)
