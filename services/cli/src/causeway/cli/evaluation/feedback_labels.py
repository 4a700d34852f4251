"""Labelled answers for a calibration from what a site has heard of its own answers. Pure."""

from collections.abc import Iterable

from causeway.calibration.fitting import Labelled
from causeway.calibration.judging import FEATURES
from causeway.proto.answers import Route
from causeway.proto.feedback import AnswerAudited, AnswerGiven, Feedback, Verdict

# A fallback is the local answer too, given for want of the cloud.
LOCAL = (Route.EDGE, Route.FALLBACK)


def feedback_labels(
    given: Iterable[AnswerGiven], feedback: Iterable[Feedback], audits: Iterable[AnswerAudited]
) -> list[Labelled]:
    """Return one label for each local answer that somebody judged: by its asker's first word, else by an audit that
    could tell.

    An answer without the features that are calibrated is left out, and so is an abstention: nobody can judge it.
    """
    answers = {one.answer_id: one for one in given if _usable(one)}
    verdicts: dict[str, bool] = {}
    for said in feedback:
        answer = answers.get(said.answer_id)
        if answer is not None and answer.kb == said.kb and answer.asker in ("", said.asker):
            verdicts.setdefault(said.answer_id, said.verdict is Verdict.RIGHT)
    for audit in audits:
        if audit.answer_id in answers and not audit.undecided:
            verdicts.setdefault(audit.answer_id, audit.agrees)
    return [_labelled(answers[key], right) for key, right in sorted(verdicts.items())]


def _usable(answer: AnswerGiven) -> bool:
    has_all = all(name in answer.features for name in FEATURES)
    return answer.route in LOCAL and not answer.abstained and has_all


def _labelled(answer: AnswerGiven, right: bool) -> Labelled:
    document = answer.cited[0].document_id if answer.cited else answer.answer_id
    return Labelled(
        key=answer.answer_id, language=answer.language, features=answer.features, right=right, cluster=document
    )
