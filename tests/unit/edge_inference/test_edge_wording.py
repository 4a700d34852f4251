"""What a site says of its own answers is in the language of the question."""

import re
from collections.abc import Callable

import pytest

from causeway.edge_inference.wording import abstention, abstention_reason, behind_reason, nothing_written, set_aside

TEXTS: list[Callable[[str], str]] = [
    lambda language: abstention(language, closest=True),
    lambda language: abstention(language, closest=False),
    lambda language: abstention_reason(0.04, language),
    lambda language: behind_reason(3, 12, language),
    nothing_written,
    lambda language: set_aside(0.2, language),
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_chinese_question_is_told_in_chinese_and_every_other_in_english(text: Callable[[str], str]) -> None:
    assert not re.search("[a-z]", text("zh"))
    assert not re.search("[\u4e00-\u9fff]", text("en"))
    assert text("fr") == text("en")
    assert numbers(text("zh")) == numbers(text("en"))


def numbers(text: str) -> list[str]:
    return sorted(re.findall(r"\d+(?:\.\d+)?%?", text))
