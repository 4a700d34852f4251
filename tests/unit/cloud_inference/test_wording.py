"""What the hub says in its own words."""

from causeway.cloud_inference.completions import ABORT, LENGTH, STOP
from causeway.cloud_inference.wording import cut_short


def test_an_answer_that_was_cut_short_says_why_in_the_language_of_the_question() -> None:
    assert cut_short(ABORT, "zh") == "回答不完整：到截止时间而中止"
    assert cut_short(ABORT, "fr") == cut_short(ABORT, "en") == "cut short: the deadline ended it"
    assert cut_short(LENGTH, "zh") == "回答不完整：达到长度上限"
    assert cut_short(LENGTH, "en") == "cut short: it reached the limit of its tokens"


def test_an_answer_that_ended_by_itself_says_nothing_of_it() -> None:
    assert (cut_short(STOP, "zh"), cut_short("content_filter", "en")) == ("", "")
