"""How sure a share is, alone and in clusters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.calibration.bounds import (
    beta_cdf,
    cluster_places,
    effective_size,
    exceeds,
    lower_bound,
    upper_bound,
)


@pytest.mark.parametrize(
    ("right", "judged", "delta", "expected"),
    [
        # From scipy.stats.beta.ppf(delta, right, judged - right + 1).
        (1, 1, 0.1, 0.1),
        (10, 20, 0.05, 0.3019539112864934),
        (95, 100, 0.1, 0.9092285303859299),
        (900, 1000, 0.01, 0.8758141823298138),
        (0.5, 3.3, 0.1, 0.002216122463607036),
    ],
)
def test_the_bound_is_the_quantile_of_a_beta_distribution(
    right: float, judged: float, delta: float, expected: float
) -> None:
    assert lower_bound(right, judged, delta) == pytest.approx(expected, rel=1e-9)


def test_the_distribution_agrees_with_published_values() -> None:
    # I_x(a, b): a binomial tail, summed by hand: P(X >= 3 of 6), p = .2 and .9.
    assert beta_cdf(0.2, 3, 4) == pytest.approx(0.09888)
    assert beta_cdf(0.9, 3, 4) == pytest.approx(0.99873)
    assert (beta_cdf(0.0, 2, 3), beta_cdf(1.0, 2, 3)) == (0.0, 1.0)


@given(st.integers(1, 400), st.floats(0, 1), st.floats(0.001, 0.5))
def test_the_bounds_lie_on_both_sides_of_the_share(judged: int, part: float, delta: float) -> None:
    right = round(part * judged)
    assert 0.0 <= lower_bound(right, judged, delta) <= right / judged <= upper_bound(right, judged, delta) <= 1.0


@given(st.integers(1, 200), st.floats(0, 1), st.floats(0.05, 0.95))
def test_exceeding_a_share_is_having_a_bound_above_it(judged: int, part: float, share: float) -> None:
    bound = lower_bound(round(part * judged), judged, 0.1)
    if abs(bound - share) > 1e-6:
        assert exceeds(share, round(part * judged), judged, 0.1) is (bound > share)


@given(st.integers(2, 200), st.floats(0, 1))
def test_more_confidence_asks_for_a_lower_bound(judged: int, part: float) -> None:
    right = max(1, round(part * judged))
    assert lower_bound(right, judged, 0.01) < lower_bound(right, judged, 0.2)


def test_nothing_judged_is_no_evidence() -> None:
    assert lower_bound(0, 0, 0.1) == 0.0
    assert effective_size(np.zeros(0), []) == 0.0


@pytest.mark.parametrize("share", [0.5, 0.85, 0.97])
def test_the_bound_is_below_the_truth_as_often_as_promised(share: float) -> None:
    generator = np.random.default_rng(5)
    found = generator.binomial(120, share, size=1_000)
    broken = np.mean([lower_bound(int(right), 120, 0.1) > share for right in found])
    assert broken <= 0.1


def test_labels_that_always_agree_within_a_passage_are_worth_one_each() -> None:
    labels = np.repeat([1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0], 5)
    clusters = [f"p{number // 5}" for number in range(40)]
    assert effective_size(labels, clusters) == pytest.approx(8, abs=1.5)


def test_labels_of_their_own_passages_are_worth_what_they_count() -> None:
    labels = np.array([1.0, 1.0, 0.0, 1.0] * 10)
    assert effective_size(labels, list(range(40))) == pytest.approx(40, rel=0.05)


def test_where_all_are_right_each_passage_counts_once() -> None:
    assert effective_size(np.ones(30), [number // 3 for number in range(30)]) == 10


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=1, max_size=60))
def test_the_effective_size_is_between_passages_and_labels(pairs: list[tuple[bool, int]]) -> None:
    labels = np.array([float(right) for right, _ in pairs])
    clusters = [cluster for _, cluster in pairs]
    assert min(len(set(clusters)), len(pairs)) <= effective_size(labels, clusters) <= len(pairs)


@pytest.mark.parametrize("blind", [True, False])
def test_a_bound_that_ignores_passages_breaks_its_promise_and_the_clustered_one_does_not(blind: bool) -> None:
    generator = np.random.default_rng(11)
    broken = 0
    for _ in range(400):
        chances = generator.beta(4, 1, size=40)
        labels = (generator.random((40, 8)) < chances[:, None]).astype(float).ravel()
        clusters = list(range(320)) if blind else [number // 8 for number in range(320)]
        size = effective_size(labels, clusters)
        broken += exceeds(0.8, float(labels.mean()) * size, size, 0.1)
    assert (broken / 400 > 0.15) is blind
    assert blind or broken / 400 <= 0.13


def test_places_are_numbered_as_they_appear() -> None:
    assert cluster_places(["b", "a", "b", "c"]).tolist() == [0, 1, 0, 2]
