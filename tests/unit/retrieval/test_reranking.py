"""The best lines decide between contenders and leave the rest alone."""

import numpy as np

from causeway.retrieval import ask, rerank, split
from tests.support.retrieval_builders import SmallBase, plain_model, unit_vector

ASKED = unit_vector(1.0)
QUESTION = "where is the theatre"
MODEL = plain_model(dense=2.0)


def small_base() -> SmallBase:
    base = SmallBase()
    base.add("first", "One thing. Another thing.", unit_vector(1.0, 0.1))
    base.add("second", "The theatre is there. More.", unit_vector(1.0, 0.2))
    base.add("distant", "Far away.", unit_vector(0.0, 1.0))
    return base


def test_the_passage_with_the_better_line_comes_first() -> None:
    base = small_base()
    ranked = base.ranked(QUESTION, ASKED, MODEL)
    lines = split(ask(QUESTION), ranked, {})
    assert [one.chunk_id for one in ranked][:2] == [b"first", b"second"]
    cosines = np.array([0.9 if "theatre" in line.text else 0.5 for line in lines], np.float32)
    again = rerank(ask(QUESTION), ranked, lines, cosines, MODEL)
    assert [one.chunk_id for one in again] == [b"second", b"first", b"distant"]
    scores = [one.score for one in again]
    assert scores == sorted(scores, reverse=True)
    assert "line_dense" in again[0].features
    assert "line_dense" not in again[2].features


def test_without_lines_the_order_stays() -> None:
    ranked = small_base().ranked(QUESTION, ASKED, MODEL)
    assert rerank(ask(QUESTION), ranked, [], np.zeros(0, np.float32), MODEL) == ranked
    assert rerank(ask(QUESTION), [], [], np.zeros(0, np.float32)) == []
