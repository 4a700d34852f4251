"""Labelled answers for a calibration: questions are asked of the site alone, and what comes back is compared."""

import random
from collections.abc import Sequence
from pathlib import Path

from causeway.calibration.fitting import Labelled
from causeway.calibration.judging import FEATURES, abstained
from causeway.cli.errors import BadDataError
from causeway.cli.evaluation import metrics
from causeway.cli.evaluation.sets import EvaluationSet, Fields, Passage, Question, load_questions
from causeway.cli.evaluation.site_run import SiteRun
from causeway.proto import subjects
from causeway.proto.answers import Answer, Ask

WITHHELD_SHARE = 0.35
ANSWER_TIMEOUT_S = 120.0
ASKER = "calibration"


def withheld(passages: Sequence[Passage], seed: int, share: float = WITHHELD_SHARE) -> frozenset[str]:
    """The ids of a seeded share of the passages."""
    ids = sorted(passage.id for passage in passages)
    return frozenset(random.Random(seed).sample(ids, int(len(ids) * share)))  # noqa: S311 - a sample, not a secret.


async def label_with_withheld(run: SiteRun, data: EvaluationSet, seed: int) -> list[Labelled]:
    """Publish the set without a share of its passages, and ask all of its questions."""
    hidden = withheld(data.passages, seed)
    shown = [passage for passage in data.passages if passage.id not in hidden]
    await run.publish_passages(shown, f"publish {len(shown)} passages, {len(hidden)} withheld")
    return await label(run, data.questions)


async def label(run: SiteRun, questions: Sequence[Question]) -> list[Labelled]:
    """Ask a kb as it stands."""
    return await run.each(f"ask {len(questions)} questions", questions, lambda one: _labelled(run, one))


async def _labelled(run: SiteRun, question: Question) -> Labelled:
    # The extract alone, by this site alone: its probability is what is calibrated.
    ask = Ask(kb=run.kb, question=question.text, generate=False, cloud=False, cache=False, asker=ASKER)
    subject = subjects.ASK.at(run.client.site, run.kb)
    answer = await run.client.bus.request(subject, ask, Answer, ANSWER_TIMEOUT_S)
    return label_of(question, answer)


def label_of(question: Question, answer: Answer) -> Labelled:
    """An answer is right when a gold answer stands in it; an abstention is not, nor is any to a question without one.

    Raises:
        BadDataError: the site is older than the features that are calibrated.
    """
    lacking = [name for name in FEATURES if name not in answer.features]
    if lacking and not abstained(answer.features):
        raise BadDataError(f"the site's answers have no {', '.join(lacking)}", "Update the site's edge-inference.")
    return Labelled(
        key=question.id,
        language=answer.language,
        # Whatever its features say, an abstention is one.
        features=answer.features if not answer.abstained else {**answer.features, "answerable": -1.0},
        right=not answer.abstained and metrics.holds(answer.text, question.answers),
        cluster=min(question.relevant, default=question.id),
    )


def questions_in(folder: Path, fields: Fields, limit: int = 0) -> tuple[Question, ...]:
    """The questions of a folder, evenly spaced where there are more than `limit` (0: all).

    Raises:
        BadDataError: it is not a folder, has no questions.jsonl, or a line lacks a key.
    """
    questions = load_questions(folder, fields)
    count = min(limit or len(questions), len(questions))
    return tuple(questions[number * len(questions) // count] for number in range(count))
