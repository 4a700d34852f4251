"""The best lines decide between contenders and leave the rest alone."""

import numpy as np

from causeway.retrieval import LineScores, ask, measure, rerank, split
from causeway.retrieval.models import Centres, FusionModel, shipped_fusion
from causeway.retrieval.reranking import FEATURES
from tests.support.retrieval_builders import DIMS, SmallBase, plain_model, unit_vector

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
    again = rerank(ask(QUESTION), ranked, lines, LineScores(cosines, cosines), MODEL)
    assert [one.chunk_id for one in again] == [b"second", b"first", b"distant"]
    scores = [one.score for one in again]
    assert scores == sorted(scores, reverse=True)
    assert "line_dense" in again[0].features
    assert "line_dense" not in again[2].features


def test_without_lines_the_order_stays() -> None:
    ranked = small_base().ranked(QUESTION, ASKED, MODEL)
    none = measure(ask(QUESTION), ASKED, np.zeros((0, DIMS), np.float32))
    assert rerank(ask(QUESTION), ranked, [], none, MODEL) == ranked
    assert rerank(ask(QUESTION), [], [], none) == []


def test_lines_of_two_languages_are_compared_by_what_sets_the_question_apart() -> None:
    base = SmallBase()
    base.add("zh", "剧院在那里。", unit_vector(1.0))
    base.add("en", "The theatre is there.", unit_vector(1.0))
    centre = unit_vector(0.0, 1.0)
    apart = FusionModel(
        weights=MODEL.weights,
        second=dict.fromkeys(MODEL.second, np.array([float(name == "line_centred") for name in FEATURES])),
        centres=Centres({"zh": centre, "en": centre}, {"zh": centre, "en": centre}),
    )
    ranked = base.ranked(QUESTION, ASKED, MODEL)
    lines = split(ask(QUESTION), ranked, {})
    own, other = unit_vector(0.3, 1.0), unit_vector(0.6, 0.0, 1.0)
    rows = np.stack([own if line.chunk_id == b"en" else other for line in lines])
    question = unit_vector(0.7, 1.0)
    scores = measure(ask(QUESTION), question, rows, apart)
    assert own @ question > other @ question
    assert rerank(ask(QUESTION), ranked, lines, scores, apart)[0].chunk_id == b"zh"


def test_the_shipped_weights_fit_the_code() -> None:
    assert all(len(row) == len(FEATURES) for row in shipped_fusion().second.values())
