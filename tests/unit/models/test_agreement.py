"""Agreement of two encoders is counted as its words say."""

import numpy as np

from causeway.models.agreement import compare_rankings, compare_vectors, hits, rank

PASSAGES = np.eye(4, dtype=np.float32)


def test_passages_are_ranked_nearest_first_and_ties_keep_their_order() -> None:
    question = np.array([[0.1, 0.9, 0.5, 0.1]], np.float32)
    assert rank(question, PASSAGES).tolist() == [[1, 2, 0, 3]]
    assert rank(question, PASSAGES, depth=2).tolist() == [[1, 2]]


def test_cosines_are_of_rows_with_their_counterparts() -> None:
    other = PASSAGES.copy()
    other[0] = [0.6, 0.8, 0, 0]
    least, mean = compare_vectors(PASSAGES, other)
    assert np.allclose([least, mean], [0.6, 0.9])


def test_kept_places_and_equal_first_places_are_shares() -> None:
    reference, candidate = np.array([[0, 1], [2, 3]]), np.array([[1, 0], [2, 0]])
    assert compare_rankings(reference, candidate) == (0.75, 0.5)


def test_a_question_is_found_when_any_of_its_passages_is_deep_enough() -> None:
    ranking = np.array([[0, 1], [2, 3]])
    assert hits(ranking, [frozenset({1, 9}), frozenset({3})], depth=2) == 1.0
    assert hits(ranking, [frozenset({1, 9}), frozenset({3})], depth=1) == 0.0
