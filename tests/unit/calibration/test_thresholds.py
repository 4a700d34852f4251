"""Thresholds keep what they promise."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from causeway.calibration.thresholds import threshold_for


def draw(
    generator: np.random.Generator, passages: int, each: int, together: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is said, labels, and their true chances: as said but for what a passage adds to all of its own."""
    logits = generator.normal(1.8, 1.5, size=(passages, each))
    shifts = generator.normal(scale=together, size=(passages, 1))
    said, chances = 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(-(logits + shifts)))
    right = generator.random((passages, each)) < chances
    return said.ravel(), right.astype(float).ravel(), chances.ravel()


def test_the_promise_is_broken_no_more_often_than_delta_though_questions_cluster() -> None:
    generator = np.random.default_rng(77)
    every, _, chances = draw(generator, 20_000, 4, 1.0)
    broken, kept = 0, 0
    for _ in range(150):
        said, right, _ = draw(generator, 60, 4, 1.0)
        found = threshold_for(0.85, said, right, [number // 4 for number in range(240)], 0.1)
        if found.threshold is not None:
            kept += 1
            broken += chances[every >= found.threshold].mean() < 0.85
    assert kept > 75
    assert broken / 150 <= 0.1


def test_more_labels_keep_more_local() -> None:
    generator = np.random.default_rng(9)

    def local(passages: int) -> float:
        shares = []
        for _ in range(20):
            said, right, _ = draw(generator, passages, 4, 0.5)
            found = threshold_for(0.85, said, right, [number // 4 for number in range(4 * passages)], 0.1)
            shares.append(0.0 if found.threshold is None else float((said >= found.threshold).mean()))
        return float(np.mean(shares))

    assert local(30) < local(120) < local(360)


def test_wrong_answers_keep_no_promise() -> None:
    said = np.linspace(0.5, 1.0, 200)
    found = threshold_for(0.85, said, np.zeros(200), list(range(200)), 0.1)
    assert (found.threshold, found.above) == (None, 0)


def test_right_answers_keep_every_promise_down_to_the_last() -> None:
    said = np.linspace(0.5, 1.0, 200)
    found = threshold_for(0.95, said, np.ones(200), list(range(200)), 0.1)
    assert (found.threshold, found.above, found.precision) == (0.5, 200, 1.0)
    assert found.bound >= 0.95


def test_nothing_is_promised_of_nothing() -> None:
    assert threshold_for(0.85, np.zeros(0), np.zeros(0), [], 0.1).threshold is None


@settings(max_examples=50)
@given(st.integers(0, 10_000))
def test_what_was_seen_above_a_threshold_is_at_least_its_bound_and_a_higher_promise_asks_for_more(seed: int) -> None:
    said, right, _ = draw(np.random.default_rng(seed), 60, 4, 0.5)
    clusters = [number // 4 for number in range(240)]
    low, high = (threshold_for(promise, said, right, clusters, 0.1) for promise in (0.8, 0.9))
    for found in (low, high):
        assert found.threshold is None or found.promise <= found.bound <= found.precision
    if high.threshold is not None:
        assert low.threshold is not None
        assert low.threshold <= high.threshold
