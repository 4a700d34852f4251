"""Language and script are told from a text's characters."""

import pytest

from causeway.language import detect, script


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("爬行垫什么材质的好", "zh"),
        ("iPhone 13 Pro Max 多少钱", "zh"),
        ("夜柔吠陀與阿闥婆吠陀", "zh"),
        ("who wrote the first declaration of human rights", "en"),
        ("What does 中国 mean?", "en"),
        ("Deadpool", "en"),
        ("これは日本語の文章です", "ja"),
        ("한국어 문장입니다", "ko"),
        ("Quelle est la capitale de la France et de la Suisse", "und"),
        ("Москва слезам не верит", "und"),
        ("3.14159", "und"),
        ("", "und"),
    ],
)
def test_the_language_of_a_text_is_told_by_its_script(text: str, language: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize(
    ("text", "expected"), [("後漢書記載", "Hant"), ("后汉书记载", "Hans"), ("人口", None), ("", None)]
)
def test_the_script_is_known_only_where_a_character_tells(text: str, expected: str | None) -> None:
    assert script(text) == expected


def test_detection_reads_no_more_than_the_head_of_a_text() -> None:
    assert detect("中" * 4000 + "a b c " * 100_000) == "zh"
