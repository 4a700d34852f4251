"""Whether the evidence answers the question at all: a logistic model per group of languages over all features."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from causeway.retrieval.fusion import Ranked
from causeway.retrieval.models import AnswerabilityFile, LogisticFile, shipped_answerability
from causeway.retrieval.question import Question
from causeway.retrieval.reading import Reading
from causeway.retrieval.support import support

# How many candidates the spread of scores is taken over.
FIELD_SIZE = 20
FEATURES = (
    "dense_top",
    "dense_lead",
    "dense_spread",
    "centred_top",
    "centred_lead",
    "centred_lead_own",
    "lexical_top",
    "lexical_lead",
    "coverage_top",
    "coverage_most",
    "context_coverage_top",
    "first_look_lead",
    "rank_belief",
    "dense_rank",
    "lexical_rank",
    "line_cosine",
    "line_centred",
    "standout",
    "line_coverage",
    "line_belief",
    "lines_agree",
    "terms",
    "length",
)
GROUPS = ("zh", "en", "zh>en", "en>zh")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The probability that the evidence answers, whether that is enough to answer, and FEATURES and SUPPORT by name."""

    probability: float = 0.0
    answers: bool = False
    features: dict[str, float] = field(default_factory=dict)


def judge(
    question: Question, ranked: Sequence[Ranked], reading: Reading, model: AnswerabilityFile | None = None
) -> Verdict:
    """Judge the reading of the reranked candidates; nothing found is an abstention."""
    if not ranked or not reading.spans:
        return Verdict()
    used = model or shipped_answerability()
    values = features(question, ranked, reading)
    name = group(question, ranked)
    chance, enough = probability(used.models[name], values), used.thresholds[name]
    values |= support(question, ranked, reading, chance, enough)
    return Verdict(probability=chance, answers=chance >= enough, features=values)


def group(question: Question, ranked: Sequence[Ranked]) -> str:
    """Return which model judges, by the languages of question and best passage; what is not Chinese is English."""
    asked, written = ("zh" if one.language == "zh" else "en" for one in (question, ranked[0].candidate.passage))
    return asked if asked == written else f"{asked}>{written}"


def probability(model: LogisticFile, values: dict[str, float]) -> float:
    """Return what the model makes of FEATURES by name."""
    logit = model.bias + sum(weight * values[name] for name, weight in zip(model.features, model.weights, strict=True))
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, logit))))


def features(question: Question, ranked: Sequence[Ranked], reading: Reading) -> dict[str, float]:
    """Return FEATURES by name. A lead is the distance to the best other candidate in the same score.

    That of the dense score is among passages of one language: across languages cosines do not compare.
    """
    best = ranked[0].candidate
    rest = [one.candidate for one in ranked[1 : FIELD_SIZE + 1]]
    own = [other for other in rest if (other.passage.language == "zh") == (best.passage.language == "zh")]
    dense = np.array([best.dense, *(other.dense for other in own)])
    span = reading.spans[0]
    return {
        "dense_top": best.dense,
        "dense_lead": best.dense - max((other.dense for other in own), default=best.dense),
        "dense_spread": float((best.dense - dense.mean()) / (dense.std() + 0.01)),
        "centred_top": best.centred,
        "centred_lead": best.centred - max((other.centred for other in rest), default=best.centred),
        "centred_lead_own": best.centred - max((other.centred for other in own), default=best.centred),
        "lexical_top": best.lexical,
        "lexical_lead": best.lexical - max((other.lexical for other in rest), default=0.0),
        "coverage_top": best.coverage,
        "coverage_most": max(one.candidate.coverage for one in ranked),
        "context_coverage_top": best.context_coverage,
        "first_look_lead": min(5.0, -_first_look(ranked[1]) if len(ranked) > 1 else 5.0),
        "rank_belief": _belief([one.score for one in ranked]),
        "dense_rank": ranked[0].features["dense_rank"],
        "lexical_rank": ranked[0].features["lexical_rank"],
        "line_cosine": reading.features["line_cosine"],
        "line_centred": ranked[0].features.get("line_centred_best", 0.0),
        "standout": ranked[0].features["standout"],
        "line_coverage": reading.features["coverage"] / 4,
        "line_belief": reading.score,
        "lines_agree": float(span.chunk_id == ranked[0].chunk_id),
        "terms": math.log1p(len(question.terms)),
        "length": math.log1p(len(best.passage.text)),
    }


def _first_look(one: Ranked) -> float:
    return one.features.get("first_look", -5.0)


def _belief(scores: Sequence[float]) -> float:
    return 1.0 / sum(math.exp(max(-30.0, score - scores[0])) for score in scores)
