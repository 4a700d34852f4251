"""A router learns what decides, keeps what it was fitted on, and refuses what it can not judge."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from causeway.difficulty import (
    Answered,
    FitError,
    Recipe,
    Router,
    WrongSpaceError,
    cross_fitted,
    fit,
    transferred,
    with_sources,
)
from causeway.difficulty.logistic import Vectors, fit_logistic, sigmoid

DIMS = 8
RECIPE = Recipe(space="small", penalty=1.0)


def answered(count: int, seed: int, sets: int = 1) -> Answered:
    """Questions whose first dimension decides whether the weak model is right; the strong one always is."""
    chance = np.random.default_rng(seed)
    vectors: Vectors = chance.normal(size=(count, DIMS))
    return Answered(
        questions=[f"Question {seed} of number {number}?" for number in range(count)],
        sets=[f"set-{number % sets}" for number in range(count)],
        vectors=vectors,
        weak=(vectors[:, 0] > 0).astype(float),
        strong=np.ones(count),
    )


def test_logistic_regression_finds_the_odds_that_made_the_data() -> None:
    chance = np.random.default_rng(3)
    inputs = chance.normal(size=(20_000, 2))
    targets = (chance.random(20_000) < sigmoid(0.5 + inputs @ np.array([1.0, -2.0]))).astype(float)
    intercept, weights = fit_logistic(inputs, targets, 1e-3)
    assert intercept == pytest.approx(0.5, abs=0.08)
    assert weights == pytest.approx([1.0, -2.0], abs=0.08)


def test_a_greater_penalty_leaves_smaller_weights() -> None:
    data = answered(200, 1)
    sizes = [
        np.abs(fit_logistic(np.asarray(data.vectors, np.float64), data.weak, penalty)[1]).sum()
        for penalty in (1.0, 10.0, 100.0)
    ]
    assert sizes[0] > sizes[1] > sizes[2]


def test_data_that_a_line_parts_are_fitted_all_the_same() -> None:
    _, weights = fit_logistic(np.array([[-1.0], [1.0]] * 50), np.array([0.0, 1.0] * 50), 1e-3)
    assert 2 < weights[0] < 40


def test_a_model_that_was_always_right_is_right_nearly_always() -> None:
    intercept, weights = fit_logistic(np.random.default_rng(1).normal(size=(99, 2)), np.ones(99), 1.0)
    assert sigmoid(np.array([intercept]))[0] == pytest.approx(0.995, abs=0.001)
    assert weights == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.parametrize(("rows", "targets", "penalty"), [(0, 0, 1.0), (3, 2, 1.0), (3, 3, 0.0)])
def test_what_can_not_be_fitted_is_refused(rows: int, targets: int, penalty: float) -> None:
    with pytest.raises(FitError):
        fit_logistic(np.zeros((rows, 1)), np.zeros(targets), penalty)


def test_the_estimate_follows_what_decided_in_the_fit() -> None:
    router = fit(answered(400, 1), RECIPE)
    unseen = answered(200, 2)
    weak, strong = router.estimates(unseen.questions, unseen.vectors)
    assert ((weak > 0.5) == (unseen.weak == 1)).mean() > 0.9
    assert strong.min() > 0.9


def test_one_question_is_judged_as_it_is_among_many() -> None:
    router, unseen = fit(answered(100, 1), RECIPE), answered(5, 2)
    weak, strong = router.estimates(unseen.questions, unseen.vectors)
    one = router.estimate(unseen.questions[3], "en", unseen.vectors[3])
    assert (one.weak_right, one.strong_right) == pytest.approx((weak[3], strong[3]))
    assert one.gain == pytest.approx(strong[3] - weak[3])


def test_a_language_that_the_fit_never_saw_is_said_to_be_unknown() -> None:
    router, unseen = fit(answered(100, 1), RECIPE), answered(1, 2)
    assert router.estimate("Why?", "en", unseen.vectors[0]).known_language
    assert not router.estimate("为什么？", "zh", unseen.vectors[0]).known_language


def test_a_router_is_the_same_after_it_was_written_and_read() -> None:
    router, unseen = fit(answered(100, 1), RECIPE), answered(20, 2)
    again = Router.read(msgspec.json.encode(router.file))
    assert again.estimates(unseen.questions, unseen.vectors)[0].tolist() == pytest.approx(
        router.estimates(unseen.questions, unseen.vectors)[0].tolist()
    )


def test_it_knows_the_questions_that_it_was_fitted_on() -> None:
    data = answered(100, 1)
    router = fit(data, RECIPE)
    assert all(map(router.has_seen, data.questions))
    assert not any(map(router.has_seen, answered(100, 2).questions))


def test_it_says_what_it_was_fitted_on() -> None:
    router = with_sources(fit(answered(100, 1, sets=2), RECIPE), {"set-0": "made here"})
    assert [(one.name, one.questions, one.source) for one in router.file.fitted_on] == [
        ("set-0", 50, "made here"),
        ("set-1", 50, ""),
    ]


def test_vectors_of_another_length_are_refused() -> None:
    with pytest.raises(WrongSpaceError):
        fit(answered(100, 1), RECIPE).estimate("Why?", "en", np.zeros(DIMS + 1, np.float32))


def test_a_file_of_another_edition_is_refused() -> None:
    file = fit(answered(100, 1), RECIPE).file
    with pytest.raises(WrongSpaceError):
        Router(msgspec.structs.replace(file, edition=file.edition + 1))


def test_too_few_questions_are_no_fit() -> None:
    with pytest.raises(FitError):
        fit(answered(5, 1), RECIPE)


def test_cross_fitting_finds_nothing_in_results_that_are_noise() -> None:
    """A router that had seen the question it judges finds something: that is what leakage looks like."""
    recipe, found = Recipe(space="small", penalty=0.01), []
    for seed in range(12):
        data = answered(80, 1)
        noise = np.random.default_rng(seed).permutation(data.weak)
        blind = replace(data, weak=noise)
        left_out, _ = cross_fitted(blind, recipe, folds=10, seed=7)
        in_sample, _ = fit(blind, recipe).estimates(blind.questions, blind.vectors)
        found.append((np.corrcoef(left_out, noise)[0, 1], np.corrcoef(in_sample, noise)[0, 1]))
    left_out_mean, in_sample_mean = np.mean(found, axis=0)
    assert left_out_mean < 0.1
    assert in_sample_mean > 0.25


def test_equal_questions_are_left_out_together() -> None:
    data = answered(40, 1)
    twice = Answered(
        questions=[*data.questions, *data.questions],
        sets=[*data.sets, *data.sets],
        vectors=np.vstack([data.vectors, data.vectors]),
        weak=np.concatenate([data.weak, data.weak]),
        strong=np.concatenate([data.strong, data.strong]),
    )
    weak, _ = cross_fitted(twice, RECIPE, folds=4, seed=7)
    assert weak[:40].tolist() == pytest.approx(weak[40:].tolist())


def test_a_router_carried_over_is_fitted_on_the_other_sets_only() -> None:
    data = answered(200, 1, sets=2)
    mine = np.array(data.sets) == "set-0"
    alone = fit(data.part(~mine), RECIPE)
    weak, _ = transferred(data, RECIPE)
    part = data.part(mine)
    assert weak[mine].tolist() == pytest.approx(alone.estimates(part.questions, part.vectors)[0].tolist())
    with pytest.raises(FitError):
        transferred(answered(100, 1), RECIPE)


def test_the_shipped_router_judges_and_says_what_it_was_fitted_on() -> None:
    router = Router.shipped()
    dims = len(router.file.vector_mean)
    estimate = router.estimate("What is 2 + 2?", "en", np.zeros(dims, np.float32))
    assert 0 < estimate.weak_right < 1
    assert router.serves(router.file.space)
    assert not router.serves("another/int8@0")
    assert sum(one.questions for one in router.file.fitted_on) == 3_453
    assert all("Apache-2.0" in one.source for one in router.file.fitted_on)
