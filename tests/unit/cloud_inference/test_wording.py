"""What the hub says in its own words."""

from causeway.cloud_inference.wording import cut_short


def test_an_answer_that_the_deadline_cut_says_so_in_the_language_of_the_question() -> None:
    assert cut_short("zh") == "回答不完整：到截止时间而中止"
    assert cut_short("fr") == cut_short("en") == "cut short: the deadline ended it"
