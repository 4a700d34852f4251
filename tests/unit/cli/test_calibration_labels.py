"""Which answers become labels of a calibration, and what the evaluation makes of them."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from causeway.calibration.errors import CalibrationError
from causeway.calibration.fitting import calibrate
from causeway.calibration.judging import FEATURES
from causeway.cli.errors import BadDataError, UserError
from causeway.cli.evaluation.calibration_run import scores_of
from causeway.cli.evaluation.calibration_scores import (
    FOLDS,
    PARTITIONS,
    by_language,
    by_promise,
    calibration_scores,
    draws_of,
    judge_folds,
    judge_partitions,
)
from causeway.cli.evaluation.feedback_labels import feedback_labels
from causeway.cli.evaluation.labelling import label_of, withheld
from causeway.cli.evaluation.sets import Passage, Question
from causeway.proto.answers import Answer, Author, Route
from causeway.proto.documents import Residency
from causeway.proto.feedback import AnswerAudited, AnswerGiven, CitedChunk, Feedback, Verdict
from tests.support.labelled_answers import labelled

STRONG = dict.fromkeys(FEATURES, 0.5)
QUESTION = Question(id="q1", text="How many days?", relevant=frozenset(["leave"]), answers=("12 days",))


def answer(text: str, *, abstained: bool = False, features: dict[str, float] | None = None) -> Answer:
    return Answer(
        kb="k",
        text=text,
        sentences=[],
        written_by=Author.EXTRACT,
        route=Route.EDGE,
        abstained=abstained,
        language="en",
        confidence=0.5,
        features=STRONG if features is None else features,
        citations=[],
        epoch={},
        latency_ms={},
    )


def given(name: str, **changes: object) -> AnswerGiven:
    whole = AnswerGiven(
        answer_id=name,
        kb="k",
        question="?",
        language="zh",
        asker="ann",
        route=Route.EDGE,
        text="t",
        abstained=False,
        confidence=0.9,
        calibrated=True,
        features=STRONG,
        cited=[CitedChunk(document_id=f"doc-{name}", revision=1, chunk_id=b"1")],
        epoch={},
        residency=Residency.PUBLIC,
        at_unix_ms=1,
    )
    return msgspec.structs.replace(whole, **changes)


def said(name: str, verdict: Verdict, asker: str = "ann", kb: str = "k") -> Feedback:
    return Feedback(answer_id=name, kb=kb, verdict=verdict, asker=asker)


def audited(name: str, agrees: bool) -> AnswerAudited:
    return AnswerAudited(
        answer_id=name, kb="k", language="zh", confidence=0.9, agrees=agrees, cloud_text="", cost_usd=0.0, at_unix_ms=2
    )


def test_an_answer_is_right_when_it_contains_a_gold_answer() -> None:
    assert label_of(QUESTION, answer("Everyone has 12 Days of leave.")).right
    assert not label_of(QUESTION, answer("Everyone has leave.")).right
    assert label_of(QUESTION, answer("12 days")).cluster == "leave"


def test_an_abstention_is_never_right_whatever_it_says_or_its_features_are() -> None:
    label = label_of(QUESTION, answer("12 days", abstained=True))
    assert (label.right, label.answered) == (False, False)
    assert not label_of(QUESTION, answer("", abstained=True, features={})).answered


def test_a_question_without_answers_has_no_right_one() -> None:
    assert not label_of(replace(QUESTION, answers=()), answer("12 days")).right


def test_a_site_without_the_features_is_named_as_too_old() -> None:
    old = {name: value for name, value in STRONG.items() if name != "shown_belief"}
    with pytest.raises(BadDataError, match="have no shown_belief"):
        label_of(QUESTION, answer("12 days", features=old))


def test_withheld_passages_are_the_same_for_the_same_seed() -> None:
    passages = [Passage(id=str(number), title="", text="t") for number in range(100)]
    assert len(withheld(passages, 1)) == 35
    assert withheld(passages, 1) == withheld(passages[::-1], 1) != withheld(passages, 2)


def test_the_first_word_of_the_asker_counts_and_an_audit_only_without_one() -> None:
    labels = feedback_labels(
        [given("a"), given("b"), given("c")],
        [said("a", Verdict.RIGHT), said("a", Verdict.WRONG), said("b", Verdict.CORRECTED)],
        [audited("b", True), audited("c", True)],
    )
    assert [(one.key, one.right, one.cluster) for one in labels] == [
        ("a", True, "doc-a"),
        ("b", False, "doc-b"),
        ("c", True, "doc-c"),
    ]


def test_what_an_answer_should_have_been_labels_later_answers_to_the_same_question_that_nobody_judged() -> None:
    answers = [
        given("earlier", at_unix_ms=4),
        given("wrong", text="Ten days.", question="How long is leave?", at_unix_ms=5),
        given("again", text="Ten days.", question="how long is LEAVE", at_unix_ms=6),
        given("mended", text="It is twelve   days.", question="How long is leave?", at_unix_ms=7),
        given("judged", text="Ten days.", question="How long is leave?", at_unix_ms=8),
        given("theirs", text="Ten days.", question="How long is leave?", at_unix_ms=9, tenant="other"),
        given("unlike", text="Ten days.", question="How long is lunch?", at_unix_ms=9),
    ]
    answers[0] = msgspec.structs.replace(answers[0], question="How long is leave?")
    corrected = Feedback(
        answer_id="wrong", kb="k", verdict=Verdict.CORRECTED, corrected_text="Twelve days", asker="ann"
    )
    labels = feedback_labels(answers, [corrected, said("judged", Verdict.RIGHT)], [])
    assert {one.key: one.right for one in labels} == {"again": False, "judged": True, "mended": True, "wrong": False}


def test_a_correction_of_somebody_else_or_without_text_labels_no_other_answer() -> None:
    answers = [given("a", at_unix_ms=1), given("b", at_unix_ms=2)]
    by_bob = Feedback(answer_id="a", kb="k", verdict=Verdict.CORRECTED, corrected_text="t", asker="bob")
    empty = Feedback(answer_id="a", kb="k", verdict=Verdict.CORRECTED, corrected_text=" . ", asker="ann")
    assert feedback_labels(answers, [by_bob], []) == []
    assert [one.key for one in feedback_labels(answers, [empty], [])] == ["a"]


def test_an_audit_that_could_not_tell_labels_nothing() -> None:
    assert feedback_labels([given("a")], [], [msgspec.structs.replace(audited("a", True), undecided=True)]) == []


@pytest.mark.parametrize(
    "changes", [{"route": Route.CLOUD}, {"route": Route.CACHE}, {"abstained": True}, {"features": {}}]
)
def test_answers_that_say_nothing_of_the_local_confidence_are_left_out(changes: dict[str, object]) -> None:
    assert feedback_labels([given("a", **changes)], [said("a", Verdict.RIGHT)], [audited("a", True)]) == []


def test_the_word_of_another_asker_or_on_another_kb_or_on_nothing_is_left_out() -> None:
    words = [said("a", Verdict.WRONG, asker="bob"), said("a", Verdict.WRONG, kb="other"), said("x", Verdict.WRONG)]
    assert feedback_labels([given("a")], words, [audited("x", False)]) == []
    assert not feedback_labels([given("a", asker="")], words, [])[0].right


def test_no_passage_is_judged_by_a_calibration_that_saw_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from causeway.cli.evaluation import calibration_scores as module

    seen: list[set[str]] = []
    real = calibrate

    def spied(labels, **rest):  # type: ignore[no-untyped-def]
        seen.append({one.cluster for one in labels})
        return real(labels, **rest)

    monkeypatch.setattr(module, "calibrate", spied)
    labels = labelled(400, lift=1.0)
    judged = judge_folds(labels, promise=0.85, delta=0.1, seed="3")
    every = {one.cluster for one in labels}
    assert len(seen) == FOLDS
    assert sum(len(every - fitted) for fitted in seen) == len(every)
    assert sorted(one.label.key for one in judged) == sorted(one.key for one in labels)


def test_each_question_is_judged_once_in_every_partition_and_counted_once() -> None:
    labels = labelled(400, lift=1.0)
    judged = judge_partitions(labels, promise=0.85, delta=0.1, seed=3)
    said: dict[str, set[float]] = {}
    for one in judged:
        said.setdefault(one.label.key, set()).add(one.said)
    assert len(judged) == PARTITIONS * len(labels)
    assert all(len(said[one.key]) > 1 for one in labels if one.answered)
    assert sum(of["questions"] for of in by_language(judged, 0.85).values()) == len(labels)


def test_the_local_answers_are_those_that_clear_the_threshold_and_higher_promises_keep_fewer() -> None:
    judged = judge_folds(labelled(1_200, lift=1.5, withheld=0.2), promise=0.85, delta=0.1, seed="3")
    generator = np.random.default_rng(1)
    draws = draws_of(judged, lambda below, size: generator.integers(below, size=size), 40)
    scores = calibration_scores(judged, 0.85, draws)
    assert scores["local_precision"] >= 0.85
    assert 0.3 < scores["local_share"] < 0.8
    assert scores["ece"] < 0.05
    shares = [one["local_share"] for one in by_promise(judged).values()]
    assert shares == sorted(shares, reverse=True)
    assert not any(any(one.local.values()) for one in judged if not one.label.answered)


def test_the_same_labels_and_seed_give_the_same_numbers() -> None:
    labels = labelled(400, lift=1.0)
    one, other = (scores_of(labels, seed=5, promise=0.85, delta=0.1) for _ in range(2))
    assert one == other


def test_too_few_labels_are_said_with_a_mend() -> None:
    with pytest.raises(UserError, match="too few") as caught:
        scores_of(labelled(40), seed=5, promise=0.85, delta=0.1)
    assert caught.value.mend
    assert isinstance(caught.value.__cause__, CalibrationError)
