"""`causeway eval calibration`: a site with a part of a set withheld, asked, and judged by calibrations of the rest."""

import asyncio
from collections.abc import Sequence

import numpy as np

from causeway.calibration.errors import CalibrationError
from causeway.calibration.fitting import Labelled
from causeway.cli.errors import UserError
from causeway.cli.evaluation.calibration_scores import (
    FOLDS,
    PARTITIONS,
    by_language,
    by_promise,
    calibration_scores,
    draws_of,
    judge_partitions,
    uncalibrated,
)
from causeway.cli.evaluation.labelling import label_with_withheld, withheld
from causeway.cli.evaluation.sets import EvaluationSet
from causeway.cli.evaluation.site_run import SiteRun

DRAWS = 300


async def run_calibration(
    run: SiteRun, data: EvaluationSet, *, seed: int, promise: float, delta: float
) -> dict[str, object]:
    """Ask, label, and score what calibrations of other passages make of it.

    Raises:
        UserError: the set has too few questions with answers.
    """
    labels = await label_with_withheld(run, data, seed)
    hidden = withheld(data.passages, seed)
    head: dict[str, object] = {
        "set": data.name,
        "questions": len(data.questions),
        "blank_questions": data.blank,
        "passages": len(data.passages),
        "withheld_passages": len(hidden),
        "answerable": float(np.mean([not question.relevant <= hidden for question in data.questions])),
        "seed": seed,
        "promise": promise,
        "delta": delta,
        "folds": FOLDS,
        "partitions": PARTITIONS,
    }
    # Half a minute for thousands of questions, in which the connection must be looked after.
    return head | await asyncio.to_thread(scores_of, labels, seed=seed, promise=promise, delta=delta)


def scores_of(labels: Sequence[Labelled], *, seed: int, promise: float, delta: float) -> dict[str, object]:
    """The numbers of labelled answers.

    Raises:
        UserError: they are too few.
    """
    try:
        judged = judge_partitions(labels, promise=promise, delta=delta, seed=seed)
    except CalibrationError as error:
        raise UserError(str(error), error.mend) from error
    generator = np.random.default_rng(seed)
    draws = draws_of(judged, lambda below, size: generator.integers(below, size=size), DRAWS)
    return {
        "right": float(np.mean([one.right for one in labels])),
        "abstained": float(np.mean([not one.answered for one in labels])),
        **calibration_scores(judged, promise, draws),
        "promises": by_promise(judged),
        "languages": by_language(judged, promise),
        "uncalibrated": uncalibrated(labels),
    }
