"""The registry of subjects: which type each carries, who writes, who reads, and in which stream it is kept.

Site and kb are the only variable tokens, because metrics use subjects as labels; the compacted logs end in a key.
"""

import re
from dataclasses import dataclass

from causeway.proto import answers, chunks, dead, documents, knowledge
from causeway.proto.codec import Message

SITE_NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,30}$")
_KB_NAME = re.compile(documents.KB_NAME)


class BadNameError(ValueError):
    """A site is named by lower-case letters, digits and -, a kb also by _; both begin with a letter or digit."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One row of the registry. `pattern` has {site}, {kb} and, in compacted logs, {key}."""

    name: str
    pattern: str
    carries: tuple[type[Message], ...]
    replies: tuple[type[Message], ...] = ()
    stream: str = ""
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    summary: str

    def at(self, site: str, kb: str = "*", key: str = "*") -> str:
        """The subject of a site, of one kb or all (`*`).

        Raises:
            BadNameError: a name that can not be a subject token.
        """
        return self.pattern.format(site=checked_site(site), kb=checked_kb(kb), key=key)


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


DOCUMENT = Subject(
    name="document",
    pattern="site.{site}.document.{kb}",
    carries=(documents.Document, documents.DocumentDeleted),
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
    producers=("embedder",),
    consumers=("edge-inference",),
    summary="A chunk with its vector, last per chunk.",
)
KNOWLEDGE_DOCUMENT = Subject(
    name="knowledge_document",
    pattern="site.{site}.knowledge.{kb}.document.{key}",
    carries=(knowledge.DocumentRevised,),
    stream="KNOWLEDGE",
    producers=("embedder",),
    consumers=("edge-inference",),
    summary="The manifest of a document, last per document, published after all its chunks.",
)
STATUS = Subject(
    name="status",
    pattern="site.{site}.status.{kb}.{key}",
    carries=(documents.DocumentStatus,),
    stream="STATUS",
    producers=("ingestor", "embedder", "edge-inference"),
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
DEAD = Subject(
    name="dead",
    pattern="site.{site}.dead.{key}",
    carries=(dead.DeadLetter,),
    stream="DEAD",
    producers=("ingestor", "embedder", "edge-inference"),
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
    STATUS,
    ASK,
    SEARCH,
    DEAD,
    CANARY,
)
