"""`causeway eval calibration`: how far the confidence of a site can be believed."""

import asyncio
import re
from pathlib import Path
from typing import Annotated

import typer

from causeway.cli.commands.evaluation_site import evaluation_site
from causeway.cli.connection import Address, Where, perhaps_at_a_place
from causeway.cli.console import STDOUT
from causeway.cli.evaluation.calibration_run import run_calibration
from causeway.cli.evaluation.sets import EvaluationSet, Fields, load_set
from causeway.cli.evaluation.site_run import SiteRun
from causeway.cli.json_text import print_json
from causeway.cli.numbers_text import numbers_table
from causeway.cli.sessions import session

Data = Annotated[Path, typer.Option("--data", help="Folder of the set; see `causeway eval --help` for its files.")]
QuestionField = Annotated[str, typer.Option("--question-field", help="Key of the question, such as q_zh.")]
PassageField = Annotated[str, typer.Option("--passage-field", help="Key of the passage's text, such as en.")]
AnswerField = Annotated[
    str, typer.Option("--answer-field", help="Key of the gold answers; answers, or a_LANG beside q_LANG.")
]
Limit = Annotated[int, typer.Option("--limit", help="Only so many questions, evenly spaced (0: all).", min=0)]
Seed = Annotated[int, typer.Option("--seed", help="Chooses the passages that are withheld, and the parts.")]
Promise = Annotated[float, typer.Option("--promise", help="Share of local answers to be right.", min=0.5, max=0.99)]
Delta = Annotated[float, typer.Option("--delta", help="Chance that a threshold is too low.", min=0.001, max=0.5)]
Config = Annotated[Path | None, typer.Option("--config", "-c", help="site.yaml of the temporary site.")]
Json = Annotated[bool, typer.Option("--json", help="The numbers as JSON, and nothing else on stdout.")]


def register(group: typer.Typer) -> None:
    """Add `eval calibration`."""
    group.command("calibration")(calibration)


@perhaps_at_a_place
def calibration(
    where: Where,
    data: Data,
    question_field: QuestionField = "question",
    passage_field: PassageField = "text",
    answer_field: AnswerField = "",
    limit: Limit = 0,
    seed: Seed = 7,
    promise: Promise = 0.85,
    delta: Delta = 0.1,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """With a seeded 35% of the passages withheld, every question is asked of the site alone. An answer is right when it
    contains a gold answer; abstentions are not, and have probability 0. Each question is judged by a calibration that
    saw no question of its passage (ten parts, by passage; five times, parted anew). ece, brier, auroc: over all
    questions; ece_answered, auroc_answered: without abstentions. local_share: questions whose probability clears the
    threshold for the promise; local_precision: how many of these answers are right. intervals: nine in ten, passages
    drawn anew. uncalibrated:
    what the same questions get before any calibration."""
    loaded = load_set(data, Fields(question=question_field, passage=passage_field, answers=answer_field), limit)
    kb = re.sub(r"[^a-z0-9_-]+", "-", f"eval-{loaded.name}-{passage_field}".lower())[:63]
    address = where.address_if_named()
    numbers = asyncio.run(_measure(loaded, kb, config, address, seed=seed, promise=promise, delta=delta))
    if as_json:
        print_json(numbers)
    else:
        STDOUT.print(numbers_table(numbers))


async def _measure(
    data: EvaluationSet,
    kb: str,
    config: Path | None,
    address: Address | None,
    *,
    seed: int,
    promise: float,
    delta: float,
) -> dict[str, object]:
    async with evaluation_site(config, address) as there, session(there) as client:
        run = SiteRun(client, kb)
        try:
            return await run_calibration(run, data, seed=seed, promise=promise, delta=delta)
        finally:
            if address is not None:
                await run.remove_documents()
