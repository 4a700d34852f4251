"""`causeway kb log`: the revisions of a knowledge base or of one document, newest first."""

import asyncio
from typing import Annotated

import typer

from causeway.cli.connection import Address, Kb, Where, at_a_place
from causeway.cli.console import STDERR, STDOUT
from causeway.cli.history import Log, read_log
from causeway.cli.history_text import log_table
from causeway.cli.json_text import print_json
from causeway.cli.kbs import check_kb_name
from causeway.cli.sessions import session

Document = Annotated[str, typer.Argument(help="Only this document.")]
Limit = Annotated[int, typer.Option("--limit", "-n", help="How many revisions at most.", min=1)]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def register(group: typer.Typer) -> None:
    """Add `log`."""
    group.command("log")(log)


@at_a_place
def log(where: Where, kb: Kb, document: Document = "", limit: Limit = 50, as_json: Json = False) -> None:
    """Show what became of a knowledge base: each revision with the epoch that it took effect at, newest first."""
    check_kb_name(kb)
    found = asyncio.run(_read(where.address(), kb, document, limit))
    if as_json:
        print_json({"kb": kb, "complete_from": found.complete_from, "revisions": found.entries})
        return
    STDOUT.print(log_table(found.entries))
    if found.more:
        STDERR.print(f"There are more: --limit {2 * limit}.")
    if any(entry.earlier_gone for entry in found.entries):
        STDERR.print("Earlier revisions of some documents are not kept any more.")


async def _read(address: Address, kb: str, document: str, limit: int) -> Log:
    async with session(address) as client:
        return await read_log(client, kb, document, limit)
