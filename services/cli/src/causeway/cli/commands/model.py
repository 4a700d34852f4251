"""`causeway model`: models by role, fetching them, and quantizing an embedding model with its price measured."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from causeway.cli.console import STDERR, STDOUT
from causeway.cli.json_text import print_json
from causeway.cli.status_text import size_text
from causeway.models import EMBEDDING, ModelError, ModelSettings, ModelStore
from causeway.models.registry import load_registry

Role = Annotated[str, typer.Argument(help="embedding, generator, hf-generator and so on; see `model list`.")]
Source = Annotated[
    Path | None, typer.Option("--from", help="Folder of an installed FP32 model; the embedding model's by default.")
]
Target = Annotated[Path, typer.Argument(help="New folder for the INT8 model.")]
Threads = Annotated[int, typer.Option("--threads", help="Threads to compute with.", min=1)]
DevSetFolder = Annotated[
    Path | None, typer.Option("--dev", help="Folder with passages.jsonl and questions.jsonl to compare on.")
]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def register(app: typer.Typer) -> None:
    """Add `model`."""
    group = typer.Typer(help="Models: which serve what, fetching, quantizing.", no_args_is_help=True)
    group.command("list")(list_models)
    group.command("fetch")(fetch)
    group.command("quantize")(quantize)
    app.add_typer(group, name="model")


def list_models(as_json: Json = False) -> None:
    """List the models of the registry by role, and whether each is installed."""
    settings = ModelSettings.from_environment()
    store = ModelStore.from_settings(settings)
    rows = []
    for role, spec in load_registry(settings.registry_file).models.items():
        try:
            path, state = str(store.locate(role)), "installed"
        except ModelError as error:
            path, state = "", str(error)
        size = sum(file.size_bytes or 0 for file in spec.files)
        rows.append(
            {"role": role, "name": spec.name, "licence": spec.licence, "bytes": size, "state": state, "path": path}
        )
    if as_json:
        print_json(rows)
        return
    table = Table()
    for column in ("role", "model", "licence", "download", "installed"):
        table.add_column(column, overflow="fold")
    for row in rows:
        installed = "yes" if row["path"] else "no"
        table.add_row(
            str(row["role"]), str(row["name"]), str(row["licence"]), size_text(int(str(row["bytes"]))), installed
        )
    STDOUT.print(table)
    STDOUT.print("Fetch one: causeway model fetch ROLE")


def fetch(role: Role) -> None:
    """Install the model of a role, checked by sha256. This needs the network unless its parts are here already."""
    path = ModelStore.from_settings(progress=lambda line: STDERR.print(line, markup=False)).fetch(role)
    STDOUT.print(str(path), markup=False)


def quantize(
    target: Target, source: Source = None, dev: DevSetFolder = None, threads: Threads = 1, as_json: Json = False
) -> None:
    """Turn an FP32 embedding model into INT8, and print size, speed and agreement against it, measured here."""
    from causeway.models.devset import load_devset
    from causeway.models.quantize import run

    folder = source or ModelStore.from_settings().locate(EMBEDDING)
    chosen = load_devset(dev) if dev else None
    report = run(folder, target, chosen, threads=threads, progress=lambda line: STDERR.print(line, markup=False))
    if as_json:
        print_json(report)
        return
    table = Table(title=f"{report.model_id} against FP32", title_justify="left", show_header=False)
    for name, value in msgspec.structs.asdict(report).items():
        table.add_row(
            name, f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
        )
    STDOUT.print(table)
