"""Which sentences are shown as the answer."""

import numpy as np
import pytest

from causeway.retrieval import Reading, ask, read, split
from causeway.retrieval.models import ReadingFile, shipped_reading
from causeway.retrieval.reading import CHARS_MAX, FEATURES, GROUPS, SPANS_MAX
from tests.support.retrieval_builders import SmallBase, unit_vector

ASKED = unit_vector(1.0)


def reader(**weights: float) -> ReadingFile:
    row = [weights.get(name, 0.0) for name in FEATURES]
    return ReadingFile(provenance={}, features=list(FEATURES), weights=dict.fromkeys(GROUPS, row))


def reading_of(text: str, question: str, model: ReadingFile | None = None, context: str = "") -> Reading:
    base = SmallBase()
    base.add("only", text, ASKED, context)
    ranked = base.ranked(question, ASKED)
    asked = ask(question)
    lines = split(asked, ranked, base.index.weights(asked.terms))
    return read(asked, ranked, lines, np.full(len(lines), 0.8, np.float32), model)


def test_no_lines_read_nothing() -> None:
    empty = read(ask("steel"), [], [], np.zeros(0, np.float32))
    assert empty == Reading()
    assert empty.text == ""


def test_spans_point_into_the_text_of_their_chunk() -> None:
    text = "It opened in 1870. The theatre is in Warsaw. It closed early."
    found = reading_of(text, "where is the theatre")
    assert found.spans
    assert all(span.span.of(text) == span.text for span in found.spans)
    assert found.spans[0].chunk_id == b"only"


def test_a_sure_answer_is_one_sentence() -> None:
    text = "Nothing here. It opened in 1870. Nothing there."
    found = reading_of(text, "when did it open", reader(kind_date=10.0))
    assert [span.text for span in found.spans] == ["It opened in 1870."]
    assert found.score == pytest.approx(1.0, abs=1e-3)


def test_an_unsure_answer_is_a_few_sentences_in_reading_order() -> None:
    text = "One thing. Two things. Three things. Four things."
    found = reading_of(text, "what", reader(length=0.1))
    assert len(found.spans) == SPANS_MAX
    assert [text.index(part) for part in found.text.split(". ")] == sorted(
        text.index(p) for p in found.text.split(". ")
    )


@pytest.mark.parametrize(
    "sentence", ["The theatre was in operation for many more years than that. ", "这座剧院在华沙开放了很多很多年。"]
)
def test_an_answer_of_several_sentences_stays_short(sentence: str) -> None:
    found = reading_of(sentence * 40, "what", reader())
    assert len(found.text) <= CHARS_MAX["zh" if "剧" in sentence else "en"] + SPANS_MAX


def test_a_long_best_sentence_is_shown_whole() -> None:
    long = "The theatre " + "and the other theatre " * 30 + "stood. Short."
    assert len(reading_of(long, "what", reader(length=5.0)).text) > CHARS_MAX["en"]


def test_words_of_the_title_do_not_make_a_line_fresh() -> None:
    text = "Warsaw is Warsaw. The theatre opened."
    found = reading_of(text, "Warsaw theatre", reader(fresh_coverage=9.0), context="Warsaw")
    assert found.spans[0].text == "The theatre opened."


def test_the_shipped_model_fits_the_code() -> None:
    model = shipped_reading()
    assert model.features == list(FEATURES)
    assert set(model.weights) == set(GROUPS)


def test_a_heading_is_not_shown_beside_the_sentence_that_answers() -> None:
    text = "Warsaw\nWarsaw 5\nThe stock exchange was established in 1817. It closed in 1939."
    found = reading_of(text, "when was the stock exchange established", reader(length=0.1))
    assert [span.text for span in found.spans if span.text.startswith("Warsaw")] == []
    assert "1817" in found.text
