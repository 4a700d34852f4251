"""`causeway eval`: measure a site on a public set, through its own services."""

import asyncio
import importlib
import pkgutil
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from causeway.cli import commands
from causeway.cli.commands.evaluation_site import evaluation_site
from causeway.cli.connection import Address, Where, perhaps_at_a_place
from causeway.cli.console import STDOUT
from causeway.cli.evaluation.runs import run_answers, run_parsing, run_retrieval
from causeway.cli.evaluation.sets import FORMATS, Fields, load_parse_cases, load_set
from causeway.cli.evaluation.site_run import SiteRun
from causeway.cli.json_text import print_json
from causeway.cli.numbers_text import numbers_table
from causeway.cli.sessions import session
from causeway.proto.answers import SearchMode

Data = Annotated[Path, typer.Option("--data", help="Folder of the set; see `causeway eval --help` for its files.")]
QuestionField = Annotated[str, typer.Option("--question-field", help="Key of the question, such as q_zh.")]
PassageField = Annotated[str, typer.Option("--passage-field", help="Key of the passage's text, such as en.")]
AnswerField = Annotated[
    str, typer.Option("--answer-field", help="Key of the gold answers; answers, or a_LANG beside q_LANG.")
]
Limit = Annotated[int, typer.Option("--limit", help="Only so many questions, evenly spaced (0: all).", min=0)]
Modes = Annotated[
    list[SearchMode] | None, typer.Option("--mode", help="Only these lists; again for another. All three by default.")
]
Seed = Annotated[int, typer.Option("--seed", help="Chooses the third of the passages that is withheld.")]
Config = Annotated[Path | None, typer.Option("--config", "-c", help="site.yaml of the temporary site.")]
Json = Annotated[bool, typer.Option("--json", help="The numbers as JSON, and nothing else on stdout.")]
Numbers = Mapping[str, Any]
Work = Callable[[SiteRun], Awaitable[Numbers]]

_HELP = (
    "Measure a site on a set, through its own services: passages are published, questions asked over NATS. "
    "A temporary site is started and removed again, unless --url or --data-dir names a running one.\n\n"
    + "\n\n".join(FORMATS.splitlines())
)


def register(app: typer.Typer) -> None:
    """Add `eval`."""
    group = typer.Typer(help=_HELP, no_args_is_help=True)
    group.command("retrieval")(retrieval)
    group.command("answer")(answer)
    group.command("parse")(parse)
    _register_others(group)
    app.add_typer(group, name="eval", short_help="Measure a site on a public set, through its own services.")


def _register_others(group: typer.Typer) -> None:
    """Each measure that needs more than a site has a file `eval_NAME.py` beside this one, with its own `register`."""
    for found in pkgutil.iter_modules(commands.__path__):
        if found.name.startswith("eval_"):
            importlib.import_module(f"{commands.__name__}.{found.name}").register(group)


@perhaps_at_a_place
def retrieval(
    where: Where,
    data: Data,
    question_field: QuestionField = "question",
    passage_field: PassageField = "text",
    answer_field: AnswerField = "",
    limit: Limit = 0,
    modes: Modes = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """r_at_1: the first document is a relevant one. mrr_at_10: 1 over the rank of the first relevant one.
    ndcg_at_10: discounted gain, every relevant document counting 1. For hybrid; bm25 and dense alone beside it."""
    loaded = load_set(data, Fields(question=question_field, passage=passage_field, answers=answer_field), limit)
    chosen = list(modes or SearchMode)
    _run(
        lambda run: run_retrieval(run, loaded, chosen),
        _kb(loaded.name, passage_field),
        config,
        where.address_if_named(),
        as_json,
    )


@perhaps_at_a_place
def answer(
    where: Where,
    data: Data,
    question_field: QuestionField = "question",
    passage_field: PassageField = "text",
    answer_field: AnswerField = "",
    limit: Limit = 0,
    seed: Seed = 7,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """With all passages published: holds_answer, the share of questions whose instant answer contains a gold answer
    (letters and digits compared); em and f1, of the final answer (the local model's, where one is configured);
    false_abstained, the share refused although its passage is there (which counts as wrong in the other three).
    With a seeded third of the passages withheld, of the questions about these: abstained, the share refused;
    wrong_unanswerable, the share answered all the same."""
    loaded = load_set(data, Fields(question=question_field, passage=passage_field, answers=answer_field), limit)
    _run(
        lambda run: run_answers(run, loaded, seed),
        _kb(loaded.name, passage_field),
        config,
        where.address_if_named(),
        as_json,
    )


@perhaps_at_a_place
def parse(
    where: Where,
    data: Data,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Of the files that need no OCR and no password: documents, how many; complete, how many of them contain every
    phrase of must_contain; phrase_recall, the mean share of phrases found in the text of their chunks; failed, how many
    could not be parsed. crashes: how often a parser died, over all files."""
    cases = load_parse_cases(data)
    name = data.resolve().name
    _run(
        lambda run: run_parsing(run, cases, name),
        _kb(name, "files"),
        config,
        where.address_if_named(),
        as_json,
    )


def _kb(name: str, field: str) -> str:
    plain = re.sub(r"[^a-z0-9_-]+", "-", f"eval-{name}-{field}".lower())
    return plain[:63]


def _run(work: Work, kb: str, config: Path | None, address: Address | None, as_json: bool) -> None:
    numbers = asyncio.run(_measure(work, kb, config, address))
    if as_json:
        print_json(numbers)
    else:
        STDOUT.print(numbers_table(numbers))


async def _measure(work: Work, kb: str, config: Path | None, address: Address | None) -> Numbers:
    async with evaluation_site(config, address) as there, session(there) as client:
        run = SiteRun(client, kb)
        try:
            return await work(run)
        finally:
            if address is not None:
                await run.remove_documents()
