"""Which way a question goes: one function of everything that bears on it. It asks nobody and knows no clock.

The order: a valid cached answer; a local answer that is sure enough; local, because the question may not or can not
leave; the cloud, within the deadline; and when that did not help, the cache again, or the local answer with a label.
"""

import enum
from dataclasses import dataclass, replace

from causeway.proto.answers import Route
from causeway.proto.documents import Residency


class Reason(enum.StrEnum):
    """Why this route. `causeway.proto.reasons` has them for people."""

    CACHED = "cached"
    CONFIDENT = "confident"
    RESTRICTED = "restricted"
    INTERNAL = "internal"
    NOT_WANTED = "not_wanted"
    NO_LINK = "no_link"
    BREAKER_OPEN = "breaker_open"
    BUDGET = "budget"
    NO_TIME = "no_time"
    UNSURE = "unsure"
    ABSTAINED = "abstained"
    CLOUD_SLOW = "cloud_slow"
    CLOUD_LATE = "cloud_late"
    CLOUD_STALLED = "cloud_stalled"
    CLOUD_BROKEN = "cloud_broken"
    CLOUD_GARBAGE = "cloud_garbage"
    CLOUD_UNREACHABLE = "cloud_unreachable"
    CLOUD_UNCITED = "cloud_uncited"
    CLOUD_ABSTAINED = "cloud_abstained"
    REFUSED_DEADLINE = "refused_deadline"
    REFUSED_BUSY = "refused_busy"
    REFUSED_ENGINE = "refused_engine"
    REFUSED_PAUSED = "refused_paused"
    REFUSED_UNKNOWN_KB = "refused_unknown_kb"
    REFUSED = "refused"


class Cloud(enum.StrEnum):
    """How far the cloud is with this question: not asked, answered, or why there is no answer of it to give."""

    NOT_ASKED = "not_asked"
    ANSWERED = "answered"
    SLOW = "cloud_slow"
    LATE = "cloud_late"
    STALLED = "cloud_stalled"
    BROKEN = "cloud_broken"
    GARBAGE = "cloud_garbage"
    UNREACHABLE = "cloud_unreachable"
    UNCITED = "cloud_uncited"
    ABSTAINED = "cloud_abstained"
    REFUSED_DEADLINE = "refused_deadline"
    REFUSED_BUSY = "refused_busy"
    REFUSED_ENGINE = "refused_engine"
    REFUSED_PAUSED = "refused_paused"
    REFUSED_UNKNOWN_KB = "refused_unknown_kb"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """All that is decided by. Times in ms.

    `cached` is a hit that passed its guards. `probability` and `threshold` are the judgement of the local answer.
    `left_ms` is what is left of the asker's deadline; `margin_ms` and `local_p99_ms` (learnt, of ending with the local
    answer) are kept of it for the reply. `cloud_first_token_ms` is what a first token took lately (0: not known),
    `cloud_ms_min` the least worth trying. `hedge_ms`: with no first token by then, the local answer is given.
    `link_ms` is the round trip of the link (0: not known): the hub counts from when it has the ask, and what it says
    is still on its way back when it is done.
    """

    cached: bool = False
    cache_wanted: bool = True
    abstained: bool = False
    probability: float = 0.0
    threshold: float = 1.0
    question_residency: Residency = Residency.PUBLIC
    evidence_residency: Residency = Residency.PUBLIC
    cloud_wanted: bool = True
    link_connected: bool = True
    breaker_allows: bool = True
    budget_allows: bool = True
    left_ms: float = 30_000.0
    margin_ms: float = 50.0
    local_p99_ms: float = 0.0
    cloud_first_token_ms: float = 0.0
    cloud_ms_min: float = 50.0
    hedge_ms: float = 500.0
    link_ms: float = 0.0
    cloud: Cloud = Cloud.NOT_ASKED

    @property
    def cloud_left_ms(self) -> float:
        """What the cloud may take in all, so that the local answer is still in time."""
        return self.left_ms - max(self.margin_ms, self.local_p99_ms)

    @property
    def first_token_ms(self) -> float:
        """How long the first token may take."""
        return min(self.hedge_ms, self.cloud_left_ms)

    @property
    def residency(self) -> Residency:
        """The stricter of both labels."""
        return strictest(self.question_residency, self.evidence_residency)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The route, and why. `ask`: the cloud is to be asked first, bounded by `first_token_ms` and `total_ms`, and the
    route is the one that is hoped for. The hub has of both what the link leaves: `hub_first_token_ms`, `hub_total_ms`.
    """

    route: Route
    reason: Reason
    ask: bool = False
    first_token_ms: float = 0.0
    total_ms: float = 0.0
    hub_first_token_ms: float = 0.0
    hub_total_ms: float = 0.0


_STRICTNESS = (Residency.RESTRICTED, Residency.INTERNAL, Residency.PUBLIC)


def strictest(*labels: Residency) -> Residency:
    """The label that allows least; public where there is none."""
    return min(labels, key=_STRICTNESS.index, default=Residency.PUBLIC)


def may_leave(inputs: Inputs) -> bool:
    """Whether the question may cross the link, whatever for."""
    return inputs.residency is Residency.PUBLIC and inputs.cloud_wanted


def decide(inputs: Inputs) -> Decision:
    """The one decision of these inputs. Asked again with what became of the cloud, it says what is given."""
    if inputs.cloud is not Cloud.NOT_ASKED:
        return _after_cloud(inputs)
    if inputs.cached and inputs.cache_wanted:
        return Decision(route=Route.CACHE, reason=Reason.CACHED)
    if not inputs.abstained and inputs.probability >= inputs.threshold:
        return Decision(route=Route.EDGE, reason=Reason.CONFIDENT)
    stays = _forbidden(inputs) or _hindered(inputs)
    if stays is not None:
        return Decision(route=Route.EDGE, reason=stays)
    return Decision(
        route=Route.CLOUD,
        reason=_why_cloud(inputs),
        ask=True,
        first_token_ms=inputs.first_token_ms,
        total_ms=inputs.cloud_left_ms,
        hub_first_token_ms=inputs.first_token_ms - inputs.link_ms,
        hub_total_ms=inputs.cloud_left_ms - inputs.link_ms,
    )


def _after_cloud(inputs: Inputs) -> Decision:
    forbidden = _forbidden(inputs)
    if forbidden is not None:
        return Decision(route=Route.EDGE, reason=forbidden)
    if inputs.cloud is Cloud.ANSWERED:
        return Decision(route=Route.CLOUD, reason=_why_cloud(inputs))
    if inputs.cached and inputs.cache_wanted:
        return Decision(route=Route.CACHE, reason=Reason.CACHED)
    return Decision(route=Route.FALLBACK, reason=Reason(inputs.cloud.value))


def _forbidden(inputs: Inputs) -> Reason | None:
    if inputs.residency is Residency.RESTRICTED:
        return Reason.RESTRICTED
    # It may leave de-identified only, and nothing here takes names out of a question yet.
    if inputs.residency is Residency.INTERNAL:
        return Reason.INTERNAL
    return None if inputs.cloud_wanted else Reason.NOT_WANTED


def _hindered(inputs: Inputs) -> Reason | None:
    if not inputs.link_connected:
        return Reason.NO_LINK
    if not inputs.breaker_allows:
        return Reason.BREAKER_OPEN
    if not inputs.budget_allows:
        return Reason.BUDGET
    return None if _time_enough(inputs) else Reason.NO_TIME


def _time_enough(inputs: Inputs) -> bool:
    """`cloud_first_token_ms` was seen from here, and has the link in it; `cloud_ms_min` is the hub's own."""
    least_ms = max(inputs.link_ms + inputs.cloud_ms_min, min(inputs.cloud_first_token_ms, inputs.hedge_ms))
    return inputs.cloud_left_ms >= least_ms and inputs.first_token_ms > inputs.link_ms


def _why_cloud(inputs: Inputs) -> Reason:
    return Reason.ABSTAINED if inputs.abstained else Reason.UNSURE


def refused_permit(inputs: Inputs) -> Inputs:
    """The same, after the breaker had no permit to give after all: another call has the probe."""
    return replace(inputs, breaker_allows=False)
