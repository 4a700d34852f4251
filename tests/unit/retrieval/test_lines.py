"""Which sentences of the contenders are encoded."""

from causeway.retrieval import LINES_MAX, split
from causeway.retrieval.lines import CONTENDERS_MAX, LINE_CHARS_MAX, contenders
from causeway.retrieval.question import ask
from tests.support.retrieval_builders import SmallBase, plain_model, unit_vector

ASKED = unit_vector(1.0)
QUESTION = "where is the theatre"


def base_of(count: int, text: str) -> SmallBase:
    base = SmallBase()
    for number in range(count):
        base.add(str(number), text, unit_vector(1.0, 0.01 * number))
    return base


def test_lines_stand_in_reading_order_with_their_places() -> None:
    base = base_of(1, "It opened in 1870. The theatre is here. It closed.")
    lines = split(ask(QUESTION), base.ranked(QUESTION, ASKED), base.index.weights(ask(QUESTION).terms))
    assert [line.text for line in lines] == ["It opened in 1870.", "The theatre is here.", "It closed."]
    assert [line.order for line in lines] == [0, 1, 2]
    assert lines[1].coverage > lines[0].coverage


def test_no_more_lines_than_the_limit_and_the_telling_ones_are_kept() -> None:
    base = base_of(3, "Nothing here. " * 12 + "The theatre is there.")
    lines = split(ask(QUESTION), base.ranked(QUESTION, ASKED), base.index.weights(ask(QUESTION).terms))
    assert len(lines) == LINES_MAX
    assert sum("theatre" in line.text for line in lines) == 3


def test_only_candidates_close_to_the_best_contend() -> None:
    base = base_of(9, "The theatre.")
    assert len(contenders(base.ranked(QUESTION, ASKED, plain_model(dense=1.0)))) == CONTENDERS_MAX
    assert len(contenders(base.ranked(QUESTION, ASKED, plain_model(dense=1e5)))) == 1


def test_a_text_without_sentence_ends_is_cut_into_bounded_lines() -> None:
    base = base_of(1, "钢" * (2 * LINE_CHARS_MAX + 1))
    lines = split(ask("钢"), base.ranked("钢", ASKED), {})
    assert [len(line.text) for line in lines] == [LINE_CHARS_MAX, LINE_CHARS_MAX, 1]


def test_nothing_ranked_has_no_lines() -> None:
    assert split(ask(QUESTION), [], {}) == []
