"""Whose word on an answer counts, and for what. Pure.

The first verdict of the asker counts. The same again is nothing new; another one after it only takes the answer out of
the cache, where it says that the answer was wrong: what has been counted can not be counted back. An answer that named
an asker is judged by that asker; one without is judged by anybody, once for each name. Who an asker is, the site's own
frontends say: this is a rule against mistakes, not against lies.
"""

import enum
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from causeway.edge_inference.answer_index import Followed
from causeway.proto.answers import Route
from causeway.proto.feedback import AnswerAudited, Feedback, Verdict

# A fallback is the local answer too, given for want of the cloud.
LOCAL = (Route.EDGE, Route.FALLBACK)


class Ignored(enum.StrEnum):
    """Why a verdict is not counted. `unknown_answer` is not kept any more, was never given, or is still to come."""

    UNKNOWN_ANSWER = "unknown_answer"
    OTHER_KB = "other_kb"
    OTHER_ASKER = "other_asker"
    REPEATED = "repeated"


class Entry(NamedTuple):
    """Where a judgement stands in FEEDBACK, and when it was stored there."""

    at_ms: int
    seq: int


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What follows from a verdict. `example`: it is a labelled example of the local confidence."""

    ignored: Ignored | None = None
    rejects: bool = False
    example: bool = False


@dataclass(frozen=True, kw_only=True)
class Observation:
    """An answer with its confidence, and whether it turned out right. `source` is `feedback` or `audit`.

    `calibrated`: it was given under a calibration. `at_unix_ms` is when FEEDBACK stored the verdict, as its entry
    `seq`; `given_unix_ms` is of the answer."""

    kb: str
    language: str
    confidence: float
    right: bool
    source: str
    calibrated: bool
    given_unix_ms: int
    at_unix_ms: int
    seq: int


def observed(answer: Followed, right: bool, source: str, entry: Entry) -> Observation:
    """What a verdict on an answer says."""
    return Observation(
        kb=answer.kb,
        language=answer.language,
        confidence=answer.confidence,
        right=right,
        source=source,
        calibrated=answer.calibrated,
        given_unix_ms=answer.at_unix_ms,
        at_unix_ms=entry.at_ms,
        seq=entry.seq,
    )


def audited(audit: AnswerAudited, answer: Followed | None, entry: Entry) -> Observation | None:
    """What an audit says. One that does not tell when its answer was given needs the answer, or it says nothing."""
    if not audit.given_unix_ms:
        return observed(answer, audit.agrees, "audit", entry) if answer is not None else None
    return Observation(
        kb=audit.kb,
        language=audit.language,
        confidence=audit.confidence,
        right=audit.agrees,
        source="audit",
        calibrated=audit.calibrated,
        given_unix_ms=audit.given_unix_ms,
        at_unix_ms=entry.at_ms,
        seq=entry.seq,
    )


def without_text(judgement: Feedback | AnswerAudited) -> Feedback | AnswerAudited:
    """As much of it as bears on anything here."""
    if isinstance(judgement, Feedback):
        return msgspec.structs.replace(judgement, corrected_text="")
    return msgspec.structs.replace(judgement, cloud_text="", features={})


def rule(feedback: Feedback, answer: Followed | None, before: Verdict | None) -> Ruling:
    """What follows from a verdict on this answer, if it is known, by an asker who has said `before`, if anything."""
    if answer is None:
        return Ruling(ignored=Ignored.UNKNOWN_ANSWER)
    if answer.kb != feedback.kb:
        return Ruling(ignored=Ignored.OTHER_KB)
    if answer.asker and answer.asker != feedback.asker:
        return Ruling(ignored=Ignored.OTHER_ASKER)
    wrong = feedback.verdict is not Verdict.RIGHT
    if before is not None:
        return Ruling(ignored=Ignored.REPEATED, rejects=wrong and before is Verdict.RIGHT)
    return Ruling(rejects=wrong, example=answer.route in LOCAL and not answer.abstained)


class Verdicts:
    """The first verdict of each asker on each answer: the newest `most` of these."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._first: OrderedDict[tuple[str, str], Verdict] = OrderedDict()

    def first(self, feedback: Feedback) -> Verdict | None:
        """What this asker said of this answer first."""
        return self._first.get((feedback.answer_id, feedback.asker))

    def remember(self, feedback: Feedback) -> None:
        """This verdict has had its effects."""
        self._first.setdefault((feedback.answer_id, feedback.asker), feedback.verdict)
        if len(self._first) > self._most:
            self._first.popitem(last=False)
