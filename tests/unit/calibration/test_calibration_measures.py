"""What tells good probabilities from bad ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.calibration import measures

pairs = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def test_the_calibration_error_is_the_distance_of_said_and_so_weighed_by_bins() -> None:
    said, right = np.array([0.95] * 8 + [0.15] * 2), np.array([1.0] * 6 + [0.0] * 2 + [0.0, 1.0])
    assert measures.ece(said, right) == pytest.approx(0.8 * 0.2 + 0.2 * 0.35)


def test_certain_and_right_has_no_error() -> None:
    said = np.array([1.0, 0.0, 1.0])
    assert (measures.ece(said, said), measures.brier(said, said), measures.auroc(said, said)) == (0.0, 0.0, 1.0)


def test_nothing_has_no_error() -> None:
    none = np.zeros(0)
    assert (measures.ece(none, none), measures.brier(none, none), measures.auroc(none, none)) == (0.0, 0.0, 0.5)
    assert measures.risk_coverage(none, none) == []


@given(pairs)
def test_bins_hold_every_answer_once(found: list[tuple[float, bool]]) -> None:
    said, right = np.array([one for one, _ in found]), np.array([float(one) for _, one in found])
    bins = measures.reliability(said, right)
    assert sum(one.count for one in bins) == len(found)
    assert all(one.low <= one.said + 1e-9 and one.said - 1e-9 <= one.high for one in bins)


@given(pairs)
def test_auroc_turns_around_with_the_labels(found: list[tuple[float, bool]]) -> None:
    said, right = np.array([one for one, _ in found]), np.array([float(one) for _, one in found])
    assert measures.auroc(said, right) + measures.auroc(said, 1 - right) == pytest.approx(1.0)


@given(pairs)
def test_the_risk_curve_ends_with_all_answered(found: list[tuple[float, bool]]) -> None:
    said, right = np.array([one for one, _ in found]), np.array([float(one) for _, one in found])
    curve = measures.risk_coverage(said, right)
    assert curve[-1][0] == 1.0
    assert curve[-1][1] == pytest.approx(1 - right.mean())
    assert [share for share, _ in curve] == sorted({share for share, _ in curve})


def test_the_interval_holds_the_measure_and_is_wider_for_passages_than_for_labels() -> None:
    generator = np.random.default_rng(3)
    right = np.repeat((generator.random(30) < 0.8).astype(float), 10)
    passages = [number // 10 for number in range(300)]

    def width(clusters: list[int]) -> float:
        count = len(set(clusters))
        draws = [generator.integers(count, size=count) for _ in range(200)]
        low, high = measures.bootstrap(lambda at: float(right[at].mean()), clusters, draws)
        assert low <= right.mean() <= high
        return high - low

    assert width(passages) > 2 * width(list(range(300)))
