"""What each generation used and cost: one usage event for each, also for one that was broken off."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from causeway.cloud_inference.generating import Generating
from causeway.cloud_inference.metrics import Metrics
from causeway.cloud_inference.pricing import SharedTime, cost_usd
from causeway.prices import Price, watt_hours
from causeway.proto.answers import Route
from causeway.proto.cloud import CloudAsk
from causeway.proto.subjects import HUB
from causeway.proto.usage import UsageRecorded

SERVICE = "cloud-inference"
MEASUREMENT = "measurement"
NO_KB = "none"
"""The event must have the name of one."""


@dataclass(frozen=True, kw_only=True)
class Tariff:
    """The operator's price of tokens (None: the list's), and the power of the accelerator where it is known."""

    price: Price | None = None
    watts: float | None = None
    engine_name: str = ""


@dataclass(frozen=True, kw_only=True)
class Whose:
    """What a generation is for."""

    site: str
    kb: str
    answer_id: str
    tenant: str = ""
    purpose: str = "answer"


class Billing:
    """`used` takes the events."""

    def __init__(
        self,
        tariff: Tariff,
        metrics: Metrics,
        *,
        used: Callable[[UsageRecorded], None],
        clock_s: Callable[[], float] = time.monotonic,
        unix_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.tariff = tariff
        self.metrics = metrics
        self.used = used
        self.clock_s = clock_s
        self.unix_ms = unix_ms
        self.engine_time = SharedTime()

    def bill(self, site: str, ask: CloudAsk, generating: Generating) -> "Bill":
        """To enter when the generation begins and leave when it ends, however it ends."""
        whose = Whose(site=site, kb=ask.kb, answer_id=ask.ask_id, tenant=ask.tenant)
        return Bill(self, whose, generating)

    def measurement(self, number: int, generating: Generating) -> "Bill":
        """As `bill`, of a generation that the hub makes for itself, which is of no knowledge base."""
        whose = Whose(site=HUB, kb=NO_KB, answer_id=f"{MEASUREMENT}-{number}", purpose=MEASUREMENT)
        return Bill(self, whose, generating)


class Bill(AbstractContextManager["Bill"]):
    """One generation's; `cost_usd` and `watt_hours` are known after it was left."""

    def __init__(self, billing: Billing, whose: Whose, generating: Generating) -> None:
        self._billing = billing
        self._whose = whose
        self._model = generating.model
        self._generating = generating
        self.cost_usd = 0.0
        self.watt_hours: float | None = None

    def __enter__(self) -> Self:
        self._began_s = self._billing.clock_s()
        self._share = self._billing.engine_time.began(self._began_s)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        billing, whose, usage = self._billing, self._whose, self._generating.usage
        now_s = billing.clock_s()
        share_s = billing.engine_time.ended(self._share, now_s)
        self.cost_usd = cost_usd(usage, self._model, billing.tariff.price)
        self.watt_hours = watt_hours(share_s * 1_000, billing.tariff.watts)
        self._count()
        at_unix_ms = billing.unix_ms()
        billing.used(
            UsageRecorded(
                # With the time, since a site may ask again under the same id.
                usage_id=f"{SERVICE}/{whose.site}/{whose.answer_id}/{at_unix_ms}",
                site=whose.site,
                kb=whose.kb,
                answer_id=whose.answer_id,
                service=SERVICE,
                purpose=whose.purpose,
                route=Route.CLOUD,
                engine=billing.tariff.engine_name,
                model=self._model,
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                cached_tokens=usage.cached_tokens,
                duration_ms=round((now_s - self._began_s) * 1_000, 2),
                watt_hours=self.watt_hours,
                cost_usd=self.cost_usd,
                tenant=whose.tenant,
                at_unix_ms=at_unix_ms,
            )
        )

    def _count(self) -> None:
        metrics, usage = self._billing.metrics, self._generating.usage
        metrics.tokens.labels(kind="prompt").inc(usage.prompt_tokens)
        metrics.tokens.labels(kind="cached").inc(usage.cached_tokens)
        metrics.tokens.labels(kind="completion").inc(usage.completion_tokens)
        metrics.cost.labels(site=self._whose.site).inc(self.cost_usd)
        metrics.energy.inc(self.watt_hours or 0.0)
