"""From results to the printed numbers."""

from pathlib import Path

import pytest

from causeway.cli.evaluation.scores import (
    Asked,
    Parsed,
    abstention_scores,
    answer_scores,
    parse_scores,
    retrieval_scores,
    withheld,
)
from causeway.cli.evaluation.sets import ParseCase, Passage, Question


def question(key: str, *answers: str) -> Question:
    return Question(id=key, text="?", relevant=frozenset([key]), answers=answers)


def asked(answers: str, instant: str, abstained: bool = False) -> Asked:
    return Asked(question=question("q", answers), instant=instant, final=instant, abstained=abstained)


def test_retrieval_is_the_mean_over_the_questions() -> None:
    questions = [question("a"), question("b")]
    scores = retrieval_scores({"a": ["a", "b"], "b": ["a", "b"]}, questions)
    assert scores["r_at_1"] == 0.5
    assert scores["mrr_at_10"] == 0.75


def test_an_abstention_counts_as_wrong_and_is_reported() -> None:
    scores = answer_scores([asked("Momus", "It was Momus."), asked("Momus", "It was Momus.", abstained=True)])
    assert scores["holds_answer"] == 0.5
    assert scores["holds_answer_if_answered"] == 1.0
    assert scores["false_abstained"] == 0.5


def test_exact_match_and_f1_are_of_the_final_answer() -> None:
    one = Asked(question=question("q", "Momus"), instant="It was Momus there.", final="Momus", abstained=False)
    scores = answer_scores([one])
    assert (scores["em"], scores["f1"], scores["holds_answer"]) == (1.0, 1.0, 1.0)


def test_what_is_answered_without_its_passage_is_wrong() -> None:
    scores = abstention_scores([asked("a", "x"), asked("a", "", abstained=True), asked("a", "", abstained=True)])
    assert scores["abstained"] == pytest.approx(2 / 3)
    assert scores["wrong_unanswerable"] == pytest.approx(1 / 3)
    assert abstention_scores([])["wrong_unanswerable"] == 0.0


def test_a_third_is_withheld_and_the_same_third_for_the_same_seed() -> None:
    passages = [Passage(id=str(number), title="", text="") for number in range(90)]
    assert len(withheld(passages, 7)) == 30
    assert withheld(passages, 7) == withheld(list(reversed(passages)), 7) != withheld(passages, 8)


def test_parsing_is_scored_on_files_without_needs_and_crashes_on_all() -> None:
    plain = ParseCase(path=Path("a"), phrases=("one", "two"), needs="")
    scan = ParseCase(path=Path("b"), phrases=("x",), needs="ocr")
    scores = parse_scores(
        [
            Parsed(case=plain, text="One, TWO"),
            Parsed(case=plain, text="one"),
            Parsed(case=plain, text="", failure="corrupt"),
            Parsed(case=scan, text="", failure="crashed", crashed=True),
        ]
    )
    assert scores["documents"] == 3
    assert scores["complete"] == 1
    assert scores["phrase_recall"] == 0.5
    assert (scores["crashes"], scores["failed"], scores["failed_with_needs"]) == (1, 1, 1)
