"""What is counted in a question, in English and in Chinese."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.difficulty.surface import NAMES, surface, surfaces


def feature(name: str, question: str) -> float:
    return surface(question)[NAMES.index(name)]


def test_choices_are_seen_with_latin_and_with_chinese_marks() -> None:
    assert feature("multiple_choice", "Which?\nA. one\nB. two\nC. three") == 1
    assert feature("multiple_choice", "哪一项正确？\nA、一\nB、二") == 1
    assert feature("multiple_choice", "A. Smith asked a question") == 0


def test_the_stem_ends_where_the_choices_begin() -> None:
    assert feature("stem_chars", "Which?\nA. one\nB. two") == pytest.approx(math.log1p(len("Which?\n")))


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("negation", "Which is NOT a metal?", "Which is a metal?"),
        ("negation", "下列哪项不是金属？", "下列哪项是金属？"),
        ("how_much", "How many apples are left?", "Which apples are left?"),
        ("how_much", "还剩多少个苹果？", "哪些苹果？"),
        ("proportion", "She ate half of them.", "She ate them."),
        ("code", "def f(x):\n    return x", "A function of x"),
        ("long_number", "In 1984 it rained", "In 84 it rained"),
    ],
)
def test_a_mark_is_found_where_it_stands_and_not_elsewhere(name: str, yes: str, no: str) -> None:
    assert (feature(name, yes), feature(name, no)) == (1, 0)


def test_numbers_are_counted_whole() -> None:
    assert feature("numbers", "1,250 and 3.5 and 7") == pytest.approx(math.log1p(3))


def test_the_share_of_chinese_says_which_script_it_is() -> None:
    assert feature("chinese", "银行卡") == 1
    assert feature("chinese", "bank card") == 0


@given(st.text(max_size=2_000))
def test_any_text_at_all_has_finite_features(question: str) -> None:
    row = surface(question)
    assert len(row) == len(NAMES)
    assert all(math.isfinite(value) for value in row)


def test_many_questions_are_rows_in_their_order() -> None:
    assert surfaces(["a", "b c"]).tolist() == [surface("a"), surface("b c")]
    assert surfaces([]).shape == (0, len(NAMES))
