"""Citations: a mark stands only where the passage says what the sentence says; without any, it is no answer."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.cloud_inference.citing import abstains, checked, support

EN = [
    "Employees are entitled to ten days of paid annual leave. Unused leave may be carried over until 31 March.",
    "The emergency shut-off valve is on the north wall of the boiler room.",
]
ZH = ["员工每年享有十天带薪年休假，未休完的假期可以顺延到次年3月31日。", "紧急切断阀安装在锅炉房的北墙上。"]


def test_a_mark_that_its_passage_supports_stands() -> None:
    found = checked("Employees have ten days of paid leave [1]. The valve is on the north wall [2].", "leave?", EN)
    assert found.text == "Employees have ten days of paid leave [1]. The valve is on the north wall [2]."
    assert (found.cited, found.removed, found.abstained) == ((1, 2), 0, False)


def test_a_chinese_answer_keeps_its_marks_before_the_full_stop() -> None:
    found = checked("员工每年有十天带薪年休假。[1]切断阀在锅炉房的北墙上【2】。", "年假几天？", ZH)
    assert found.text == "员工每年有十天带薪年休假[1]。切断阀在锅炉房的北墙上[2]。"
    assert found.cited == (1, 2)


def test_an_unknown_number_is_removed_and_the_rest_counts_from_one() -> None:
    found = checked("The valve is on the north wall of the boiler room [2][7].", "where?", EN)
    assert found.text == "The valve is on the north wall of the boiler room [1]."
    assert (found.cited, found.removed) == ((2,), 1)


@pytest.mark.parametrize(
    ("text", "question", "passages"),
    [
        ("The office closes at noon on Fridays [1].", "When does the office close?", EN),
        ("Employees are entitled to 25 days of paid annual leave [1].", "How many days?", EN),
        ("The chief executive is John Doe [2].", "Who is the chief executive?", EN),
        ("总经理是张伟[1]。", "总经理是谁？", ZH),
        ("员工每年享有15天带薪年休假[1]。", "年假几天？", ZH),
    ],
)
def test_a_sentence_that_no_passage_supports_loses_its_mark_and_alone_is_an_abstention(
    text: str, question: str, passages: list[str]
) -> None:
    found = checked(text, question, passages)
    assert found.abstained
    assert found.removed == 1
    assert "not in the passages" in found.reason


def test_an_unsupported_sentence_beside_a_supported_one_stays_without_a_mark() -> None:
    found = checked("Leave is ten days a year, paid [1]. Lunch is served by robots on Mars [1].", "leave?", EN)
    assert found.text == "Leave is ten days a year, paid [1]. Lunch is served by robots on Mars."
    assert (found.cited, found.removed) == ((1,), 1)


def test_a_sentence_without_a_mark_gets_that_of_the_passage_that_it_is_clearly_from() -> None:
    found = checked("The emergency shut-off valve is on the north wall of the boiler room.", "Where is it?", EN)
    assert found.text.endswith("boiler room [1].")
    assert (found.cited, found.added) == ((2,), 1)
    found = checked("紧急切断阀安装在锅炉房的北墙上。", "阀门在哪里？", ZH)
    assert (found.cited, found.added) == ((2,), 1)


@pytest.mark.parametrize(
    "text",
    [
        "The passages do not answer this question.",
        "The provided context does not contain information about that. [1]",
        "I don't know.",
        "The chief executive is not mentioned in any of the passages.",
        "There is no information about parking.",
        "The holiday policy is not mentioned in the passages.",
        "段落中没有答案。",
        "文中没有提到停车费。[1]",
        "根据资料无法回答该问题。",
        "上文未提及。",
    ],
)
def test_an_abstention_is_recognised(text: str) -> None:
    assert abstains(text)
    assert checked(text, "?", [*EN, *ZH]).abstained


@pytest.mark.parametrize(
    "text",
    [
        "Unused leave may be carried over until 31 March [1].",
        "The valve is not on the south wall [2].",
        "未休完的假期可以顺延到次年3月31日[1]。",
        "切断阀不能在锅炉房外操作。",
    ],
)
def test_a_negation_is_no_abstention(text: str) -> None:
    assert not abstains(text)


def test_a_text_that_was_broken_off_loses_the_sentence_that_is_not_closed() -> None:
    text = "Employees are entitled to ten days of paid leave [1]. Unused leave may be car"
    assert checked(text, "leave?", EN, whole=False).text == "Employees are entitled to ten days of paid leave [1]."
    assert checked("Employees are entitled to", "leave?", EN, whole=False).abstained


def test_marks_before_the_sentences_count_for_them() -> None:
    found = checked("[2] The valve is on the north wall. [1] Leave is ten paid days.", "?", EN)
    assert found.cited == (2, 1)
    assert found.text == "The valve is on the north wall [1]. Leave is ten paid days [2]."


def test_an_answer_in_another_language_than_the_passage_is_held_to_its_numbers() -> None:
    assert support("年假可以顺延到3月31日。", "年假？", EN[0]) == 1.0
    assert support("年假可以顺延到4月30日。", "年假？", EN[0]) == 0.0


@given(
    text=st.text(alphabet="leave ten days valve wall north [1]2]3.。\n年假十天", max_size=200),
    passages=st.lists(st.sampled_from([*EN, *ZH]), max_size=4),
    whole=st.booleans(),
)
def test_every_mark_of_what_is_given_names_a_citation_and_every_citation_has_a_mark(
    text: str, passages: list[str], whole: bool
) -> None:
    found = checked(text, "ten days?", passages, whole=whole)
    marks = {int(number) for number in re.findall(r"\[(\d+)\]", found.text)}
    assert found.abstained == (not found.cited)
    assert all(1 <= passage <= len(passages) for passage in found.cited)
    assert len(set(found.cited)) == len(found.cited)
    if not found.abstained:
        assert marks == set(range(1, len(found.cited) + 1))
