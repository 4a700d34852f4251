"""Folds judged answers into the drift of each calibrated kb and language, and says on DRIFT what that changes.

Made as `DriftWatch(publish, metrics)` with `publish_on(bus, site)`; `observe` is an observer of FeedbackFollowing, and
whoever reads CALIBRATION tells of calibrations (`begin`) and of what was said of them on DRIFT (`adopt`), in order.
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
# Of a verdict: when FEEDBACK stored it, in unix milliseconds, and its sequence there.
Place = tuple[int, int]
NOWHERE: Place = (-1, -1)
Publish = Callable[[CalibrationDrifted, str], Awaitable[None]]


class Observed(Protocol):
    """An answer with its confidence, and whether it turned out right (`feedback_rules.Observation`)."""

    # When FEEDBACK stored the verdict, and as which entry: a log that was made anew counts from 1 again.
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
    @property
    def seq(self) -> int: ...


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
    # Up to here verdicts are in what was adopted.
    adopted: Place = NOWHERE
    # The verdict of the last turn.
    turned: Place = NOWHERE
    unsaid: CalibrationDrifted | None = None


class DriftWatch:
    """At least once: a verdict whose turn could not be said comes again, is not folded again, and the turn is said.

    Every replica folds the same log and comes to the same thresholds; their alarms have the same ids, so one stays. One
    that starts adopts the last turn that was said, and folds the verdicts after it: those before it may be of answers
    that nobody follows any more. Where two came to different turns all the same, the later one in FEEDBACK holds, and
    of one verdict's two the higher threshold.
    """

    def __init__(self, publish: Publish, metrics: DriftMetrics, began_unix_ms: int | None = None) -> None:
        self._publish = publish
        self._metrics = metrics
        self._began_unix_ms = int(time.time() * 1000) if began_unix_ms is None else began_unix_ms
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._kept: dict[tuple[str, str], deque[Observed]] = {}

    def begin(self, kb: str, group: str, version: str, promise: float, threshold: float, at_unix_ms: int) -> None:
        """Watch a calibration from `at_unix_ms` on; verdicts on answers given since are taken. Nothing that was adopted
        for another version, or for this one before it was put in force again, holds any more."""
        watched = _Watched(version, at_unix_ms, Drift(promise=promise, fitted=threshold))
        self._watched[kb, group] = watched
        self._fold_kept((kb, group), watched)

    def adopt(self, said: CalibrationDrifted) -> None:
        """Go on from a turn that was said, of this replica or another, unless a later one is known here."""
        watched = self._watched.get((said.kb, said.language))
        if watched is None or watched.version != said.version:
            return
        place = (said.at_unix_ms, said.feedback_seq)
        if (place, said.threshold) <= (watched.turned, watched.drift.threshold):
            return
        turn = Turn(resolved=said.resolved, observed=said.observed, judged=said.judged, threshold=said.threshold)
        watched.drift.go_on(turn)
        watched.adopted = watched.turned = place
        watched.unsaid = None
        self._fold_kept((said.kb, said.language), watched)

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
        kept, watched = self._kept.get(key), self._watched.get(key)
        again = kept is not None and _place(kept[-1]) == _place(observed)
        if not again:
            self._keep(key, observed)
        if watched is None:
            return
        if not again:
            promised = _promised(watched, observed)
            counter = self._metrics.judged if promised else self._metrics.unpromised
            counter.labels(kb=key[0], language=key[1]).inc()
            self._fold(key, watched, observed)
            self._metrics.alarmed.labels(kb=key[0], language=key[1]).set(watched.drift.alarmed)
        # Of what was judged before this replica started, only the last turn that nobody said is said.
        if observed.at_unix_ms >= self._began_unix_ms:
            await self._say(watched)

    async def _say(self, watched: _Watched) -> None:
        if (turn := watched.unsaid) is not None:
            msg_id = f"drift:{turn.kb}:{turn.language}:{turn.version}:{turn.feedback_seq}:{turn.judged}"
            await self._publish(turn, msg_id)
            # It may have been followed by another one meanwhile.
            watched.unsaid = None if watched.unsaid is turn else watched.unsaid

    def _fold_kept(self, key: tuple[str, str], watched: _Watched) -> None:
        for one in self._kept.get(key, ()):
            self._fold(key, watched, one)
        self._metrics.alarmed.labels(kb=key[0], language=key[1]).set(watched.drift.alarmed)

    def _fold(self, key: tuple[str, str], watched: _Watched, observed: Observed) -> None:
        if not _promised(watched, observed) or _place(observed) <= watched.adopted:
            return
        turn = watched.drift.judge(Judged(probability=observed.confidence, right=observed.right))
        if turn is None:
            return
        # A verdict that was quicker than its answer is folded after later ones.
        watched.turned = max(watched.turned, _place(observed))
        watched.unsaid = _message(key, watched, turn)

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


def _place(observed: Observed) -> Place:
    return observed.at_unix_ms, observed.seq


def publish_on(bus: Bus, site: str) -> Publish:
    """What publishes to DRIFT of a site."""

    async def publish(message: CalibrationDrifted, msg_id: str) -> None:
        await bus.publish(subjects.DRIFT.at(site, message.kb, message.language), message, msg_id=msg_id)

    return publish


def _message(key: tuple[str, str], watched: _Watched, turn: Turn) -> CalibrationDrifted:
    at_unix_ms, seq = watched.turned
    return CalibrationDrifted(
        kb=key[0],
        language=key[1],
        version=watched.version,
        resolved=turn.resolved,
        promised=watched.drift.promise,
        observed=round(turn.observed, 4),
        judged=turn.judged,
        # To the last bit: whoever adopts it has the same one.
        threshold=turn.threshold,
        at_unix_ms=at_unix_ms,
        feedback_seq=seq,
    )
