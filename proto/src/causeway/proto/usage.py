"""What an answer cost: one event for each, for whoever keeps budgets."""

from typing import ClassVar

from causeway.proto.answers import Route
from causeway.proto.codec import Message
from causeway.proto.documents import Kb


class UsageRecorded(Message, frozen=True, kw_only=True):
    """Tokens, milliseconds, watt-hours (None: not known) and price of one answer, at the place that did the work.

    `site` is whose question it was. `purpose` is `answer`, `audit`, or `measurement`: of the hub, to learn how fast
    its engine is.
    """

    type_name: ClassVar[str] = "io.causeway.usage_recorded.v1"

    usage_id: str
    site: str
    kb: Kb
    answer_id: str
    service: str
    purpose: str = "answer"
    route: Route
    engine: str = ""
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    duration_ms: float
    watt_hours: float | None = None
    cost_usd: float = 0.0
    tenant: str = ""
    at_unix_ms: int
