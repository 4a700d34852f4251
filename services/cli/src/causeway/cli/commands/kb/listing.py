"""`causeway kb list`: which knowledge bases there are, and how their documents do."""

import asyncio
from typing import Annotated

import typer

from causeway.cli.connection import Address, Where, at_a_place
from causeway.cli.console import STDOUT
from causeway.cli.json_text import print_json
from causeway.cli.sessions import session
from causeway.cli.status_text import counts, documents_table
from causeway.proto.documents import DocumentStatus

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def register(group: typer.Typer) -> None:
    """Add `list`."""
    group.command("list")(list_kbs)


@at_a_place
def list_kbs(where: Where, as_json: Json = False) -> None:
    """List knowledge bases with the states of their documents."""
    statuses = asyncio.run(_statuses(where.address()))
    if as_json:
        print_json(counts(statuses))
    elif statuses:
        STDOUT.print(documents_table(statuses))
    else:
        STDOUT.print("There is no knowledge base yet: causeway publish FOLDER --kb docs")


async def _statuses(address: Address) -> list[DocumentStatus]:
    async with session(address) as client:
        return await client.statuses()
