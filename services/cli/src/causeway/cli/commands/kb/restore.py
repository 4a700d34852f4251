"""`causeway kb restore`: a document as it was in a revision, or a whole knowledge base as it was at an epoch."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from causeway.cli.commands.kb.snapshot import restore_from
from causeway.cli.connection import Address, Where, at_a_place
from causeway.cli.console import STDERR, STDOUT
from causeway.cli.errors import UserError
from causeway.cli.history import read_log, restore
from causeway.cli.kbs import check_kb_name
from causeway.cli.sessions import session
from causeway.cli.time_travel import Plan, plan
from causeway.client import Client
from causeway.proto.documents import DocumentStatus, State

Document = Annotated[str, typer.Argument(help="The document to restore.")]
Revision = Annotated[int, typer.Option("--revision", "-r", help="The revision that is to stand again.", min=0)]
Every = Annotated[bool, typer.Option("--all", help="Every document of this place, as it was at the epoch --at.")]
At = Annotated[int, typer.Option("--at", help="The epoch to go back to, from `kb log`.", min=0)]
KbOrEvery = Annotated[str, typer.Option("--kb", help="The knowledge base; with --from all of them without it.")]
Source = Annotated[Path | None, typer.Option("--from", help="A repository of `causeway kb snapshot`.", exists=True)]
Commit = Annotated[str, typer.Option("--commit", help="An earlier commit of --from.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
WaitS = Annotated[float, typer.Option("--timeout", help="Seconds to wait until all can be found.", min=1)]
SHOWN_MAX = 20
AT_ONCE_MAX = 100


def register(group: typer.Typer) -> None:
    """Add `restore`."""
    group.command("restore")(restore_command)


@at_a_place
def restore_command(
    where: Where,
    kb: KbOrEvery = "",
    document: Document = "",
    revision: Revision = 0,
    every: Every = False,
    at: At = 0,
    yes: Yes = False,
    timeout: WaitS = 3_600.0,
    source: Source = None,
    commit: Commit = "",
) -> int:
    """Bring back an earlier revision as the newest, with --all --at a whole knowledge base, with --from a place.

    Nothing is uploaded again, what stands now stays in the history, and a residency is never lowered. Documents that
    came after the epoch are deleted.
    """
    if source is not None:
        return asyncio.run(restore_from(where, source, [kb] if kb else [], commit))
    check_kb_name(kb)
    if every == bool(document):
        raise UserError("what is to be restored?", "Name a document and --revision, or --all and --at.")
    if every and not at:
        raise UserError("to which epoch?", f"--all needs --at EPOCH: see `causeway kb log --kb {kb}`.")
    if document and not revision:
        raise UserError("which revision?", f"--revision N: see `causeway kb log --kb {kb} '{document}'`.")
    if document:
        return asyncio.run(_one(where.address(), kb, document, revision, timeout))
    return asyncio.run(_all(where.address(), kb, at, yes, timeout))


async def _one(address: Address, kb: str, document_id: str, revision: int, timeout_s: float) -> int:
    async with session(address) as client:
        log = await read_log(client, kb, document_id)
        if revision not in [entry.revision for entry in log.entries]:
            raise UserError(
                f"revision {revision} of {document_id!r} is not held",
                f"See `causeway kb log --kb {kb} '{document_id}'`.",
            )
        own = [entry.revision for entry in log.entries if entry.origin == client.site]
        new = await restore(client, kb, document_id, revision, max(own, default=0))
        status = (await client.wait_searchable(kb, {document_id: new}, timeout_s))[document_id]
    if status.state is State.FAILED:
        raise UserError(f"{document_id} was not restored", status.reason)
    STDOUT.print(f"[green]{document_id} is again as in revision {revision}[/] (now revision {new})")
    return 0


async def _all(address: Address, kb: str, epoch: int, yes: bool, timeout_s: float) -> int:
    async with session(address) as client:
        log = await read_log(client, kb)
        if epoch < log.complete_from:
            raise UserError(
                f"the history of {kb} is whole from epoch {log.complete_from} on, and {epoch} is before that",
                f"Choose --at {log.complete_from} or later.",
            )
        steps = plan(log.entries, epoch, client.site)
        _describe(kb, epoch, steps)
        if not steps.changes:
            return 0
        if not yes:
            typer.confirm("Go on?", abort=True)
        statuses = await _carry_out(client, kb, steps, timeout_s)
    failed = [status for status in statuses if status.state is State.FAILED]
    for status in failed[:SHOWN_MAX]:
        STDOUT.print(f"[red]failed[/]  {status.document_id}: {status.reason}")
    STDOUT.print(f"[green]{len(statuses) - len(failed)} of {steps.changes} documents are as they were at {epoch}[/]")
    return 1 if failed else 0


def _describe(kb: str, epoch: int, steps: Plan) -> None:
    STDERR.print(
        f"{kb} at epoch {epoch}: {len(steps.restored)} documents to restore, {len(steps.deleted)} that came later to"
        f" delete, {steps.unchanged} as they were."
    )
    for document_id in steps.deleted[:SHOWN_MAX]:
        STDERR.print(f"[yellow]to delete[/]  {document_id}")
    if steps.foreign:
        STDERR.print(f"{steps.foreign} documents of other places stay as they are: they are restored there.")
    for document_id in steps.lost[:SHOWN_MAX]:
        STDERR.print(f"[yellow]not held any more, stays as it is[/]  {document_id}")


async def _carry_out(client: Client, kb: str, steps: Plan, timeout_s: float) -> list[DocumentStatus]:
    """Everything is asked for first, then waited for, so that a loss of the connection leaves little undone."""
    revisions: dict[str, int] = {}
    with _progress(steps.changes) as bars:
        asked = bars.add_task("asked for", total=steps.changes)
        for document_id, step in steps.restored.items():
            revisions[document_id] = await restore(client, kb, document_id, step.revision, step.over)
            bars.advance(asked)
        for document_id in steps.deleted:
            revisions[document_id] = await client.delete(kb, document_id)
            bars.advance(asked)
        return await _wait(client, kb, revisions, timeout_s, bars)


async def _wait(
    client: Client, kb: str, revisions: dict[str, int], timeout_s: float, bars: Progress
) -> list[DocumentStatus]:
    done = bars.add_task("in effect", total=len(revisions))
    statuses: list[DocumentStatus] = []
    names = list(revisions)
    for start in range(0, len(names), AT_ONCE_MAX):
        part = {name: revisions[name] for name in names[start : start + AT_ONCE_MAX]}
        statuses += (await client.wait_searchable(kb, part, timeout_s)).values()
        bars.advance(done, len(part))
    return statuses


@contextmanager
def _progress(total: int) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=STDERR, transient=True, disable=total == 0) as bars:
        yield bars
