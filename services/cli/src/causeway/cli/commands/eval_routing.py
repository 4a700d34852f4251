"""`causeway eval routing`: how much a router that sees only the question saves, on sets with both models' results."""

from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from causeway.cli.console import STDERR, STDOUT
from causeway.cli.errors import BadDataError
from causeway.cli.evaluation.routing import Fit, RoutingPlan, answered_of, run_routing
from causeway.cli.evaluation.routing_sets import FORM, load_routing_sets
from causeway.cli.json_text import print_json
from causeway.difficulty import DifficultyError, Router, WrongSpaceError
from causeway.models import EMBEDDING, Encoder, ModelStore

Data = Annotated[Path, typer.Option("--data", help="Folder of routing sets; see `causeway eval routing --help`.")]
Source = Annotated[Fit, typer.Option("--fit", help="The router: shipped, cross (other folds), transfer (other sets).")]
Folds = Annotated[int, typer.Option("--folds", help="Of --fit cross.", min=2, max=50)]
Seed = Annotated[int, typer.Option("--seed", help="Of the folds and the resamples.")]
Resamples = Annotated[int, typer.Option("--resamples", help="For the 95 % intervals.", min=20, max=20_000)]
WeakCost = Annotated[float, typer.Option("--weak-cost", help="A weak call as a share of a strong one.", min=0, max=1)]
RouterFile = Annotated[Path | None, typer.Option("--router", help="A router's JSON in the place of the shipped one.")]
Limit = Annotated[int, typer.Option("--limit", help="Only so many questions of each set (0: all).", min=0)]
Json = Annotated[bool, typer.Option("--json", help="The numbers as JSON, and nothing else on stdout.")]


def register(group: typer.Typer) -> None:
    """Add `eval routing`."""
    lines = escape("\n\n".join(FORM.splitlines()))
    group.command("routing", help=f"{cleandoc(str(routing.__doc__))}\n\n{lines}")(routing)


def routing(
    data: Data,
    fit: Source = Fit.SHIPPED,
    folds: Folds = 10,
    seed: Seed = 7,
    resamples: Resamples = 1_000,
    weak_cost: WeakCost = 0.01,
    router: RouterFile = None,
    limit: Limit = 0,
    as_json: Json = False,
) -> None:
    """apgr: the part of the gap in quality between the two models that is recovered, averaged over all shares of strong
    calls (.5 by chance). cpt_50, cpt_80: the share of strong calls that recovers half of the gap, and 80 %.
    seen_in_fit: the share of the questions that the shipped router was fitted on; above 0 its numbers flatter."""
    plan = RoutingPlan(fit=fit, folds=folds, seed=seed, resamples=resamples, weak_cost=weak_cost)
    sets = load_routing_sets(data, limit)
    try:
        chosen = _router(router)
        encoder = Encoder.load(ModelStore.from_settings().locate(EMBEDDING))
        if fit is Fit.SHIPPED and not chosen.serves(encoder.model_id):
            raise WrongSpaceError(f"fitted for {chosen.file.space}, and the model here is {encoder.model_id}")
        numbers = run_routing(answered_of(sets, encoder.encode_queries), chosen, plan)
    except (DifficultyError, OSError, ValueError) as error:
        mend = "Take more questions, or --fit shipped." if fit is not Fit.SHIPPED else "Take --fit cross, or transfer."
        raise BadDataError(str(error), f"{mend} See `causeway eval routing --help`.") from error
    if as_json:
        print_json(numbers)
    else:
        _show(numbers)


def _router(path: Path | None) -> Router:
    """The router in the file, or the shipped one.

    Raises:
        BadDataError: the file is no router.
    """
    if path is None:
        return Router.shipped()
    try:
        return Router.read(path.read_bytes())
    except (DifficultyError, OSError, ValueError) as error:
        raise BadDataError(f"--router {path} can not be read: {error}", "Leave it out for the shipped one.") from error


def _show(numbers: Any) -> None:
    table = Table(title=f"a router that sees only the question, fit: {numbers['fit']}")
    for name in ("set", "questions", "weak", "strong", "APGR (95 %)", "CPT 50", "CPT 80", "seen in fit"):
        table.add_column(name, justify="left" if name == "set" else "right")
    for name, one in numbers["sets"].items():
        found, alone = one["router"], one["baselines"]
        low, high = found["apgr_95"]
        table.add_row(
            name,
            str(one["questions"]),
            _text(alone["always_weak"]["quality"]),
            _text(alone["always_strong"]["quality"]),
            f"{_text(found['apgr'])} ({_text(low)} to {_text(high)})",
            _text(found["cpt_50"]),
            _text(found["cpt_80"]),
            f"{one['seen_in_fit']:.0%}",
        )
    STDOUT.print(table)
    if numbers["warning"]:
        STDERR.print(f"[bold]{numbers['warning']}[/bold]")


def _text(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
