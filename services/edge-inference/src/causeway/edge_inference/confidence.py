"""The probability that a local answer is right, by the calibration of its knowledge base or by the shipped prior.

Made as `CalibratedConfidence(model_id, metrics, watch)`, then `follow(bus, site)`. It is a `Confidence`.

An uncalibrated knowledge base gets the prior's probability (fitted on evaluation sets, see libs/calibration), no
promise, and the prior's strict threshold.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from causeway.bus import Bus, Delivery, Following, Position
from causeway.calibration.calibration_file import (
    CalibrationFile,
    Group,
    decode_file,
    refuse_other_space,
)
from causeway.calibration.errors import CalibrationError
from causeway.calibration.judging import (
    abstained,
    group_for,
    group_of,
    prior_probability,
    probability,
    shipped_prior,
    threshold_of,
)
from causeway.edge_inference.drift import CLOSED
from causeway.edge_inference.drift_watching import DriftWatch
from causeway.edge_inference.scheduling_ports import Judgement
from causeway.proto import streams, subjects
from causeway.proto.calibration import CalibrationDrifted, CalibrationFitted

_log = logging.getLogger(__name__)
# While terms are still to be indexed after a start, features say less than those that the calibration was fitted on.
_BEHIND = "terms_behind"


class ConfidenceMetrics:
    """What an operator sees of calibrations."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calibrated = Gauge(
            "causeway_edge_inference_kb_calibrated", "1 where a calibration is in force", ["kb"], registry=registry
        )
        self.refused = Counter(
            "causeway_edge_inference_calibrations_refused_total",
            "Calibrations that do not fit this replica",
            ["kb"],
            registry=registry,
        )
        self.threshold = Gauge(
            "causeway_edge_inference_confidence_threshold",
            "Threshold of the calibration in force, before drift raises it",
            ["kb", "language"],
            registry=registry,
        )


@dataclass(frozen=True)
class _InForce:
    file: CalibrationFile
    version: str


class CalibratedConfidence:
    """The newest calibration of each kb. A file that does not fit leaves the kb uncalibrated, and the log says why."""

    def __init__(self, model_id: str, metrics: ConfidenceMetrics, watch: DriftWatch) -> None:
        self._model_id = model_id
        self._metrics = metrics
        self._watch = watch
        self._files: dict[str, _InForce] = {}
        self._seq = 0

    def follow(self, bus: Bus, site: str) -> Following:
        """Read CALIBRATION, from its start at every start: it keeps the last few calibrations of each kb, and the last
        few turns of its drift. Each turn is of the calibration before it."""
        return bus.follow(
            streams.CALIBRATION.name,
            [subjects.CALIBRATION.at(site), subjects.DRIFT.at(site)],
            self._where,
            self._handle,
            message_types=(*subjects.CALIBRATION.carries, *subjects.DRIFT.carries),
            on_reset=self._reset,
        )

    def judge(self, kb: str, language: str, features: Mapping[str, float], raw: float) -> Judgement:
        """See Confidence. `raw` is not used: it says whether the passage was found, not whether the answer is right."""
        held = self._files.get(kb)
        group = group_for(held.file, language) if held is not None else None
        if held is None or group is None or not _fits(held.file, features):
            return _uncalibrated(language, features)
        return Judgement(
            probability=probability(held.file.features, group.weights, group.bias, features),
            calibrated=True,
            threshold=max(_fitted(held.file, group), self._watch.threshold(kb, group_of(language))),
            promise=held.file.promise,
            version=held.version,
        )

    def take(self, fitted: CalibrationFitted) -> None:
        """Put a calibration in force, or none where it does not fit."""
        try:
            file = decode_file(fitted.body)
            refuse_other_space(file, self._model_id)
        except CalibrationError as error:
            self._files.pop(fitted.kb, None)
            self._watch.forget(fitted.kb)
            self._metrics.refused.labels(kb=fitted.kb).inc()
            self._metrics.calibrated.labels(kb=fitted.kb).set(0)
            about = {"kb": fitted.kb, "version": fitted.version, "reason": str(error), "mend": error.mend}
            _log.warning("a calibration is not used; the knowledge base counts as uncalibrated", extra=about)
            return
        self._files[fitted.kb] = _InForce(file, fitted.version)
        self._watch.forget(fitted.kb)
        for name, group in file.groups.items():
            threshold = _fitted(file, group)
            self._metrics.threshold.labels(kb=fitted.kb, language=name).set(threshold)
            if threshold < CLOSED:
                self._watch.begin(fitted.kb, name, fitted.version, file.promise, threshold, fitted.at_unix_ms)
        self._metrics.calibrated.labels(kb=fitted.kb).set(1)

    async def _where(self) -> Position:
        return Position(seq=self._seq)

    async def _reset(self, position: Position) -> None:
        self._seq = position.seq

    async def _handle(self, deliveries: Sequence[Delivery]) -> None:
        """At least once: the same calibration again is the same calibration, and what has been said of its drift comes
        again after it."""
        newest = {each.message.kb: each.message for each in deliveries if isinstance(each.message, CalibrationFitted)}
        for each in deliveries:
            if isinstance(each.message, CalibrationDrifted):
                self._watch.adopt(each.message)
            elif isinstance(each.message, CalibrationFitted) and newest[each.message.kb] is each.message:
                self.take(each.message)
        self._seq = deliveries[-1].stream_seq


def _fits(file: CalibrationFile, features: Mapping[str, float]) -> bool:
    """An abstention may come without features; any other answer must have those that the file names."""
    if features.get(_BEHIND, 0.0) > 0:
        return False
    return abstained(features) or all(name in features for name in file.features)


def _fitted(file: CalibrationFile, group: Group) -> float:
    kept = threshold_of(group, file.promise)
    return CLOSED if kept is None or kept.threshold is None else kept.threshold


def _uncalibrated(language: str, features: Mapping[str, float]) -> Judgement:
    prior = shipped_prior()
    known = all(name in features for name in prior.features)
    return Judgement(
        probability=prior_probability(language, features) if known else 0.0,
        calibrated=False,
        threshold=prior.threshold,
        promise=0.0,
        version="",
    )
