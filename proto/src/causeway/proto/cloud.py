"""A site asks the hub: one question, answered in parts from what the sites share, or refused at once with a reason."""

import enum
from typing import Annotated, ClassVar

import msgspec

from causeway.proto.answers import DEADLINE_MS_MAX, Citation, Question
from causeway.proto.codec import Message
from causeway.proto.documents import Kb

TOKENS_MAX = 2_048


class CloudAsk(Message, frozen=True, kw_only=True):
    """A question of a site. `deadline_ms` is what is left of the asker's time, `first_token_ms` how long the first
    token may take, both from when it was sent; what can not be made is refused at once (`Refusal`)."""

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
    """Codes of the `Problem` that is the reply to an ask that is not taken. All but `unknown_kb` may work later."""

    DEADLINE = "deadline_unreachable"
    BUSY = "busy"
    ENGINE = "engine_down"
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
