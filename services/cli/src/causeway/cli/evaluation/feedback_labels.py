"""Labelled answers for a calibration from what a site has heard of its own answers. Pure."""

from collections.abc import Iterable, Mapping

from causeway.calibration.fitting import Labelled
from causeway.calibration.judging import FEATURES
from causeway.cli.evaluation.metrics import holds, normalised
from causeway.proto.answers import Route
from causeway.proto.feedback import AnswerAudited, AnswerGiven, Feedback, Verdict

# A fallback is the local answer too, given for want of the cloud.
LOCAL = (Route.EDGE, Route.FALLBACK)


def feedback_labels(
    given: Iterable[AnswerGiven], feedback: Iterable[Feedback], audits: Iterable[AnswerAudited]
) -> list[Labelled]:
    """Return one label for each local answer that somebody judged: by its asker's first word, else by an audit that
    could tell, else by what an asker said the answer to the same question should have been.

    An answer without the features that are calibrated is left out, and so is an abstention: nobody can judge it.
    """
    everything = {one.answer_id: one for one in given}
    answers = {key: one for key, one in everything.items() if _usable(one)}
    words = _first_words(everything, feedback)
    verdicts = {key: said.verdict is Verdict.RIGHT for key, said in words.items() if key in answers}
    for audit in audits:
        if audit.answer_id in answers and not audit.undecided:
            verdicts.setdefault(audit.answer_id, audit.agrees)
    corrections = _corrections(everything, words)
    for key, answer in answers.items():
        golds = [text for at_ms, text in corrections.get(_question(answer), ()) if at_ms < answer.at_unix_ms]
        if golds:
            verdicts.setdefault(key, holds(answer.text, golds))
    return [_labelled(answers[key], right) for key, right in sorted(verdicts.items())]


def _first_words(answers: Mapping[str, AnswerGiven], feedback: Iterable[Feedback]) -> dict[str, Feedback]:
    """The first word of the asker of each answer."""
    words: dict[str, Feedback] = {}
    for said in feedback:
        answer = answers.get(said.answer_id)
        if answer is not None and answer.kb == said.kb and answer.asker in ("", said.asker):
            words.setdefault(said.answer_id, said)
    return words


def _corrections(
    answers: Mapping[str, AnswerGiven], words: Mapping[str, Feedback]
) -> dict[tuple[str, str, str], list[tuple[int, str]]]:
    """Of each question, when an answer was given that was corrected, and what it should have been."""
    found: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for key, said in words.items():
        if said.verdict is not Verdict.RIGHT and normalised(said.corrected_text):
            answer = answers[key]
            found.setdefault(_question(answer), []).append((answer.at_unix_ms, said.corrected_text))
    return found


def _question(answer: AnswerGiven) -> tuple[str, str, str]:
    """Tenants do not see each other's answers, so one does not correct another's."""
    return answer.kb, answer.tenant, normalised(answer.question)


def _usable(answer: AnswerGiven) -> bool:
    has_all = all(name in answer.features for name in FEATURES)
    return answer.route in LOCAL and not answer.abstained and has_all


def _labelled(answer: AnswerGiven, right: bool) -> Labelled:
    document = answer.cited[0].document_id if answer.cited else answer.answer_id
    return Labelled(
        key=answer.answer_id, language=answer.language, features=answer.features, right=right, cluster=document
    )
