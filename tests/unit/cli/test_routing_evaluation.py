"""The measures of routing against hand-made cases, the sets on disk, and the numbers as a whole."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from causeway.cli.errors import BadDataError
from causeway.cli.evaluation.routing import Fit, RoutingPlan, answered_of, run_routing
from causeway.cli.evaluation.routing_curve import auroc, calibration_error, curve_of, intervals, oracle
from causeway.cli.evaluation.routing_sets import RoutingSet, load_routing_sets
from causeway.difficulty import Answered, FitError, Recipe, fit

DIMS = 6
WEAK = np.array([1.0, 0.0, 1.0, 0.0])
STRONG = np.array([1.0, 1.0, 1.0, 1.0])


def array(*values: float) -> Any:
    return np.array(values, np.float64)


def test_a_router_that_knows_all_recovers_half_of_the_gap_with_a_quarter_of_the_calls() -> None:
    curve = oracle(WEAK, STRONG)
    assert curve.calls.tolist() == [0, 0.5, 1]
    assert curve.quality.tolist() == [0.5, 1, 1]
    assert (curve.cpt(0.5), curve.cpt(0.8), curve.apgr()) == pytest.approx((0.25, 0.4, 0.75))


def test_a_router_that_is_always_wrong_recovers_late() -> None:
    curve = curve_of(array(1, 0, 1, 0), WEAK, STRONG)
    assert (curve.cpt(0.5), curve.apgr()) == pytest.approx((0.75, 0.25))


def test_a_router_that_says_the_same_of_all_is_chance() -> None:
    curve = curve_of(np.zeros(4), WEAK, STRONG)
    assert (curve.apgr(), curve.cpt(0.5), curve.cpt(0.8)) == pytest.approx((0.5, 0.5, 0.8))


def test_a_random_router_is_near_chance() -> None:
    chance = np.random.default_rng(1)
    weak = (chance.random(4_000) < 0.6).astype(float)
    strong = (chance.random(4_000) < 0.8).astype(float)
    assert curve_of(chance.random(4_000), weak, strong).apgr() == pytest.approx(0.5, abs=0.06)


def test_two_models_together_may_be_better_than_the_strong_one() -> None:
    curve = oracle(array(1, 0, 1), array(0, 1, 1))
    assert curve.quality.max() == 1
    assert curve.apgr() is None
    assert curve.cpt(0.5) is None


def test_the_interval_holds_the_number_and_narrows_with_more_questions() -> None:
    chance = np.random.default_rng(2)
    weak = (chance.random(3_000) < 0.5).astype(float)
    scores, strong = 1 - weak + chance.normal(size=3_000), np.ones(3_000)
    widths = []
    for count in (100, 3_000):
        apgr = curve_of(scores[:count], weak[:count], strong[:count]).apgr()
        found, cpts = intervals(scores[:count], weak[:count], strong[:count], (0.5,), 200, 7)
        assert found.low is not None
        assert found.high is not None
        assert apgr is not None
        assert found.low < apgr < found.high
        assert len(cpts) == 1
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 3


def test_auroc_counts_pairs_and_half_of_the_ties() -> None:
    assert auroc(array(0.9, 0.8, 0.1), array(1, 1, 0)) == 1
    assert auroc(array(0.5, 0.5), array(1, 0)) == 0.5
    assert auroc(array(0.2, 0.9, 0.5), array(1, 0, 0)) == 0
    assert auroc(array(0.2), array(1)) is None
    assert auroc(array(0.2, 0.4), array(0.7, 1)) is None


def test_the_calibration_error_is_how_far_what_is_said_is_from_what_is_so() -> None:
    right = array(*([1, 0] * 50))
    assert calibration_error(np.full(100, 0.5), right) == pytest.approx(0.0)
    assert calibration_error(np.full(100, 0.9), right) == pytest.approx(0.4)


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    text = "\n".join(json.dumps(row) for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def test_sets_of_both_forms_are_read_by_name(tmp_path: Path) -> None:
    write(tmp_path / "sums.jsonl.gz", [{"prompt": "1+1?", "weak": 1, "strong": 1, "more": "ignored"}])
    turns = [{"turns": ["Write.", "Again."], "scores": {"big": {"1": 10, "2": 8}, "small": {"1": 5, "2": 6}}}]
    write(tmp_path / "chat.jsonl", turns)
    assert load_routing_sets(tmp_path) == [
        RoutingSet(name="chat", questions=("Write.",), weak=(0.55,), strong=(0.9,)),
        RoutingSet(name="sums", questions=("1+1?",), weak=(1.0,), strong=(1.0,)),
    ]


def test_a_limit_takes_questions_from_the_whole_set(tmp_path: Path) -> None:
    write(tmp_path / "sums.jsonl", [{"prompt": str(n), "weak": 1, "strong": 1} for n in range(10)])
    assert load_routing_sets(tmp_path, limit=2)[0].questions == ("0", "5")


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        '{"prompt": "q", "weak": 1}',
        '{"prompt": "q", "weak": 2, "strong": 1}',
        '{"question": "q"}',
        '{"turns": [], "scores": {}}',
        '{"turns": ["q"], "scores": {"only": {"1": 3}}}',
        "[1]",
    ],
)
def test_a_line_that_can_not_be_read_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "bad.jsonl").write_text(line)
    with pytest.raises(BadDataError, match="bad.jsonl"):
        load_routing_sets(tmp_path)


def test_a_folder_without_sets_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(BadDataError) as caught:
        load_routing_sets(tmp_path)
    assert '"prompt"' in caught.value.mend


def made_set(name: str, seed: int, count: int = 120) -> RoutingSet:
    """Questions of which the word says whether the weak model is right."""
    easy = np.random.default_rng(seed).random(count) < 0.5
    return RoutingSet(
        name=name,
        questions=tuple(f"{'Easy' if yes else 'HARD'} question {seed} {n}" for n, yes in enumerate(easy)),
        weak=tuple(float(yes) for yes in easy),
        strong=(1.0,) * count,
    )


def encode(questions: Any) -> Any:
    vectors = np.zeros((len(questions), DIMS), np.float32)
    vectors[:, 0] = ["Easy" in question for question in questions]
    vectors[:, 1] = [len(question) for question in questions]
    return vectors


def data(*sets: RoutingSet) -> Answered:
    return answered_of(sets, encode)


def test_the_numbers_say_that_the_router_saw_the_questions_it_is_measured_on() -> None:
    mine = data(made_set("mine", 1))
    router = fit(mine, Recipe(space="small"))
    numbers = run_routing(data(made_set("mine", 1), made_set("new", 2)), router, RoutingPlan(resamples=20))
    assert numbers["in_sample"] == ["mine"]
    assert "--fit cross" in numbers["warning"]
    assert numbers["sets"]["mine"]["seen_in_fit"] == 1
    assert numbers["sets"]["new"]["seen_in_fit"] == 0


def test_cross_fitting_measures_without_having_seen() -> None:
    sets = data(made_set("one", 1), made_set("two", 2))
    router = fit(sets, Recipe(space="small"))
    for way in (Fit.CROSS, Fit.TRANSFER):
        numbers = run_routing(sets, router, RoutingPlan(fit=way, folds=5, resamples=50))
        assert numbers["in_sample"] == []
        for one in numbers["sets"].values():
            found = one["router"]
            assert found["apgr"] > 0.7
            assert found["apgr_95"][0] <= found["apgr"] <= found["apgr_95"][1]
            assert found["cpt_50"] < found["cpt_80"] < 0.5
            assert one["estimates"]["weak_right_auroc"] > 0.95


def test_the_curve_runs_from_the_weak_model_alone_to_the_strong_one_alone() -> None:
    sets = data(made_set("one", 1))
    one = run_routing(sets, fit(sets, Recipe(space="small")), RoutingPlan(resamples=20, weak_cost=0.1))["sets"]["one"]
    assert one["curve"][0] == [0.0, one["baselines"]["always_weak"]["quality"]]
    assert one["curve"][-1] == [1.0, one["baselines"]["always_strong"]["quality"]]
    cpt = one["router"]["cpt_50"]
    assert one["cost_at_equal_quality"]["pgr_50"] == pytest.approx(cpt + (1 - cpt) * 0.1)


def test_a_set_alone_can_not_be_carried_over() -> None:
    sets = data(made_set("one", 1))
    with pytest.raises(FitError):
        run_routing(sets, fit(sets, Recipe(space="small")), RoutingPlan(fit=Fit.TRANSFER))
