"""Whether to answer at all."""

import numpy as np
import pytest

from causeway.retrieval import LineScores, Reading, Verdict, ask, judge, read, rerank, split
from causeway.retrieval.answerability import FEATURES, GROUPS, group
from causeway.retrieval.models import AnswerabilityFile, LogisticFile, shipped_answerability
from causeway.retrieval.support import SUPPORT
from tests.support.retrieval_builders import SmallBase, unit_vector

ASKED = unit_vector(1.0)


def judged(question: str, texts: list[str], model: AnswerabilityFile | None = None) -> Verdict:
    base = SmallBase()
    for number, text in enumerate(texts):
        base.add(str(number), text, unit_vector(1.0, 0.3 * number))
    asked, ranked = ask(question), base.ranked(question, ASKED)
    lines = split(asked, ranked, base.index.weights(asked.terms))
    cosines = np.full(len(lines), 0.8, np.float32)
    ranked = rerank(asked, ranked, lines, LineScores(cosines, cosines))
    return judge(asked, ranked, read(asked, ranked, lines, cosines), model)


def one_feature(name: str, weight: float, bias: float) -> AnswerabilityFile:
    model = LogisticFile(features=list(FEATURES), weights=[weight * (one == name) for one in FEATURES], bias=bias)
    return AnswerabilityFile(provenance={}, thresholds=dict.fromkeys(GROUPS, 0.5), models=dict.fromkeys(GROUPS, model))


def test_nothing_found_is_an_abstention() -> None:
    assert judge(ask("steel"), [], Reading()) == Verdict(0.0, False, {})
    assert not judged("steel", []).answers


@pytest.mark.parametrize("texts", [["Steel is an alloy."], ["Steel is an alloy.", "Iron is old."], ["钢是铁的合金。"]])
def test_every_feature_is_there_and_finite(texts: list[str]) -> None:
    verdict = judged("what is steel", texts)
    assert set(verdict.features) == {*FEATURES, *SUPPORT}
    assert np.isfinite(list(verdict.features.values())).all()
    assert 0.0 < verdict.probability < 1.0


def test_the_threshold_decides() -> None:
    model = one_feature("coverage_top", 20.0, -10.0)
    assert judged("steel alloy", ["Steel is an alloy."], model).answers
    assert not judged("steel alloy", ["Nothing of the kind."], model).answers


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("steel alloy", "Steel is an alloy.", "en"),
        ("钢是什么", "钢是铁的合金。", "zh"),
        ("钢是什么", "Steel is an alloy.", "zh>en"),
        ("what is steel", "钢是铁的合金。", "en>zh"),
    ],
)
def test_each_pair_of_languages_has_a_model_and_a_threshold_of_its_own(question: str, text: str, expected: str) -> None:
    base = SmallBase()
    base.add("only", text, ASKED)
    assert group(ask(question), base.ranked(question, ASKED)) == expected
    model = one_feature("dense_top", 0.0, 0.0)
    strict = AnswerabilityFile(
        provenance={}, thresholds=dict.fromkeys(GROUPS, 0.4) | {expected: 0.6}, models=model.models
    )
    assert not judged(question, [text], strict).answers
    assert judged(question, [text], model).answers


def test_a_question_that_is_covered_is_likelier_to_be_answered() -> None:
    others = ["Iron is old.", "Copper is red."]
    covered = judged("who invented the steel furnace", ["Bessemer invented the steel furnace in 1856.", *others])
    assert covered.probability > judged("who invented the steel furnace", ["Gold is yellow.", *others]).probability


def test_the_shipped_model_fits_the_code() -> None:
    file = shipped_answerability()
    assert set(file.models) == set(file.thresholds) == set(GROUPS)
    assert all(model.features == list(FEATURES) for model in file.models.values())
    assert all(0.0 < threshold < 1.0 for threshold in file.thresholds.values())
