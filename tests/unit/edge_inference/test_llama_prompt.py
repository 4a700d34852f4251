"""What the local model is asked is short, in the language of the question, and what it invents is recognised."""

import pytest

from causeway.edge_inference.generating import EVIDENCE_CHARS_MAX, cleaned, messages_of, support, trimmed
from causeway.edge_inference.ports import Prompt

PASSAGE = "The tower is 330 metres tall and was finished in 1889."


def prompt(question: str, *passages: str, language: str = "en") -> Prompt:
    """A prompt."""
    return Prompt(question=question, passages=passages, language=language)


def test_the_prompt_is_in_the_language_of_the_question() -> None:
    english, chinese = messages_of(prompt("How tall?", PASSAGE)), messages_of(prompt("多高？", PASSAGE, language="zh"))
    assert "Shortest answer:" in english[-1]["content"]
    assert "最短答案：" in chinese[-1]["content"]
    assert PASSAGE in chinese[-1]["content"]
    assert [message["role"] for message in english] == ["system", "user"]


def test_passages_go_in_best_first_until_there_is_no_room() -> None:
    assert trimmed(["aaaa", "bbbb", "cccc"], 9) == "aaaa\n\nbbbb"
    assert trimmed(["a" * 20], 9) == "a" * 9
    assert trimmed([], 9) == ""
    long = messages_of(prompt("?", "word " * 2_000))
    assert len(long[-1]["content"]) < EVIDENCE_CHARS_MAX["en"] + 100


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (" 330 metres \n", "330 metres"),
        ("Answer: 330 metres", "330 metres"),
        ("最短答案：“三百三十米”", "三百三十米"),
        ('"330 metres"', "330 metres"),
        ("", ""),
    ],
)
def test_labels_and_quotation_marks_go(written: str, text: str) -> None:
    assert cleaned(written) == text


def test_what_is_in_the_evidence_is_supported_and_what_is_not_is_not() -> None:
    asked = prompt("How tall is the tower?", PASSAGE)
    assert support("330 metres", asked) == 1.0
    assert support("Beijing, Aliyun and John Doe", asked) < 0.5
    assert support("", asked) == 0.0


def test_a_text_in_another_language_than_the_evidence_can_not_be_judged_this_way() -> None:
    assert support("高三百三十米", prompt("多高？", PASSAGE, language="zh")) == 1.0
