"""The measures that `causeway eval` prints."""

import math

import pytest

from causeway.cli.evaluation import metrics


def test_normalising_leaves_letters_and_digits_of_one_width_and_case() -> None:
    assert metrics.normalised("Ｗarsaw, 1946－第 ２ 次！") == "warsaw1946第2次"


def test_exact_match_ignores_case_width_and_punctuation() -> None:
    assert metrics.exact_match("“Ｔhe 萨克森花园.”", ["萨克森花园", "the 萨克森花园"]) == 1.0
    assert metrics.exact_match("萨克森", ["萨克森花园"]) == 0.0


def test_f1_counts_shared_units_once_each() -> None:
    assert metrics.f1("the the cat", ["the cat"]) == pytest.approx(2 * 2 / 5)
    assert metrics.f1("光荣", ["光荣和ω-force"]) == pytest.approx(2 * 2 / (2 + 4))
    assert metrics.f1("nothing", ["光荣"]) == 0.0
    assert metrics.f1("", [""]) == 0.0


def test_the_best_gold_answer_counts() -> None:
    assert metrics.f1("村雨城", ["任天堂游戏谜之村雨城", "村雨城"]) == 1.0


def test_a_decimal_number_is_one_unit() -> None:
    assert metrics.units("3.14 和 42") == ["3.14", "和", "42"]


def test_an_answer_holds_a_span_across_punctuation_and_an_empty_span_never() -> None:
    assert metrics.holds("它由光荣 和 ω-Force 开发。", ["光荣和ω-force"])
    assert not metrics.holds("anything", ["。", ""])


def test_phrase_recall_is_the_share_of_phrases_found() -> None:
    assert metrics.phrase_recall("Bold  text, and 12", ["bold TEXT", "13"]) == 0.5
    assert metrics.phrase_recall("", []) == 1.0


def test_rank_measures_look_at_ten_documents() -> None:
    ranked = [str(number) for number in range(20)]
    assert metrics.first_is_relevant(ranked, {"0"}) == 1.0
    assert metrics.reciprocal_rank(ranked, {"3"}) == 0.25
    assert metrics.reciprocal_rank(ranked, {"10"}) == 0.0
    assert metrics.ndcg(ranked, {"0"}) == 1.0
    assert metrics.ndcg(ranked, {"2"}) == pytest.approx(1 / math.log2(4))
    assert metrics.ndcg(ranked, {"10"}) == 0.0


def test_ndcg_is_one_when_the_first_ten_are_all_relevant_of_more() -> None:
    relevant = {str(number) for number in range(15)}
    assert metrics.ndcg(sorted(relevant, key=int), relevant) == pytest.approx(1.0)


def test_nothing_retrieved_scores_nothing() -> None:
    assert metrics.first_is_relevant([], {"1"}) == 0.0
    assert metrics.ndcg([], {"1"}) == 0.0
    assert metrics.ndcg(["1"], set()) == 0.0
    assert metrics.mean([]) == 0.0
    assert metrics.share(1, 0) == 0.0
