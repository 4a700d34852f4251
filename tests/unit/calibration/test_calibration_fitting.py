"""From labelled answers to a calibration."""

import msgspec
import numpy as np
import pytest

from causeway.calibration import measures
from causeway.calibration.calibration_file import decode_file, encode_file, refuse_other_space
from causeway.calibration.errors import BadFileError, CalibrationError, OtherSpaceError, TooFewLabelsError
from causeway.calibration.fitting import Labelled, calibrate, cross_fitted
from causeway.calibration.judging import (
    FEATURES,
    group_of,
    prior_probability,
    probability,
    shipped_prior,
    threshold_of,
)
from tests.support.labelled_answers import labelled

FILE, FITTED = calibrate(labelled(600), kb="handbook", model_id="m1", kind="questions")


def test_probabilities_of_other_passages_mean_what_they_say() -> None:
    labels = labelled(3_000, 3)
    said = cross_fitted(labels, shipped_prior().groups["en"])
    right = np.array([float(one.right) for one in labels])
    assert measures.ece(said, right) < 0.02
    assert (said[[not one.answered for one in labels]] == 0.0).all()


def test_each_language_has_a_model_of_its_own() -> None:
    labels = labelled(600, language="zh", lift=2.0) + labelled(600, seed=1, language="en", lift=-1.0)
    file, _ = calibrate(labels, kb="k", model_id="m", kind="questions")
    features = {**labels[0].features, "answerable": 3.0}
    chances = {
        name: probability(file.features, group.weights, group.bias, features) for name, group in file.groups.items()
    }
    assert chances["zh"] > chances["en"] + 0.2


def test_a_language_with_few_labels_has_no_model() -> None:
    file, _ = calibrate(labelled(600) + labelled(20, 1, language="zh"), kb="k", model_id="m", kind="questions")
    assert set(file.groups) == {"en"}


def test_few_labels_lean_on_the_prior() -> None:
    probe = {**labelled(1)[0].features, "answerable": 2.0, "shown_belief": 0.9}
    at_prior = prior_probability("en", probe)

    def distance(count: int) -> float:
        group = calibrate(labelled(count, lift=-3.0), kb="k", model_id="m", kind="questions")[0].groups["en"]
        return abs(probability(FEATURES, group.weights, group.bias, probe) - at_prior)

    assert distance(120) < distance(2_000)


def test_too_few_labels_are_refused_with_what_is_missing() -> None:
    with pytest.raises(TooFewLabelsError, match="too few: a calibration needs 60"):
        calibrate(labelled(30), kb="k", model_id="m", kind="questions")


def test_labels_of_one_kind_are_refused() -> None:
    labels = [
        Labelled(one.key, one.language, one.features, right=True, cluster=one.cluster)
        for one in labelled(300, withheld=0.0)
    ]
    with pytest.raises(TooFewLabelsError, match="some right and some wrong"):
        calibrate(labels, kb="k", model_id="m", kind="questions")


def test_the_same_labels_in_another_order_give_the_same_bytes() -> None:
    again, _ = calibrate(labelled(600)[::-1], kb="handbook", model_id="m1", kind="questions")
    assert encode_file(again) == encode_file(FILE)


def test_every_promise_has_its_threshold_and_higher_ones_keep_less_local() -> None:
    labels = labelled(3_000, 8, lift=1.0)
    file, _ = calibrate(labels, kb="k", model_id="m", kind="questions", promise=0.87)
    kept = file.groups["en"].thresholds
    assert [one.promise for one in kept] == [0.80, 0.85, 0.87, 0.90, 0.95]
    shares = [one.local_share for one in kept]
    assert shares == sorted(shares, reverse=True)
    assert threshold_of(file.groups["en"], 0.87) is kept[2]


def test_the_local_answers_of_new_questions_keep_the_promise() -> None:
    file, _ = calibrate(labelled(2_000, 21, together=0.8, lift=0.8), kb="k", model_id="m", kind="questions")
    group = file.groups["en"]
    kept = threshold_of(group, 0.85)
    assert kept is not None
    assert kept.threshold is not None
    fresh = labelled(20_000, 22, together=0.8, lift=0.8)
    local = [
        one.right for one in fresh if probability(FEATURES, group.weights, group.bias, one.features) >= kept.threshold
    ]
    assert len(local) > 4_000
    assert np.mean(local) >= 0.85


def test_a_file_comes_back_as_it_was_written() -> None:
    assert decode_file(encode_file(FILE)) == FILE


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "other/1"}, "its format is 'other/1'"),
        ({"features": ["answerable", "answerable"]}, "each once"),
        ({"promise": 1.5}, "between 0 and 1"),
        ({"groups": {}}, "no group"),
        ({"features": ["answerable"]}, "7 weights for 1 features"),
        ({"promise": 0.83}, "no threshold for the promise 0.83"),
    ],
)
def test_a_file_that_does_not_hold_together_is_refused_at_the_door(change: dict[str, object], says: str) -> None:
    with pytest.raises(BadFileError, match=says) as caught:
        decode_file(encode_file(msgspec.structs.replace(FILE, **change)))
    assert "causeway calibrate" in caught.value.mend


@pytest.mark.parametrize("body", [b"", b"[]", b'{"format": "causeway.calibration/1"}', b"\xff"])
def test_what_is_no_calibration_is_refused(body: bytes) -> None:
    with pytest.raises(CalibrationError, match="this is no calibration"):
        decode_file(body)


def test_another_embedding_model_is_refused_by_name() -> None:
    with pytest.raises(OtherSpaceError, match="m1, and here it is m2"):
        refuse_other_space(FILE, "m2")


def test_other_features_are_refused_by_name() -> None:
    with pytest.raises(OtherSpaceError, match="without numbers_missing"):
        refuse_other_space(FILE, "m1", {name: 0.0 for name in FEATURES if name != "numbers_missing"})
    refuse_other_space(FILE, "m1", dict.fromkeys(FEATURES, 0.0))


def test_the_shipped_prior_knows_every_language_and_feature() -> None:
    prior = shipped_prior()
    assert tuple(prior.features) == FEATURES
    assert {group_of(language) for language in ("zh", "zh-Hant", "en", "und", "")} == set(prior.groups)
    assert all(len(group.weights) == len(group.spread) == len(FEATURES) for group in prior.groups.values())
    assert 0.85 < prior.threshold < 1.0


def test_an_abstention_is_never_right_and_nothing_is_certain() -> None:
    assert prior_probability("en", {"answerable": -0.1}) == 0.0
    assert prior_probability("zh", {}) == 0.0
    strong = dict.fromkeys(FEATURES, 0.0) | {"answerable": 1e6}
    assert 0.99 < prior_probability("en", strong) < 1.0
