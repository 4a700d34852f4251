"""`causeway kb show` and `diff`: what stood in a revision, and what changed between two."""

import asyncio
from typing import Annotated

import typer
from rich.text import Text

from causeway.cli.connection import Address, Kb, Where, at_a_place
from causeway.cli.console import STDERR, STDOUT
from causeway.cli.errors import UserError
from causeway.cli.history import Wanted, read_log, recall
from causeway.cli.history_text import difference, heading, text_of
from causeway.cli.json_text import print_json
from causeway.cli.kbs import check_kb_name
from causeway.cli.sessions import session
from causeway.proto.history import RevisionText

Document = Annotated[str, typer.Argument(help="The document's id; ID~ORIGIN for that of another place.")]
Revision = Annotated[int, typer.Option("--revision", "-r", help="A revision from `kb log`.", min=0)]
At = Annotated[int, typer.Option("--at", help="What stood at this epoch.", min=0)]
Before = Annotated[int, typer.Argument(help="A revision from `kb log`; without one, the last before AFTER.", min=0)]
After = Annotated[int, typer.Argument(help="Another; without one, the newest.", min=0)]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def register(group: typer.Typer) -> None:
    """Add `show` and `diff`."""
    group.command("show")(show)
    group.command("diff")(diff)


@at_a_place
def show(where: Where, document: Document, kb: Kb, revision: Revision = 0, at: At = 0, as_json: Json = False) -> None:
    """Print the text of a document as it is, was in a revision, or was at an epoch."""
    check_kb_name(kb)
    if revision and at:
        raise UserError("--revision and --at name the same thing twice", "Give one of them.")
    (found,) = asyncio.run(_recall(where.address(), kb, document, [Wanted(revision=revision, at_seq=at)]))
    if as_json:
        print_json(found)
        return
    STDERR.print(Text(heading(found), style="bold"))
    STDOUT.print(Text(text_of(found)))


@at_a_place
def diff(where: Where, document: Document, kb: Kb, before: Before = 0, after: After = 0) -> None:
    """Print what changed in a document between two revisions; without any, what its last revision changed."""
    check_kb_name(kb)
    old, new = asyncio.run(_two(where.address(), kb, document, before, after))
    lines = difference(old, new)
    for line, style in lines:
        STDOUT.print(Text(line, style=style))
    if not lines:
        STDERR.print("The two have the same text.")


async def _recall(address: Address, kb: str, document: str, wanted: list[Wanted]) -> list[RevisionText]:
    async with session(address) as client:
        return [await recall(client, kb, document, one) for one in wanted]


async def _two(address: Address, kb: str, document: str, before: int, after: int) -> tuple[RevisionText, RevisionText]:
    async with session(address) as client:
        new = await recall(client, kb, document, Wanted(revision=after))
        if not before:
            log = await read_log(client, kb, new.manifest.document_id)
            earlier = [one for one in log.entries if one.origin == new.origin]
            numbers = [one.revision for one in earlier if one.revision < new.manifest.revision]
            if not numbers:
                raise UserError(f"no revision of {document!r} before {new.manifest.revision} is held", "See `kb log`.")
            before = max(numbers)
        return await recall(client, kb, document, Wanted(revision=before)), new
