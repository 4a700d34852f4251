"""The kind of answer that a question asks for, in both languages."""

import pytest

from causeway.retrieval import ask


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("when is the next deadpool movie being released", "date"),
        ("In what year was Warsaw founded?", "date"),
        ("How many people live here?", "number"),
        ("Who wrote the book?", "person"),
        ("Where was the theatre located?", "place"),
        ("Why did it fail?", "reason"),
        ("How is steel made?", "manner"),
        ("What is the Saxon Garden in Polish?", "thing"),
        ("范冰冰多高真实身高", "number"),
        ("他什么时候去世", "date"),
        ("哪一年成立", "date"),
        ("誰寫了這本書", "person"),
        ("夏季剧院在哪里？", "place"),
        ("为什么天空是蓝色的", "reason"),
        ("手机怎么恢复出厂设置", "manner"),
        ("爬行垫什么材质的好", "thing"),
    ],
)
def test_the_kind_of_answer_is_told_by_the_question_word(text: str, kind: str) -> None:
    assert ask(text).kind == kind


def test_terms_of_a_question_are_distinct() -> None:
    assert ask("the cat and the cat").terms == ("the", "cat", "and")


def test_a_given_language_is_not_detected_again() -> None:
    assert ask("Deadpool", "zh").language == "zh"
