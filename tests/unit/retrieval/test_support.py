"""What joins the features of a verdict for the calibration after it."""

import numpy as np
import pytest

from causeway.language import terms
from causeway.retrieval import LexicalIndex, LineScores, Reading, ask, judge, read, rerank, split
from causeway.retrieval.support import support
from tests.support.retrieval_builders import SmallBase, unit_vector

ASKED = unit_vector(1.0)


def features(question: str, *texts: str) -> dict[str, float]:
    base = SmallBase()
    for number, text in enumerate(texts):
        base.add(str(number), text, unit_vector(1.0, 0.3 * number))
    asked, ranked = ask(question), base.ranked(question, ASKED)
    lines = split(asked, ranked, base.index.weights(asked.terms))
    cosines = np.full(len(lines), 0.8, np.float32)
    ranked = rerank(asked, ranked, lines, LineScores(cosines, cosines))
    return judge(asked, ranked, read(asked, ranked, lines, cosines)).features


@pytest.mark.parametrize(("probability", "above"), [(0.2, False), (0.3, True), (0.0, False), (1.0, True)])
def test_below_the_threshold_of_the_verdict_answerable_is_negative(probability: float, above: bool) -> None:
    base = SmallBase()
    base.add("one", "Steel is an alloy.", ASKED)
    question = ask("steel")
    found = support(question, base.ranked("steel", ASKED), Reading(), probability, threshold=0.25)
    assert (found["answerable"] > 0) is above
    assert np.isfinite(found["answerable"])


@pytest.mark.parametrize(
    ("question", "text", "missing"),
    [
        ("Who won in 1998?", "Brazil lost in 1998.", 0.0),
        ("Who won in 1998?", "France won in 2018.", 1.0),
        ("1998年谁赢了？", "法国赢了。", 1.0),
        ("Who won?", "France won in 2018.", 0.0),
    ],
)
def test_a_number_of_the_question_that_the_passage_lacks_is_told(question: str, text: str, missing: float) -> None:
    assert features(question, text)["numbers_missing"] == missing


def test_another_language_than_the_questions_is_told() -> None:
    assert features("what is steel", "钢是铁的合金。")["abroad"] == 1.0
    assert features("钢是什么", "钢是铁的合金。")["abroad"] == 0.0


def test_the_belief_on_what_is_shown_is_a_share() -> None:
    assert 0.0 < features("steel", "Steel is an alloy.", "Iron is old.")["shown_belief"] <= 1.0


def test_the_rarest_term_that_a_chunk_lacks_weighs_as_its_idf() -> None:
    index = LexicalIndex()
    index.upsert(b"both", ["common", "rare"])
    index.upsert(b"one", ["common"])
    index.upsert(b"none", ["other"])
    weights = index.weights(["common", "rare"])
    both, one, none, unknown = index.match(["common", "rare"], [b"both", b"one", b"none", b"unknown"])
    assert (both.missing, one.missing, none.missing, unknown.missing) == (0.0, 1.0, 1.0, 1.0)
    (held,) = index.match(["common", "rare", "nowhere"], [b"both"])
    assert held.missing == 1.0
    (rare_only,) = [match.missing for match in index.match(["common", "other"], [b"none"])]
    assert rare_only == pytest.approx(weights["common"] / max(index.weights(["common", "other"]).values()))


def test_missing_follows_upserts_and_deletes_in_any_order() -> None:
    index = LexicalIndex()
    for number in range(50):
        index.upsert(str(number).encode(), terms(f"part {number} of the pump"))
    for number in range(0, 50, 2):
        index.delete(str(number).encode())
    index.upsert(b"4", ["pump", "valve"])
    found = index.match(["pump", "valve"], [b"4", b"5", b"6"])
    assert [match.missing for match in found] == [0.0, 1.0, 1.0]
