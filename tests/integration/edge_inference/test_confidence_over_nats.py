"""Calibrations and drift over a real nats-server: the newest of each kb holds, after a restart too."""

from prometheus_client import CollectorRegistry

from causeway.bus import Bus
from causeway.calibration.calibration_file import encode_file
from causeway.calibration.fitting import calibrate
from causeway.calibration.judging import FEATURES
from causeway.edge_inference.confidence import CalibratedConfidence, ConfidenceMetrics
from causeway.edge_inference.drift_watching import DriftMetrics, DriftWatch, publish_on
from causeway.edge_inference.feedback_rules import Observation
from causeway.proto import streams, subjects
from causeway.proto.calibration import CalibrationDrifted, CalibrationFitted
from tests.support.labelled_answers import labelled
from tests.support.nats_server import nats_server
from tests.support.replica_site import SITE, bus
from tests.support.waiting import until

__all__ = ["bus", "nats_server"]

MODEL = "m1"
SURE = dict.fromkeys(FEATURES, 0.0) | {"answerable": 4.0}


def place(bus: Bus) -> tuple[CalibratedConfidence, DriftWatch]:
    """What a replica makes at its start."""
    registry = CollectorRegistry()
    watch = DriftWatch(publish_on(bus, SITE), DriftMetrics(registry), began_unix_ms=0)
    confidence = CalibratedConfidence(MODEL, ConfidenceMetrics(registry), watch)
    confidence.follow(bus, SITE)
    return confidence, watch


async def publish(bus: Bus, kb: str, version: str, model_id: str = MODEL, at_unix_ms: int = 1) -> None:
    file, _ = calibrate(labelled(400, lift=1.5), kb=kb, model_id=model_id, kind="questions")
    message = CalibrationFitted(kb=kb, version=version, body=encode_file(file), at_unix_ms=at_unix_ms)
    await bus.publish(subjects.CALIBRATION.at(SITE, kb), message, msg_id=f"{kb}:{version}")


def version_of(confidence: CalibratedConfidence, kb: str) -> str:
    return confidence.judge(kb, "en", SURE, raw=0.5).version


async def test_the_newest_calibration_of_each_kb_holds_and_a_restart_reads_it_again(bus: Bus) -> None:
    confidence, _ = place(bus)
    await publish(bus, "a", "a1")
    await publish(bus, "b", "b1")
    await publish(bus, "a", "a2")
    await until(lambda: (version_of(confidence, "a"), version_of(confidence, "b")) == ("a2", "b1"))
    started_again, _ = place(bus)
    await until(lambda: (version_of(started_again, "a"), version_of(started_again, "b")) == ("a2", "b1"))


async def test_a_calibration_for_another_model_takes_the_one_before_out_of_force(bus: Bus) -> None:
    confidence, _ = place(bus)
    await publish(bus, "a", "a1")
    await until(lambda: version_of(confidence, "a") == "a1")
    await publish(bus, "a", "a2", model_id="m2")
    await until(lambda: not confidence.judge("a", "en", SURE, raw=0.5).calibrated)


async def test_an_alarm_stands_on_the_stream_and_disturbs_no_follower_of_calibrations(bus: Bus) -> None:
    confidence, watch = place(bus)
    await publish(bus, "a", "a1")
    await until(lambda: version_of(confidence, "a") == "a1")
    before = confidence.judge("a", "en", SURE, raw=0.5).threshold
    for number in range(40):
        await watch.observe(
            Observation(
                kb="a",
                language="en",
                confidence=0.97,
                right=False,
                source="audit",
                calibrated=True,
                given_unix_ms=2,
                at_unix_ms=number + 2,
                seq=number + 1,
            )
        )
    assert confidence.judge("a", "en", SURE, raw=0.5).threshold > before
    stored = await bus.last(streams.CALIBRATION.name, subjects.DRIFT.at(SITE, "a", "en"))
    assert stored is not None
    assert isinstance(stored.message, CalibrationDrifted)
    assert (stored.message.resolved, stored.message.version, stored.message.language) == (False, "a1", "en")
    await publish(bus, "a", "a3", at_unix_ms=1_000)
    await until(lambda: version_of(confidence, "a") == "a3")
    assert confidence.judge("a", "en", SURE, raw=0.5).threshold == before
