"""From what the site returned to the numbers that are printed. Pure."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from causeway.cli.evaluation import metrics
from causeway.cli.evaluation.sets import ParseCase, Passage, Question

WITHHELD_SHARE = 1 / 3


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question and what came back: the instant answer, and the final one where a local model reworded it."""

    question: Question
    instant: str
    final: str
    abstained: bool
    written_by: str = "extract"


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """One file and the text of all its chunks; `failure` is the code of a failed document."""

    case: ParseCase
    text: str
    failure: str = ""
    crashed: bool = False


def retrieval_scores(ranked: Mapping[str, Sequence[str]], questions: Iterable[Question]) -> dict[str, float]:
    """Means over the questions of the rank measures; `ranked` is document ids by question id."""
    pairs = [(ranked[question.id], question.relevant) for question in questions]
    return {
        "r_at_1": metrics.mean(metrics.first_is_relevant(*pair) for pair in pairs),
        "mrr_at_10": metrics.mean(metrics.reciprocal_rank(*pair) for pair in pairs),
        "ndcg_at_10": metrics.mean(metrics.ndcg(*pair) for pair in pairs),
    }


def withheld(passages: Sequence[Passage], seed: int) -> frozenset[str]:
    """The ids of a third of the passages, the same for the same seed."""
    ids = sorted(passage.id for passage in passages)
    return frozenset(random.Random(seed).sample(ids, int(len(ids) * WITHHELD_SHARE)))  # noqa: S311 - a sample, not a secret.


def answer_scores(answered: Sequence[Asked]) -> dict[str, float]:
    """With every passage published: does the answer hold the gold span, and how close is it to it?

    An abstention counts as wrong in all three, and is reported as `false_abstained`.
    """
    given = [(("" if one.abstained else one.instant), one) for one in answered]
    finals = [("" if one.abstained else one.final, one.question.answers) for one in answered]
    return {
        "holds_answer": metrics.mean(metrics.holds(text, one.question.answers) for text, one in given),
        "holds_answer_if_answered": metrics.mean(
            metrics.holds(one.instant, one.question.answers) for one in answered if not one.abstained
        ),
        "em": metrics.mean(metrics.exact_match(*pair) for pair in finals),
        "f1": metrics.mean(metrics.f1(*pair) for pair in finals),
        "false_abstained": metrics.mean(one.abstained for one in answered),
    }


def abstention_scores(unanswerable: Sequence[Asked]) -> dict[str, float]:
    """With their passages withheld: how many questions are refused, and how many answered all the same."""
    abstained = metrics.mean(one.abstained for one in unanswerable)
    return {
        "unanswerable": len(unanswerable),
        "abstained": abstained,
        "wrong_unanswerable": 1 - abstained if unanswerable else 0.0,
    }


def parse_scores(parsed: Sequence[Parsed]) -> dict[str, float]:
    """Over the files that plain parsing can read (no `needs`); crashes over all files."""
    plain = [one for one in parsed if not one.case.needs]
    recalls = [metrics.phrase_recall(one.text, one.case.phrases) for one in plain]
    return {
        "documents": len(plain),
        "complete": sum(recall == 1.0 for recall in recalls),
        "phrase_recall": metrics.mean(recalls),
        "crashes": sum(one.crashed for one in parsed),
        "failed": sum(bool(one.failure) for one in plain),
        "documents_with_needs": len(parsed) - len(plain),
        "failed_with_needs": sum(bool(one.failure) for one in parsed) - sum(bool(one.failure) for one in plain),
    }
