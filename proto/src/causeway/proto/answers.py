"""Asking and answering: request-reply, one message or a stream of parts."""

import enum
from typing import Annotated, ClassVar

import msgspec

from causeway.proto.codec import Message
from causeway.proto.documents import Kb, Residency

QUESTION_CHARS_MAX = 2_000
DEADLINE_MS_MAX = 120_000
Question = Annotated[str, msgspec.Meta(min_length=1, max_length=QUESTION_CHARS_MAX)]


class Ask(Message, frozen=True, kw_only=True):
    """A question to one knowledge base. `language` empty means: detect it. `generate` lets a local model reword.

    `cloud` lets the hub be asked, `cache` lets an earlier answer stand. `residency` is the label of the question
    itself: what is not public stays at the site, whatever the hub could add. `tenant` parts askers that may not see
    each other's answers.
    """

    type_name: ClassVar[str] = "io.causeway.ask.v1"

    kb: Kb
    question: Question
    language: str = ""
    stream: bool = False
    generate: bool = True
    deadline_ms: Annotated[int, msgspec.Meta(ge=1, le=DEADLINE_MS_MAX)] = 30_000
    asker: str = ""
    tenant: str = ""
    cloud: bool = True
    cache: bool = True
    residency: Residency = Residency.PUBLIC
    passages_max: Annotated[int, msgspec.Meta(ge=1, le=50)] = 5


class Route(enum.StrEnum):
    """Who answered."""

    EDGE = "edge"
    CACHE = "cache"
    CLOUD = "cloud"
    FALLBACK = "fallback"


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """The passage that an answer rests on. `quote` is text of the chunk; page 0 means that there are no pages.

    `origin` is the place whose document it is; empty: of the place that answers.
    """

    document_id: str
    revision: int
    title: str
    page: int
    heading: str
    chunk_id: bytes
    quote: str
    score: float
    origin: str = ""


class Author(enum.StrEnum):
    """What wrote the text: sentences of the document as they stand, or a model that reworded them."""

    EXTRACT = "extract"
    MODEL = "model"


class Answer(Message, frozen=True, kw_only=True):
    """What the asker gets. An abstention has `abstained`, a `reason`, and the closest passages as citations.

    `decision` is why this route was taken, a code of `reasons.REASONS`. `promise` is the share of answers as sure as
    this one that are right, by the kb's calibration; 0 where the kb is not calibrated. `residency` is the strictest
    label of what is cited. `hub_seq` is the position in the hub's KNOWLEDGE that an answer of the cloud was made at;
    0: it is none, or not known.
    """

    type_name: ClassVar[str] = "io.causeway.answer.v1"

    kb: Kb
    text: str
    sentences: list[str]
    written_by: Author
    model: str = ""
    route: Route
    abstained: bool
    reason: str = ""
    language: str
    confidence: float
    calibrated: bool = False
    features: dict[str, float] = {}
    citations: list[Citation]
    epoch: dict[str, int]
    latency_ms: dict[str, float]
    cost_usd: float = 0.0
    answer_id: str = ""
    decision: str = ""
    promise: float = 0.0
    residency: Residency = Residency.RESTRICTED
    prompt_tokens: int = 0
    completion_tokens: int = 0
    watt_hours: float | None = None
    hub_seq: int = 0


class PartKind(enum.StrEnum):
    """`instant` holds the extractive answer, `token` a piece of generated text, `final` the whole answer."""

    INSTANT = "instant"
    TOKEN = "token"
    FINAL = "final"


class AnswerPart(Message, frozen=True, kw_only=True):
    """One message of a streamed answer. The last is `final` and carries the header `Causeway-Final`."""

    type_name: ClassVar[str] = "io.causeway.answer_part.v1"

    kind: PartKind
    index: int
    text: str = ""
    answer: Answer | None = None


class SearchMode(enum.StrEnum):
    """Which lists are searched: both and fused, or one alone (for evaluation)."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


class Search(Message, frozen=True, kw_only=True):
    """Passages without an answer, best first, each document once."""

    type_name: ClassVar[str] = "io.causeway.search.v1"

    kb: Kb
    question: Question
    mode: SearchMode = SearchMode.HYBRID
    documents_max: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10


class SearchResult(Message, frozen=True, kw_only=True):
    """The passages found, best first, each by the best chunk of its document."""

    type_name: ClassVar[str] = "io.causeway.search_result.v1"

    kb: Kb
    passages: list[Citation]
    epoch: dict[str, int]
    latency_ms: dict[str, float]


class Problem(Message, frozen=True, kw_only=True):
    """An error reply: what is wrong and how to mend it. `retryable` says whether the same request may work later."""

    type_name: ClassVar[str] = "io.causeway.problem.v1"

    code: str
    message: str
    mend: str = ""
    retryable: bool = False
