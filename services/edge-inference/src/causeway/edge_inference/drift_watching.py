"""Folds judged answers into the drift of each calibrated kb and language, and says on DRIFT what that changes.

Made as `DriftWatch(publish, metrics)` with `publish_on(bus, site)`; `observe` is an observer of FeedbackFollowing.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from causeway.bus import Bus
from causeway.calibration.judging import group_of
from causeway.edge_inference.drift import Drift, Judged, Turn
from causeway.proto import subjects
from causeway.proto.calibration import CalibrationDrifted

# Verdicts that are kept of each kb and language, so that a calibration that is read after them finds them.
KEPT_MAX = 2_000
# Of so many kbs and languages; the one that has been quiet longest gives way.
WATCHED_MAX = 1_000
Publish = Callable[[CalibrationDrifted, str], Awaitable[None]]


class Observed(Protocol):
    """An answer with its confidence, and whether it turned out right (`feedback_rules.Observation`)."""

    @property
    def kb(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def right(self) -> bool: ...
    @property
    def calibrated(self) -> bool: ...
    @property
    def given_unix_ms(self) -> int: ...
    @property
    def at_unix_ms(self) -> int: ...


class DriftMetrics:
    """What an operator sees of drift."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.judged = Counter(
            "causeway_edge_inference_drift_judged_total",
            "Local answers under the calibration in force that a verdict or an audit has judged",
            ["kb", "language"],
            registry=registry,
        )
        self.unpromised = Counter(
            "causeway_edge_inference_drift_unpromised_total",
            "Verdicts and audits of answers that the calibration in force promised nothing of",
            ["kb", "language"],
            registry=registry,
        )
        self.alarmed = Gauge(
            "causeway_edge_inference_drift_alarmed",
            "1 while live agreement is off the promise",
            ["kb", "language"],
            registry=registry,
        )
        self.dropped = Counter(
            "causeway_edge_inference_drift_dropped_total", "Verdicts of kbs over the limit", registry=registry
        )


@dataclass
class _Watched:
    version: str
    since_unix_ms: int
    drift: Drift


class DriftWatch:
    """At least once: whoever reads FEEDBACK again tells of the same verdicts in the same order, to a new watch.

    Every replica folds the same log and comes to the same thresholds; their alarms have the same ids, so one stays.
    """

    def __init__(self, publish: Publish, metrics: DriftMetrics, began_unix_ms: int | None = None) -> None:
        self._publish = publish
        self._metrics = metrics
        self._began_unix_ms = int(time.time() * 1000) if began_unix_ms is None else began_unix_ms
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._kept: dict[tuple[str, str], deque[Observed]] = {}

    def begin(self, kb: str, group: str, version: str, promise: float, threshold: float, at_unix_ms: int) -> None:
        """Watch a calibration from `at_unix_ms` on; verdicts on answers given since are taken, without an alarm."""
        watched = _Watched(version, at_unix_ms, Drift(promise=promise, fitted=threshold))
        self._watched[kb, group] = watched
        for one in self._kept.get((kb, group), ()):
            self._fold(watched, one)
        self._metrics.alarmed.labels(kb=kb, language=group).set(watched.drift.alarmed)

    def forget(self, kb: str) -> None:
        """The kb has another calibration, or none."""
        for key in [key for key in self._watched if key[0] == kb]:
            del self._watched[key]

    def threshold(self, kb: str, group: str) -> float:
        """The threshold that live answers support; 0 where nothing is watched."""
        watched = self._watched.get((kb, group))
        return watched.drift.threshold if watched is not None else 0.0

    async def observe(self, observed: Observed) -> None:
        """Take one verdict, and publish what it changes."""
        key = (observed.kb, group_of(observed.language))
        self._keep(key, observed)
        watched = self._watched.get(key)
        if watched is None:
            return
        promised = _promised(watched, observed)
        counter = self._metrics.judged if promised else self._metrics.unpromised
        counter.labels(kb=key[0], language=key[1]).inc()
        turn = self._fold(watched, observed)
        if turn is None:
            return
        self._metrics.alarmed.labels(kb=key[0], language=key[1]).set(watched.drift.alarmed)
        # What was judged before this replica started was said by those who ran then.
        if observed.at_unix_ms >= self._began_unix_ms:
            message = _message(key, watched, turn, observed.at_unix_ms)
            await self._publish(message, f"drift:{':'.join(key)}:{watched.version}:{turn.judged}")

    def _fold(self, watched: _Watched, observed: Observed) -> Turn | None:
        if not _promised(watched, observed):
            return None
        return watched.drift.judge(Judged(probability=observed.confidence, right=observed.right))

    def _keep(self, key: tuple[str, str], observed: Observed) -> None:
        kept = self._kept.pop(key, None) or deque(maxlen=KEPT_MAX)
        kept.append(observed)
        self._kept[key] = kept
        if len(self._kept) > WATCHED_MAX:
            self._metrics.dropped.inc(len(self._kept.pop(next(iter(self._kept)))))


def _promised(watched: _Watched, observed: Observed) -> bool:
    """Whether the answer was given under this calibration: an older one was promised something else, or nothing, and so
    was one given while terms were behind."""
    return observed.calibrated and observed.given_unix_ms >= watched.since_unix_ms


def publish_on(bus: Bus, site: str) -> Publish:
    """What publishes to DRIFT of a site."""

    async def publish(message: CalibrationDrifted, msg_id: str) -> None:
        await bus.publish(subjects.DRIFT.at(site, message.kb), message, msg_id=msg_id)

    return publish


def _message(key: tuple[str, str], watched: _Watched, turn: Turn, at_unix_ms: int) -> CalibrationDrifted:
    return CalibrationDrifted(
        kb=key[0],
        language=key[1],
        version=watched.version,
        resolved=turn.resolved,
        promised=watched.drift.promise,
        observed=round(turn.observed, 4),
        judged=turn.judged,
        threshold=round(turn.threshold, 4),
        at_unix_ms=at_unix_ms,
    )
