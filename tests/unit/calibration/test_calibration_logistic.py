"""The fit of the model, and how a prior holds it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.calibration.logistic import chances, fit, rows_of, scale_of

TRUTH = np.array([1.2, -0.7, 0.3])


def data(count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(count, 2))
    labels = (generator.random(count) < chances(np.c_[rows, np.ones(count)], TRUTH)).astype(float)
    return rows, labels


def fitted(count: int, towards: np.ndarray, strength: float) -> np.ndarray:
    rows, labels = data(count)
    scaled = np.c_[rows, np.ones(count)]
    return np.asarray(fit(scaled, labels, towards=towards, strength=strength, bias_strength=strength))


def test_many_labels_find_the_truth_whatever_the_prior() -> None:
    assert fitted(20_000, np.array([-3.0, 3.0, 0.0]), 5.0) == pytest.approx(TRUTH, abs=0.08)


def test_no_labels_are_the_prior() -> None:
    towards = np.array([0.4, 0.5, -0.6])
    assert fit(np.zeros((0, 3)), np.zeros(0), towards=towards, strength=1.0, bias_strength=1.0) == pytest.approx(
        towards
    )


@given(st.floats(0.1, 1_000))
def test_a_stronger_prior_holds_nearer(strength: float) -> None:
    towards = np.array([0.0, 0.0, 0.0])
    near = np.abs(fitted(60, towards, strength * 2)).sum()
    assert near <= np.abs(fitted(60, towards, strength)).sum() + 1e-9


def test_labels_of_one_kind_stay_finite() -> None:
    rows = np.c_[np.linspace(-1, 1, 30), np.ones(30)]
    found = fit(rows, np.ones(30), towards=np.zeros(2), strength=1.0, bias_strength=0.0)
    assert np.isfinite(found).all()


def test_a_feature_that_never_changes_does_no_harm() -> None:
    rows = np.c_[np.full(10, 7.0), np.arange(10.0)]
    assert np.isfinite(scale_of(rows).of(rows)).all()


def test_a_missing_feature_is_named() -> None:
    with pytest.raises(KeyError, match="length"):
        rows_of([{"answerable": 1.0}], ["answerable", "length"])
