"""The confidence of a knowledge base: by its calibration, by the prior, and with a threshold that drift raises."""

from dataclasses import dataclass

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from causeway.calibration.calibration_file import CalibrationFile, encode_file
from causeway.calibration.fitting import calibrate
from causeway.calibration.judging import FEATURES, probability, shipped_prior
from causeway.edge_inference.confidence import CalibratedConfidence, ConfidenceMetrics
from causeway.edge_inference.drift import CLOSED
from causeway.edge_inference.drift_watching import DriftMetrics, DriftWatch
from causeway.proto.calibration import CalibrationDrifted, CalibrationFitted
from tests.support.labelled_answers import labelled

MODEL = "m1"
FILE, _ = calibrate(labelled(800, lift=1.5), kb="handbook", model_id=MODEL, kind="questions")
SURE = dict.fromkeys(FEATURES, 0.0) | {"answerable": 4.0, "shown_belief": 0.9}
FITTED_AT = 1_000


@dataclass(frozen=True)
class Verdict:
    kb: str
    language: str
    confidence: float
    right: bool
    at_unix_ms: int
    calibrated: bool = True
    given_unix_ms: int = FITTED_AT + 1
    seq: int = 0


class Place:
    """A replica's confidence with its watch, and what it has published."""

    def __init__(self, began_unix_ms: int = 0) -> None:
        self.published: list[tuple[CalibrationDrifted, str]] = []
        self.heard = 0
        self.fails = False
        self.registry = CollectorRegistry()
        self.watch = DriftWatch(self._publish, DriftMetrics(self.registry), began_unix_ms)
        self.confidence = CalibratedConfidence(MODEL, ConfidenceMetrics(self.registry), self.watch)

    async def _publish(self, message: CalibrationDrifted, msg_id: str) -> None:
        if self.fails:
            raise TimeoutError
        self.published.append((message, msg_id))

    def put_in_force(self, file: CalibrationFile = FILE, version: str = "v1") -> None:
        body = encode_file(file)
        self.confidence.take(CalibrationFitted(kb="handbook", version=version, body=body, at_unix_ms=FITTED_AT))

    async def hear(
        self,
        count: int,
        *,
        right: bool,
        at: int = FITTED_AT + 1,
        calibrated: bool = True,
        given: int | None = None,
    ) -> None:
        for _ in range(count):
            self.heard += 1
            await self.watch.observe(
                Verdict("handbook", "en", 0.95, right, at, calibrated, at if given is None else given, self.heard)
            )


def fitted_threshold() -> float:
    kept = [one for one in FILE.groups["en"].thresholds if one.promise == FILE.promise]
    assert kept[0].threshold is not None
    return kept[0].threshold


def test_a_kb_without_a_calibration_says_so_and_is_careful() -> None:
    judged = Place().confidence.judge("handbook", "en", SURE, raw=0.99)
    assert (judged.calibrated, judged.promise, judged.version) == (False, 0.0, "")
    assert judged.threshold == shipped_prior().threshold
    assert 0.0 < judged.probability < 1.0


def test_the_retrievals_own_estimate_is_not_the_confidence() -> None:
    confidence = Place().confidence
    assert confidence.judge("handbook", "en", SURE, raw=0.1) == confidence.judge("handbook", "en", SURE, raw=0.99)
    assert confidence.judge("handbook", "en", {}, raw=0.99).probability == 0.0


def test_a_calibration_judges_its_own_kb_and_language_only() -> None:
    place = Place()
    place.put_in_force()
    judged = place.confidence.judge("handbook", "en", SURE, raw=0.5)
    group = FILE.groups["en"]
    assert judged.probability == probability(FILE.features, group.weights, group.bias, SURE)
    assert (judged.calibrated, judged.promise, judged.version) == (True, 0.85, "v1")
    assert judged.threshold == fitted_threshold()
    assert not place.confidence.judge("handbook", "zh", SURE, raw=0.5).calibrated
    assert not place.confidence.judge("other", "en", SURE, raw=0.5).calibrated


def test_a_calibration_of_another_embedding_model_leaves_the_kb_uncalibrated() -> None:
    place = Place()
    place.put_in_force()
    place.put_in_force(msgspec.structs.replace(FILE, model_id="m2"))
    assert not place.confidence.judge("handbook", "en", SURE, raw=0.5).calibrated
    refused = place.registry.get_sample_value("causeway_edge_inference_calibrations_refused_total", {"kb": "handbook"})
    assert refused == 1.0


def test_bytes_that_are_no_calibration_leave_the_kb_uncalibrated() -> None:
    place = Place()
    place.confidence.take(CalibrationFitted(kb="handbook", version="x", body=b"{}", at_unix_ms=1))
    assert not place.confidence.judge("handbook", "en", SURE, raw=0.5).calibrated


def test_a_promise_that_nothing_keeps_lets_nothing_stay_local() -> None:
    place = Place()
    group = FILE.groups["en"]
    closed = [msgspec.structs.replace(one, threshold=None) for one in group.thresholds]
    groups = {"en": msgspec.structs.replace(group, thresholds=closed)}
    place.put_in_force(msgspec.structs.replace(FILE, groups=groups))
    judged = place.confidence.judge("handbook", "en", SURE | {"answerable": 1e9}, raw=1.0)
    assert (judged.threshold, judged.calibrated) == (CLOSED, True)
    assert not judged.confident


@pytest.mark.parametrize("missing", FEATURES)
def test_an_answer_without_a_feature_is_judged_as_uncalibrated(missing: str) -> None:
    place = Place()
    place.put_in_force()
    judged = place.confidence.judge("handbook", "en", {k: v for k, v in SURE.items() if k != missing}, raw=0.5)
    # Without `answerable` it counts as an abstention, which every calibration knows.
    assert judged.calibrated is (missing == "answerable")
    assert not judged.confident


def test_while_terms_are_being_indexed_the_calibration_does_not_hold() -> None:
    place = Place()
    place.put_in_force()
    assert not place.confidence.judge("handbook", "en", SURE | {"terms_behind": 0.2}, raw=0.5).calibrated


@pytest.mark.parametrize("answer", [{"calibrated": False}, {"given": FITTED_AT - 1}], ids=["uncalibrated", "older"])
async def test_verdicts_that_come_after_a_calibration_on_answers_that_it_promised_nothing_of_do_not_count(
    answer: dict[str, int],
) -> None:
    place = Place()
    place.put_in_force()
    await place.hear(60, right=False, **answer)  # type: ignore[arg-type]
    assert place.published == []
    assert place.confidence.judge("handbook", "en", SURE, raw=0.5).threshold == fitted_threshold()
    labels = {"kb": "handbook", "language": "en"}
    assert place.registry.get_sample_value("causeway_edge_inference_drift_unpromised_total", labels) == 60
    assert place.registry.get_sample_value("causeway_edge_inference_drift_judged_total", labels) is None
    # Nor do they where the calibration is read after them.
    place.put_in_force(version="v2")
    assert place.confidence.judge("handbook", "en", SURE, raw=0.5).threshold == fitted_threshold()


async def test_wrong_answers_raise_the_threshold_and_say_so_once() -> None:
    place = Place()
    place.put_in_force()
    await place.hear(30, right=False)
    assert place.confidence.judge("handbook", "en", SURE, raw=0.5).threshold == CLOSED
    message, msg_id = place.published[0]
    assert (message.resolved, message.promised, message.version) == (False, 0.85, "v1")
    assert message.observed == 0.0
    assert msg_id == f"drift:handbook:en:v1:{message.feedback_seq}:{message.judged}"
    assert message.feedback_seq == message.judged


async def test_right_answers_bring_the_threshold_back() -> None:
    place = Place()
    place.put_in_force()
    await place.hear(30, right=False)
    await place.hear(600, right=True)
    assert place.confidence.judge("handbook", "en", SURE, raw=0.5).threshold == fitted_threshold()
    assert place.published[-1][0].resolved


async def alarmed() -> tuple[Place, CalibrationDrifted]:
    """A place whose calibration has drifted, and what it said of that."""
    place = Place()
    place.put_in_force()
    await place.hear(30, right=False)
    return place, place.published[-1][0]


async def test_a_replica_that_starts_without_the_verdicts_goes_on_from_what_was_said() -> None:
    before, said = await alarmed()
    after = Place()
    after.put_in_force()
    after.watch.adopt(said)
    assert after.watch.threshold("handbook", "en") == before.watch.threshold("handbook", "en") == CLOSED
    await after.hear(30, right=False)
    assert after.published == [], "they are in what was adopted"
    await after.hear(600, right=True)
    assert after.published[-1][0].resolved
    assert after.watch.threshold("handbook", "en") == fitted_threshold()


async def test_what_was_said_of_another_version_or_before_it_was_put_in_force_again_does_not_hold() -> None:
    _, said = await alarmed()
    place = Place()
    place.put_in_force(version="v2")
    place.watch.adopt(said)
    assert place.watch.threshold("handbook", "en") == fitted_threshold()
    place.put_in_force()
    place.watch.adopt(said)
    assert place.watch.threshold("handbook", "en") == CLOSED
    place.put_in_force()
    assert place.watch.threshold("handbook", "en") == fitted_threshold()


async def test_of_two_turns_the_later_one_holds_in_whatever_order_they_are_heard() -> None:
    first, said = await alarmed()
    await first.hear(600, right=True)
    resolved = first.published[-1][0]
    for order in ((said, resolved), (resolved, said)):
        place = Place()
        place.put_in_force()
        for one in order:
            place.watch.adopt(one)
        assert place.watch.threshold("handbook", "en") == fitted_threshold()


async def test_a_turn_that_could_not_be_said_is_said_when_its_verdict_comes_again() -> None:
    place = Place()
    place.put_in_force()
    place.fails = True
    with pytest.raises(TimeoutError):
        await place.hear(30, right=False)
    place.fails = False
    place.heard -= 1
    await place.hear(1, right=False)
    (said, _) = place.published[0]
    assert (said.judged, said.feedback_seq) == (place.heard, place.heard), "and is folded once"


async def test_a_turn_that_nobody_was_there_to_say_is_said_with_the_first_verdict_after_the_start() -> None:
    place = Place(began_unix_ms=FITTED_AT + 100)
    place.put_in_force()
    await place.hear(30, right=False)
    assert place.published == []
    await place.hear(1, right=True, at=FITTED_AT + 100)
    assert [message.threshold for message, _ in place.published] == [CLOSED]


async def test_a_new_calibration_begins_anew() -> None:
    place = Place()
    place.put_in_force()
    await place.hear(30, right=False, at=FITTED_AT - 1)
    assert place.confidence.judge("handbook", "en", SURE, raw=0.5).threshold == fitted_threshold()
    assert place.published == []


async def test_verdicts_that_were_read_before_their_calibration_count() -> None:
    place = Place()
    await place.hear(30, right=False)
    place.put_in_force()
    assert place.confidence.judge("handbook", "en", SURE, raw=0.5).threshold == CLOSED


async def test_a_replica_that_reads_the_log_again_is_silent_about_what_is_past() -> None:
    place = Place(began_unix_ms=FITTED_AT + 100)
    place.put_in_force()
    await place.hear(30, right=False)
    assert place.published == []
    assert place.confidence.judge("handbook", "en", SURE, raw=0.5).threshold == CLOSED
