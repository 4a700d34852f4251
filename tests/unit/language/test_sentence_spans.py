"""Sentences end where a reader would say so, and lose no text."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.language import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Dr. Smith paid $3.5 million in the U.S. in Jan. 2020. He left!",
            ["Dr. Smith paid $3.5 million in the U.S. in Jan. 2020.", "He left!"],
        ),
        ("J. K. Rowling wrote it. It sold.", ["J. K. Rowling wrote it.", "It sold."]),
        ("No. 5 was e.g. here. Next", ["No. 5 was e.g. here.", "Next"]),
        ("1. First item.\n2. Second item", ["1. First item.", "2. Second item"]),
        ("It costs 5.\nThen more", ["It costs 5.", "Then more"]),
        ("他说：“你好。”然后走了。圆周率是3.14！对吗？", ["他说：“你好。”", "然后走了。", "圆周率是3.14！", "对吗？"]),
        ("真的吗？！……是的", ["真的吗？！……", "是的"]),
        ("他来了.我走了", ["他来了.", "我走了"]),
        ("no end", ["no end"]),
        (" \n ", []),
        ("", []),
    ],
)
def test_a_text_is_cut_at_its_sentence_ends(text: str, expected: list[str]) -> None:
    assert [span.of(text) for span in sentences(text)] == expected


@given(st.text(alphabet='ab A.!?。！？；…\n"”1中国', max_size=80))
def test_spans_are_ordered_disjoint_and_hold_every_visible_character(text: str) -> None:
    spans = sentences(text)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert "".join("".join(span.of(text).split()) for span in spans) == "".join(text.split())
    assert all(span.of(text) == span.of(text).strip() != "" for span in spans)
