"""Numbers that two texts may write differently are the same numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.cloud_inference.numerals import numbers, of_han

FIGURES = "零一二三四五六七八九"


def by_steps(number: int) -> str:
    """A number below 10,000 as Chinese says it."""
    found, gap = "", False
    for step, sign in ((1_000, "千"), (100, "百"), (10, "十"), (1, "")):
        figure, number = divmod(number, step)
        if figure:
            found += ("零" if gap else "") + FIGURES[figure] + sign
        gap = bool(found) and not figure
    return found


@pytest.mark.parametrize(
    ("run", "number"),
    [("十", 10), ("二十一", 21), ("三百零五", 305), ("二〇二六", 2026), ("一万二千", 12_000), ("两", 2)],
)
def test_a_chinese_number_is_read(run: str, number: int) -> None:
    assert of_han(run) == number


@given(st.integers(1, 9_999))
def test_every_number_below_ten_thousand_is_read_by_steps_and_by_places(number: int) -> None:
    assert of_han(by_steps(number)) == number
    if number > 9:
        assert of_han("".join(FIGURES[int(digit)] for digit in str(number))) == number


def test_words_count_only_where_they_are_asked_for() -> None:
    assert numbers("ten days until 31 March, 1,500 USD and 07.50") == {"31", "1500", "7.5"}
    assert numbers("ten days until 31 March", words=True) == {"10", "31", "3"}
    assert numbers("十天，３月31日", words=True) == {"10", "3", "31"}
