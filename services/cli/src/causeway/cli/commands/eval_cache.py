"""`causeway eval cache`: how often an earlier answer is given again, and how often wrongly."""

from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from causeway.cli.console import STDERR, STDOUT
from causeway.cli.errors import BadDataError
from causeway.cli.evaluation.cache import run_cache, vectors_of
from causeway.cli.evaluation.cache_limits import fitted_limits, keep_limits
from causeway.cli.evaluation.cache_sets import FORM, load_cache_sets
from causeway.cli.json_text import print_json
from causeway.models import EMBEDDING, Encoder, ModelStore
from causeway.semantic_cache import shipped_limits

Data = Annotated[Path, typer.Option("--data", help="Folder or file of pairs; see `causeway eval cache --help`.")]
Limit = Annotated[int, typer.Option("--limit", help="Only so many lines of each file (0: all).", min=0)]
Kb = Annotated[str, typer.Option("--kb", help="Fit limits for this knowledge base on the pairs, all its own.")]
LimitsFile = Annotated[Path | None, typer.Option("--limits-file", help="Where --kb writes its limits, beside others'.")]
Json = Annotated[bool, typer.Option("--json", help="The numbers as JSON, and nothing else on stdout.")]


def register(group: typer.Typer) -> None:
    """Add `eval cache`."""
    lines = "\n\n".join(FORM.splitlines())
    group.command("cache", help=f"{cleandoc(str(cache.__doc__))}\n\n{lines}")(cache)


def cache(data: Data, limit: Limit = 0, kb: Kb = "", limits_file: LimitsFile = None, as_json: Json = False) -> None:
    """hit_rate: of pairs that one answer does for, how many hit. false_hit_rate: of pairs that differ, how many hit all
    the same. refused_by: near pairs that a guard kept back, rightly and for nothing. cosine_alone: a plain threshold,
    the best there is for the set itself. calibrated: with a limit for reworded questions from either half, measured on
    the other. Where rewordings are asked: withheld, with the right entry taken out, so that every hit is false.
    --kb with --limits-file: the limit that all pairs give is written for EDGE_INFERENCE_CACHE_LIMITS_FILE of a site."""
    if bool(kb) != bool(limits_file):
        raise BadDataError("--kb and --limits-file go together", "Name both, or neither.")
    sets = load_cache_sets(data, limit)
    encoder = Encoder.load(ModelStore.from_settings().locate(EMBEDDING))
    vectors = vectors_of(sets, encoder.encode_queries)
    numbers = run_cache(
        sets, lambda texts: np.array([vectors[text] for text in texts]), encoder.model_id, shipped_limits()
    )
    if kb and limits_file:
        limits = fitted_limits(sets, vectors, encoder.model_id, shipped_limits())
        keep_limits(limits_file, kb, limits, encoder.model_id)
        numbers["written"] = {"kb": kb, "limits": limits.limits, "held_out": limits.evidence}
        STDERR.print(f"limits of {kb} for {', '.join(limits.evidence)} written to {limits_file}")
    if as_json:
        print_json(numbers)
    else:
        _show(numbers)


def _show(numbers: dict[str, Any]) -> None:
    table = Table(title="earlier answers given again")
    for name in ("set", "hits", "of", "hit rate", "false", "of", "false-hit rate (95%)", "cosine alone"):
        table.add_column(name, justify="left" if name == "set" else "right")
    for name, one in (numbers["sets"] | numbers["all"]).items():
        different = one.get("different", one.get("asked", 0))
        false = one.get("false_hits_withheld", one["false_hits"])
        low, high = one.get("false_hit_rate_withheld_95", one["false_hit_rate_95"])
        alone = one.get("cosine_alone", {})
        best = alone.get("best_for_this_set", alone).get("hit_rate")
        table.add_row(
            name,
            str(one["hits"]),
            str(one.get("same", different)),
            f"{one['hit_rate']:.3f}",
            str(false),
            str(different),
            f"{false / max(1, different):.4f} ({low:.4f} to {high:.4f})",
            "" if best is None else f"{best:.3f}",
        )
    STDOUT.print(table)
