"""Choosing the sentences that answer: a linear model over what a line says, where it stands and what was asked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from causeway.language import Span
from causeway.retrieval.fusion import Matrix, Ranked
from causeway.retrieval.lines import Line
from causeway.retrieval.models import ReadingFile, shipped_reading
from causeway.retrieval.question import AnswerKind, Question
from causeway.retrieval.reranking import Scores

# Another sentence joins while there is room and the answer is not yet sure to be among them. On half the sets one
# sentence held the answer for .74 of the questions, two for .85, these rules for .88 with 110 zh or 310 en characters.
SPANS_MAX = 3
HEADING_CHARS_MAX = 40
BELIEF_ENOUGH = 0.95
CHARS_MAX = {"zh": 200, "en": 400}
FEATURES = (
    "line_dense",
    "line_dense_own",
    "passage",
    "coverage",
    "coverage_gap",
    "fresh_coverage",
    "before_coverage",
    "before_dense",
    "opening",
    "length",
    "asks",
    "kind_number",
    "kind_date",
    "kind_person",
    "kind_place",
    "kind_reason",
    "kind_manner",
)
GROUPS = ("zh", "en", "cross")
_KINDS: tuple[AnswerKind, ...] = ("number", "date", "person", "place", "reason", "manner")

_NUMBER = (
    r"\d|[一二三四五六七八九十百千万亿两]"
    r"|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|hundred|thousand|million|half)\b"
)
_DATE = (
    r"\b1\d{3}\b|\b20\d{2}\b|\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b"
    r"|[\d〇一二三四五六七八九十]+(?:年|月|日|世[纪紀])|century|\b\d{3,4}s\b"
)
_PERSON = (
    r"(?<=[a-z,;] )[A-Z][a-z]+ [A-Z]|\b(?:Mr|Dr|Sir|King|Queen|Pope|President)\b|^[A-Z][a-z]+ [A-Z][a-z]+|[·‧•]"
    r"|先生|博士|教授|[和由与][\u4e00-\u9fff]{2,3}[、，（]"
)
_PLACE = r"\b(?:in|at|near|from|to) (?:the )?[A-Z]|[省市县縣区區州国國岛島山河湖路街镇鎮洲]|位于|位於|[在于於]"
_REASON = (
    r"because|due to|since|in order|so that|result|cause|reason|因[为為此而]?|由[于於]|[导導]致|所以|[为為]了|使得|原因"
)
_MANNER = r"\bby\b|using|through|with|method|[通透]过|透過|通過|利用|方法|[采採]用|首先|步[骤驟]|以"
_SIGNS: dict[str, re.Pattern[str]] = {
    "number": re.compile(_NUMBER, re.IGNORECASE),
    "date": re.compile(_DATE, re.IGNORECASE),
    "person": re.compile(_PERSON),
    "place": re.compile(_PLACE),
    "reason": re.compile(_REASON, re.IGNORECASE),
    "manner": re.compile(_MANNER, re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """One sentence of the answer: where it stands in its chunk's text, and its share of the readers' belief (0..1)."""

    chunk_id: bytes
    span: Span
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Reading:
    """The sentences that answer, best first, how far the best stood out (0..1), and what it was made of."""

    spans: tuple[AnswerSpan, ...] = ()
    score: float = 0.0
    features: dict[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The answer as text: its sentences in reading order where they come from one chunk."""
        together = len({span.chunk_id for span in self.spans}) == 1
        ordered = sorted(self.spans, key=lambda span: span.span.start) if together else self.spans
        return "".join(
            ("" if at == 0 or _is_chinese(span.text) else " ") + span.text for at, span in enumerate(ordered)
        )


def _is_chinese(text: str) -> bool:
    return "\u3400" <= text[:1] <= "\u9fff"


def read(
    question: Question,
    ranked: Sequence[Ranked],
    lines: Sequence[Line],
    cosines: Scores,
    model: ReadingFile | None = None,
) -> Reading:
    """Return the lines, SPANS_MAX at most, that most likely answer; `ranked` holds every chunk that has lines."""
    if not lines:
        return Reading()
    used = model or shipped_reading()
    rows = features(question, ranked, lines, cosines)
    weights = np.array([used.weights[name] for name in groups(question, ranked, lines)], np.float64)
    logits = (rows * weights).sum(axis=1)
    beliefs = np.exp(logits - logits.max())
    beliefs /= beliefs.sum()
    order = np.argsort(-logits, kind="stable")
    chosen = _enough([int(at) for at in order], lines, beliefs)
    return Reading(
        spans=tuple(
            AnswerSpan(lines[at].chunk_id, lines[at].span, lines[at].text, float(beliefs[at])) for at in chosen
        ),
        score=float(beliefs[order[0]]),
        features=dict(zip(FEATURES, rows[order[0]].tolist(), strict=True)) | {"line_cosine": float(cosines[order[0]])},
    )


def _enough(order: Sequence[int], lines: Sequence[Line], beliefs: Matrix) -> list[int]:
    """Return the best line and those next ones that fit, until they hold the answer almost surely."""
    best = lines[order[0]]
    room = CHARS_MAX["zh" if _is_chinese(best.text) else "en"] - len(best.text)
    chosen, belief = [order[0]], float(beliefs[order[0]])
    for at in order[1:]:
        if len(chosen) == SPANS_MAX or belief >= BELIEF_ENOUGH:
            break
        if len(lines[at].text) <= room and not _is_heading(lines[at]):
            chosen.append(at)
            room -= len(lines[at].text)
            belief += float(beliefs[at])
    return chosen


def _is_heading(line: Line) -> bool:
    """Say whether a line looks like the heading that its chunk begins with: it names the subject and says nothing."""
    return line.order <= 1 < line.count and len(line.text) <= HEADING_CHARS_MAX and line.text[-1:].isalnum()


def groups(question: Question, ranked: Sequence[Ranked], lines: Sequence[Line]) -> list[str]:
    """Return which weights judge each line."""
    languages = {one.chunk_id: one.candidate.passage.language for one in ranked}
    own = "zh" if question.language == "zh" else "en"
    return [own if languages[line.chunk_id] == question.language else "cross" for line in lines]


def features(question: Question, ranked: Sequence[Ranked], lines: Sequence[Line], cosines: Scores) -> Matrix:
    """Return one row of FEATURES for each line."""
    scores = {one.chunk_id: one.score for one in ranked}
    best_score = max(scores[line.chunk_id] for line in lines)
    best_cosine, best_coverage = float(max(cosines)), max(line.coverage for line in lines)
    own_best: dict[bytes, float] = {}
    for line, cosine in zip(lines, cosines, strict=True):
        own_best[line.chunk_id] = max(own_best.get(line.chunk_id, -1.0), float(cosine))
    rows = []
    for at, line in enumerate(lines):
        cosine = float(cosines[at])
        before = at - 1 if at and _follows(lines[at - 1], line) else None
        rows.append(
            (
                (cosine - best_cosine) * 20,
                (cosine - own_best[line.chunk_id]) * 20,
                scores[line.chunk_id] - best_score,
                line.coverage * 4,
                (line.coverage - best_coverage) * 4,
                line.fresh_coverage * 4,
                0.0 if before is None else lines[before].coverage * 4,
                -2.0 if before is None else (float(cosines[before]) - best_cosine) * 20,
                float(line.order == 0),
                float(np.log1p(len(line.text))),
                float(line.text.endswith(("?", "？"))),
                *_kind_signs(question.kind, line.text),
            )
        )
    return np.array(rows, np.float64)


def _follows(one: Line, other: Line) -> bool:
    return one.chunk_id == other.chunk_id and one.order + 1 == other.order


def _kind_signs(kind: AnswerKind, text: str) -> list[float]:
    return [float(name == kind and _SIGNS[name].search(text) is not None) for name in _KINDS]
