"""The usage event of an answer: what was used, for how long, at what price. Pure."""

from dataclasses import dataclass

from causeway.prices import Price, Tokens, cost, energy_usd, watt_hours
from causeway.proto.answers import Answer, Ask, Route
from causeway.proto.usage import UsageRecorded

SERVICE = "edge-inference"
# Waiting, and sums of other parts.
_IDLE_PARTS = frozenset({"total", "local", "wait", "cloud", "cloud_first_token"})


@dataclass(frozen=True, kw_only=True)
class Tariff:
    """What the operator says of cost. `watts`: what this machine draws while it answers; None: nobody knows.

    `cloud` is the price of the hub's model, for answers that come without a cost of their own.
    """

    watts: float | None = None
    usd_per_kwh: float = 0.0
    cloud: Price | None = None


def busy_ms(answer: Answer) -> float:
    """How long this site worked on the answer, in milliseconds: without waiting for a thread or for the hub."""
    return sum(value for name, value in answer.latency_ms.items() if name not in _IDLE_PARTS)


def usage_of(site: str, ask: Ask, answer: Answer, tariff: Tariff, at_unix_ms: int) -> UsageRecorded:
    """The event at the place whose question it was. What the hub says of its own work goes before what is reckoned
    here; watt-hours of the edge are an estimate by `Tariff.watts`, and None without it. An answer may have cost
    something at the hub though it is not the hub's: then the hub's watt-hours stand, and both prices."""
    own_wh = watt_hours(busy_ms(answer), tariff.watts)
    cloud = answer.route is Route.CLOUD or answer.prompt_tokens > 0
    cost_usd = energy_usd(own_wh, tariff.usd_per_kwh) + (_cloud_usd(answer, tariff) if cloud else 0.0)
    return UsageRecorded(
        usage_id=f"{answer.answer_id}:answer",
        site=site,
        kb=answer.kb,
        answer_id=answer.answer_id,
        service=SERVICE,
        route=answer.route,
        model=answer.model,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        duration_ms=round(answer.latency_ms.get("total", sum(answer.latency_ms.values())), 3),
        watt_hours=answer.watt_hours if cloud else own_wh,
        cost_usd=cost_usd,
        tenant=ask.tenant,
        at_unix_ms=at_unix_ms,
    )


def _cloud_usd(answer: Answer, tariff: Tariff) -> float:
    if answer.cost_usd:
        return answer.cost_usd
    tokens = Tokens(prompt=answer.prompt_tokens, completion=answer.completion_tokens)
    return cost(tokens, answer.model, configured=tariff.cloud).usd
