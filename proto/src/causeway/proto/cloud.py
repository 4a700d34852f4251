"""A site asks the hub: one question, answered in parts from what the sites share, or refused at once with a reason."""

import enum
from typing import Annotated, ClassVar

import msgspec

from causeway.proto.answers import DEADLINE_MS_MAX, Citation, Question
from causeway.proto.codec import Message
from causeway.proto.documents import DocumentId, Kb

TOKENS_MAX = 2_048
DOCUMENTS_ASKED_MAX = 200
CHUNKS_ASKED_MAX = 1_000
PLACE_NAME = r"^[a-z0-9][a-z0-9-]{0,30}$"


class CloudAsk(Message, frozen=True, kw_only=True):
    """A question of a site. `deadline_ms` is the hub's time for all of it, `first_token_ms` for the first token, both
    from when the hub has it: the site keeps back what the link takes. What can not be made is refused at once
    (`Refusal`)."""

    type_name: ClassVar[str] = "io.causeway.cloud_ask.v1"

    ask_id: str
    kb: Kb
    question: Question
    language: str = ""
    deadline_ms: Annotated[int, msgspec.Meta(ge=1, le=DEADLINE_MS_MAX)]
    first_token_ms: Annotated[int, msgspec.Meta(ge=1, le=DEADLINE_MS_MAX)] = 500
    passages_max: Annotated[int, msgspec.Meta(ge=1, le=50)] = 5
    tokens_max: Annotated[int, msgspec.Meta(ge=1, le=TOKENS_MAX)] = 256
    tenant: str = ""


class CloudCancel(Message, frozen=True, kw_only=True):
    """Nobody waits for the reply to this ask any more. Every replica hears it; there is no answer to it."""

    type_name: ClassVar[str] = "io.causeway.cloud_cancel.v1"

    ask_id: str


class Refusal(enum.StrEnum):
    """Codes of the `Problem` that is the reply to an ask that is not taken. All but `unknown_kb` and `engine_refused`,
    which an operator must mend, may work later."""

    DEADLINE = "deadline_unreachable"
    BUSY = "busy"
    ENGINE = "engine_down"
    ENGINE_REFUSED = "engine_refused"
    SHELF_AWAY = "shelf_away"
    SHELF_REBUILDING = "shelf_rebuilding"
    PAUSED = "paused"
    UNKNOWN_KB = "unknown_kb"


class CloudPartKind(enum.StrEnum):
    """`accepted` says that it was admitted, `token` is a piece of text, `final` the whole answer."""

    ACCEPTED = "accepted"
    TOKEN = "token"
    FINAL = "final"


class CloudAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the model made of the passages. Every citation's number stands in the text as [n], from 1 on.

    `abstained`: the passages do not answer. `finish_reason` is the engine's: stop, length, abort.
    """

    text: str
    abstained: bool
    reason: str = ""
    language: str
    model: str
    adapter: str = ""
    citations: list[Citation]
    epoch: dict[str, int]
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    finish_reason: str
    latency_ms: dict[str, float]
    cost_usd: float = 0.0
    watt_hours: float | None = None


class CloudPart(Message, frozen=True, kw_only=True):
    """One message of the reply. The last is `final`."""

    type_name: ClassVar[str] = "io.causeway.cloud_part.v1"

    kind: CloudPartKind
    index: int
    text: str = ""
    answer: CloudAnswer | None = None


class CloudStatusAsked(Message, frozen=True, kw_only=True):
    """Ask how the hub's engine is."""

    type_name: ClassVar[str] = "io.causeway.cloud_status_asked.v1"


class CloudStatus(Message, frozen=True, kw_only=True):
    """The engine by its own metrics. `first_token_ms` is what an ask of now would wait, as admission reckons."""

    type_name: ClassVar[str] = "io.causeway.cloud_status.v1"

    engine: str
    model: str
    adapters: dict[str, str] = {}
    healthy: bool
    reason: str = ""
    running: int
    waiting: int
    kv_cache_used: float
    first_token_ms: float
    ms_per_token: float
    refused: dict[str, int] = {}
    timeouts_in_a_row: int = 0


class CitedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document of any place that answers at a site cite, and which of its chunks."""

    origin: Annotated[str, msgspec.Meta(pattern=PLACE_NAME)]
    document_id: DocumentId
    chunk_ids: Annotated[list[bytes], msgspec.Meta(min_length=1, max_length=CHUNKS_ASKED_MAX)]


class CitationsAsked(Message, frozen=True, kw_only=True):
    """Ask the hub whether what answers cite still stands. Without documents it asks for the position alone."""

    type_name: ClassVar[str] = "io.causeway.citations_asked.v1"

    kb: Kb
    documents: Annotated[list[CitedDocument], msgspec.Meta(max_length=DOCUMENTS_ASKED_MAX)] = []


class DocumentStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A document that is not as it was asked for, as the hub holds it. `revision` 0: the hub does not hold it, and says
    nothing. `replaced`: it gives way to one of the same id. `gone_chunk_ids`: those asked for that the revision does
    not name; of a deleted document, all."""

    origin: str
    document_id: str
    revision: int = 0
    deleted: bool = False
    replaced: bool = False
    gone_chunk_ids: list[bytes] = []


class CitationsStanding(Message, frozen=True, kw_only=True):
    """How documents stand at the hub. What was asked for and is not listed names all those chunks.

    `hub_seq` is the position in the hub's KNOWLEDGE that all of it was there at, or after; `log_created` tells that log
    from one that was made anew.
    """

    type_name: ClassVar[str] = "io.causeway.citations_standing.v1"

    hub_seq: int
    log_created: int
    documents: list[DocumentStanding]
