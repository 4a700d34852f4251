"""Everything around the scheduler at a running site, from its settings: the link, the breaker, calibration, the ledger.

Made before the bus starts, because followers are registered; entered after it, left before it.
"""

import asyncio
import logging
import os
import random
import socket
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry

from causeway.breaker import BadRuleError, Phase, Rule
from causeway.bus import Bus, BusError, BusSettings
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.afterwards import Afterwards
from causeway.edge_inference.answer_cache import AnswerCache
from causeway.edge_inference.answer_cache_metrics import AnswerCacheMetrics
from causeway.edge_inference.answer_ids import AnswerIds
from causeway.edge_inference.answer_index import AnswerIndex
from causeway.edge_inference.answers_following import AnswersFollowing
from causeway.edge_inference.audit_budget import AuditRule
from causeway.edge_inference.auditing import Auditing
from causeway.edge_inference.breaking import SharedBreaker
from causeway.edge_inference.cloud_client import LinkCloud
from causeway.edge_inference.confidence import CalibratedConfidence, ConfidenceMetrics
from causeway.edge_inference.drift_watching import DriftMetrics, DriftWatch, publish_on
from causeway.edge_inference.feedback_following import FeedbackFollowing
from causeway.edge_inference.foreign_watching import Carried, ForeignWatching
from causeway.edge_inference.given import Given
from causeway.edge_inference.invalidating import Invalidating
from causeway.edge_inference.rewording import LocalModel
from causeway.edge_inference.routing import Cloud
from causeway.edge_inference.scheduling import Scheduling, SchedulingRule, Surroundings
from causeway.edge_inference.scheduling_defaults import NoAudits, NoBudget
from causeway.edge_inference.scheduling_metrics import SchedulingMetrics
from causeway.edge_inference.scheduling_ports import Audits
from causeway.edge_inference.settings import Settings
from causeway.edge_inference.usage_of import Tariff
from causeway.edge_inference.vault import wall_clock_ms
from causeway.prices import Price
from causeway.proto import subjects
from causeway.proto.cloud import Refusal
from causeway.runtime import BadSettingError
from causeway.semantic_cache import BadLimitsError, Limits, read_kb_limits

TARGET = "hub"
"""What the breaker stands before: one token of its subject."""
OPENS_BY_GOOD_ANSWERS = (
    "answers of the hub that come in time open the breaker where their first token takes longer than"
    " EDGE_INFERENCE_BREAKER_SLOW_MS; unset, it is EDGE_INFERENCE_CLOUD_FIRST_TOKEN_MS"
)
_REFUSALS = {
    Refusal.DEADLINE: Cloud.REFUSED_DEADLINE,
    Refusal.BUSY: Cloud.REFUSED_BUSY,
    Refusal.ENGINE: Cloud.REFUSED_ENGINE,
    Refusal.PAUSED: Cloud.REFUSED_PAUSED,
    Refusal.UNKNOWN_KB: Cloud.REFUSED_UNKNOWN_KB,
}
_log = logging.getLogger(__name__)


class SiteSurroundings:
    """`scheduling` is ready from the start; before this is entered every question stays at the site.

    Raises BadSettingError where the breaker's settings contradict each other, or the cache's limits can not be read.
    """

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        registry: CollectorRegistry,
        local_model: LocalModel,
        *,
        model_id: str,
        dims: int,
        asks_running: Callable[[], int],
        carried: Carried,
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._stack = AsyncExitStack()
        self._metrics = SchedulingMetrics(registry)
        self._aftermath = AftermathMetrics(registry)
        self._asks_running = asks_running
        self._carried = carried
        self.link = _link(settings, registry)
        self.cloud = LinkCloud(self.link, settings.site) if self.link is not None else None
        self.breaker = self._breaker()
        self.cache = AnswerCache(
            bus,
            settings.site,
            model_id,
            dims,
            AnswerCacheMetrics(registry),
            entries_per_kb_max=settings.cache_entries_max,
            age_s_max=settings.cache_age_s,
            kb_limits=kb_limits_of(settings, model_id),
        )
        self.watch = DriftWatch(publish_on(bus, settings.site), DriftMetrics(registry))
        self.confidence = CalibratedConfidence(model_id, ConfidenceMetrics(registry), self.watch)
        self.calibrations = self.confidence.follow(bus, settings.site)
        self.ledger = Given(
            bus, settings.site, self._aftermath, tariff_of(settings), queue_max=settings.answers_queue_max
        )
        self._followers()
        self.foreign = self._foreign(self.link) if self.link is not None else None
        self.audits = self._audits()
        self.afterwards = Afterwards(
            self.ledger,
            self.cache,
            self.audits,
            self._metrics,
            running_max=settings.afterwards_max,
            timeout_s=settings.afterwards_timeout_s,
        )
        self.scheduling = self._scheduling(local_model)

    async def __aenter__(self) -> Self:
        """Begin to keep answers, and to connect to the link, which is waited for by nobody."""
        if self.cloud is not None and self.link is not None:
            connecting = asyncio.create_task(self._connect(self.link), name="link")
            self._stack.push_async_callback(_stop, self.link, connecting)
            self._stack.push_async_callback(self.cloud.close)
        if self.foreign is not None:
            await self._stack.enter_async_context(self.foreign)
        await self._stack.enter_async_context(self.ledger)
        if isinstance(self.audits, Auditing):
            await self._stack.enter_async_context(self.audits)
        self._stack.push_async_callback(self.breaker.close)
        self._stack.push_async_callback(self.afterwards.close, self._settings.drain_timeout_s)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def cloud_refusal(self) -> str:
        """Why an audit may not ask the cloud now, by a code; empty where it may. It never has the breaker's probe."""
        if self.cloud is None or not self.cloud.connected:
            return "no_link"
        if self.breaker.state.phase not in (Phase.CLOSED, Phase.DISABLED):
            return "breaker_open"
        return ""

    async def _connect(self, link: Bus) -> None:
        try:
            await link.start()
        except BusError as error:
            _log.error("no link: questions stay at this site", extra={"reason": str(error)})

    def _breaker(self) -> SharedBreaker:
        breaker = SharedBreaker(
            self._bus,
            self._settings.site,
            TARGET,
            f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}",
            breaker_rule(self._settings),
            self._metrics,
            clock_s=time.monotonic,
            wall_ms=wall_clock_ms,
            mode=self._settings.breaker_mode,
        )
        if self.cloud is not None:
            self._bus.follow(
                subjects.BREAKER.stream,
                [breaker.subject],
                breaker.position,
                breaker.hear,
                message_types=subjects.BREAKER.carries,
                on_reset=breaker.reset,
            )
        return breaker

    def _followers(self) -> None:
        site, index = self._settings.site, AnswerIndex(self._settings.answers_followed_max)
        answers = AnswersFollowing(self._bus, site, index, self._aftermath)
        self.invalidating = Invalidating(self._bus, site, answers, self._aftermath, on_changed=[self.cache.on_changed])
        FeedbackFollowing(
            self._bus,
            site,
            answers,
            self._aftermath,
            cache=self.cache,
            observers=[self.watch.observe],
            ready=self._read_before_feedback,
        )

    async def _read_before_feedback(self) -> None:
        """What a verdict bears on: the cached answers, and the calibrations with what was said of their drift."""
        await self.cache.follower.caught_up.wait()
        await self.calibrations.caught_up.wait()

    def _foreign(self, link: Bus) -> ForeignWatching:
        return ForeignWatching(
            link,
            self._settings.site,
            self.invalidating,
            self.cache,
            self._carried,
            self._aftermath,
            every_s=self._settings.foreign_check_every_s,
        )

    def _audits(self) -> Audits:
        if self.cloud is None or self._settings.audit_share == 0.0:
            return NoAudits()
        return Auditing(
            self._bus,
            self._settings.site,
            self.cloud,
            self._aftermath,
            AuditRule(
                share=self._settings.audit_share,
                per_day_max=self._settings.audits_per_day_max,
                usd_per_day_max=self._settings.audit_usd_per_day_max,
                usd_each_max=self._settings.audit_usd_each_max,
            ),
            random.SystemRandom(),
            refusal=self.cloud_refusal,
            busy=lambda: self._asks_running() > 0,
        )

    def _scheduling(self, local_model: LocalModel) -> Scheduling:
        around = Surroundings(
            confidence=self.confidence, cache=self.cache, budget=NoBudget(), breaker=self.breaker, cloud=self.cloud
        )
        return Scheduling(
            self._settings.site,
            around,
            self.afterwards,
            self._metrics,
            scheduling_rule(self._settings),
            ids=AnswerIds(wall_clock_ms, os.urandom),
            clock_s=time.monotonic,
            reword=local_model.rewording,
        )


def scheduling_rule(settings: Settings) -> SchedulingRule:
    """The bounds of an ask of the cloud.

    Raises:
        BadSettingError: a refusal that there is not.
    """
    counted = [name.strip() for name in settings.breaker_failures.split(",") if name.strip()]
    unknown = [name for name in counted if name not in _REFUSALS]
    if unknown:
        known = ", ".join(_REFUSALS)
        raise BadSettingError(f"EDGE_INFERENCE_BREAKER_FAILURES names {unknown[0]!r}: it takes some of {known}")
    return SchedulingRule(
        first_token_ms=settings.cloud_first_token_ms,
        token_gap_ms=settings.cloud_token_gap_ms,
        margin_ms=settings.cloud_margin_ms,
        cloud_ms_min=settings.cloud_ms_min,
        tokens_max=settings.cloud_tokens_max,
        generator_timeout_s=settings.generator_timeout_s,
        question_residency=settings.question_residency,
        refusals_that_count=frozenset(_REFUSALS[Refusal(name)] for name in counted),
    )


def breaker_rule(settings: Settings) -> Rule:
    """What opens the breaker. Where good answers would, the log says so.

    Raises:
        BadSettingError: the settings contradict each other.
    """
    if settings.slow_ms < settings.cloud_first_token_ms:
        about = {"slow_ms": settings.slow_ms, "first_token_ms": settings.cloud_first_token_ms}
        _log.warning(OPENS_BY_GOOD_ANSWERS, extra=about)
    try:
        return Rule(
            window_calls=settings.breaker_window_calls,
            window_s=settings.breaker_window_s,
            calls_min=settings.breaker_calls_min,
            failure_rate=settings.breaker_failure_rate,
            slow_call_s=settings.slow_ms / 1000,
            slow_rate=settings.breaker_slow_rate,
            open_wait_s=settings.breaker_open_wait_s,
            open_wait_s_max=settings.breaker_open_wait_s_max,
        )
    except BadRuleError as error:
        raise BadSettingError(f"EDGE_INFERENCE_BREAKER_*: {error}") from error


def kb_limits_of(settings: Settings, model_id: str) -> dict[str, Limits]:
    """The limits that knowledge bases have of their own in the cache.

    Raises:
        BadSettingError: the file is not there, holds something else, or was measured with another encoder.
    """
    if settings.cache_limits_file is None:
        return {}
    try:
        return read_kb_limits(settings.cache_limits_file.read_bytes(), model_id)
    except (OSError, BadLimitsError) as error:
        raise BadSettingError(f"EDGE_INFERENCE_CACHE_LIMITS_FILE {settings.cache_limits_file}: {error}") from error


def tariff_of(settings: Settings) -> Tariff:
    """What the operator says of cost. A price of the hub's model takes both of its halves."""
    into, out = settings.cloud_usd_per_million_input, settings.cloud_usd_per_million_output
    price = Price(model="hub", input=into, output=out) if into is not None and out is not None else None
    return Tariff(watts=settings.watts, usd_per_kwh=settings.usd_per_kwh, cloud=price)


def _link(settings: Settings, registry: CollectorRegistry) -> Bus | None:
    if not settings.link_user:
        return None
    return Bus(
        BusSettings(
            url=settings.nats_url,
            site=settings.site,
            service="edge-inference-link",
            user=settings.link_user,
            password_file=settings.link_password_file,
            drain_timeout_s=settings.drain_timeout_s,
            prometheus_registry=registry,
        )
    )


async def _stop(link: Bus, connecting: asyncio.Task[None]) -> None:
    connecting.cancel()
    with suppress(asyncio.CancelledError):
        await connecting
    await link.stop()
