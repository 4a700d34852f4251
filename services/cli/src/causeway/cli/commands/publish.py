"""`causeway publish`: files and folders to a knowledge base, with their fate; `--watch` goes on following them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from watchfiles import awatch

from causeway.cli.connection import Address, Kb, Where, at_a_place
from causeway.cli.console import STDERR, STDOUT
from causeway.cli.errors import BadPathError
from causeway.cli.folder_scan import FoundFile, differences, scan
from causeway.cli.json_text import print_json
from causeway.cli.kbs import check_kb_name
from causeway.cli.publication import Publication
from causeway.cli.publishing import Publisher, items_of
from causeway.cli.sessions import session
from causeway.proto.documents import Residency

Paths = Annotated[list[Path], typer.Argument(help="Files and folders; folders with all that is below them.")]
Residence = Annotated[
    Residency, typer.Option("--residency", help="Where the documents may go: restricted ones never leave this site.")
]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Go on following edits, renames and deletes until Ctrl-C.")]
DeleteMissing = Annotated[
    bool, typer.Option("--delete-missing", help="Delete documents of the kb (under --prefix) that have no file here.")
]
Prefix = Annotated[str, typer.Option("--prefix", help="Put before every document id, such as handbook/.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until every document can be found.")]
WaitS = Annotated[float, typer.Option("--timeout", help="Seconds to wait for it.", min=1)]
Json = Annotated[bool, typer.Option("--json", help="The summary as JSON on stdout.")]
FAILED_SHOWN_MAX = 50
RESCAN_MS = 5_000


def register(app: typer.Typer) -> None:
    """Add `publish`."""
    app.command("publish")(publish)


@at_a_place
def publish(
    where: Where,
    paths: Paths,
    kb: Kb,
    residency: Residence = Residency.RESTRICTED,
    watch: Watch = False,
    delete_missing: DeleteMissing = False,
    prefix: Prefix = "",
    wait: Wait = True,
    timeout: WaitS = 3_600.0,
    as_json: Json = False,
) -> int:
    """Publish files and folders. A document's id is its path relative to the folder; again makes a new revision."""
    check_kb_name(kb)
    files = scan(paths, prefix)
    if not files and not watch and not delete_missing:
        raise BadPathError(f"there is no file in {', '.join(map(str, paths))}", "Hidden files are left out.")
    address = where.address()
    job = _Job(paths, prefix, kb, residency, timeout if wait else 0.0, delete_missing, as_json)
    return asyncio.run(job.run(address, files, watch))


class _Job:
    """One call of the command."""

    def __init__(
        self,
        paths: list[Path],
        prefix: str,
        kb: str,
        residency: Residency,
        wait_s: float,
        delete_missing: bool,
        as_json: bool,
    ) -> None:
        self._paths = paths
        self._prefix = prefix
        self._kb = kb
        self._residency = residency
        self._wait_s = wait_s
        self._delete_missing = delete_missing
        self._as_json = as_json

    async def run(self, address: Address, files: dict[str, FoundFile], watch: bool) -> int:
        async with session(address) as client:
            with _progress(len(files), self._kb) as on_change:
                publisher = Publisher(client=client, kb=self._kb, residency=self._residency, on_change=on_change)
                removed = await publisher.missing(files, self._prefix) if self._delete_missing else ()
                publication = await publisher.run(items_of(files), removed, wait_s=self._wait_s)
            code = self._summary(publication, self._wait_s > 0)
            if watch:
                await self._watch(Publisher(client=client, kb=self._kb, residency=self._residency), files)
        return code

    def _summary(self, publication: Publication, waited: bool) -> int:
        waiting = publication.where_it_waits()
        if self._as_json:
            print_json(
                {
                    "kb": self._kb,
                    "documents": publication.total,
                    "done": len(publication.done),
                    "failed": publication.failed,
                    "waiting": waiting,
                }
            )
        else:
            _print_summary(self._kb, publication, waiting if waited else {})
        return 1 if publication.failed or (waited and waiting) else 0

    async def _watch(self, publisher: Publisher, before: dict[str, FoundFile]) -> None:
        STDERR.print(f"Watching {', '.join(map(str, self._paths))}; Ctrl-C ends it.")
        async for _ in awatch(*self._paths, rust_timeout=RESCAN_MS, yield_on_timeout=True):
            # A moved folder reports itself and not its files, and some file systems report nothing: so look at all of
            # it, on every event and now and then without one.
            if not all(path.exists() for path in self._paths):
                # An unmounted disk is not a wish to delete everything that was on it.
                continue
            after = scan(self._paths, self._prefix)
            changes = differences(before, after)
            before = after
            if changes.changed or changes.removed:
                publication = await publisher.run(items_of(changes.changed), changes.removed, wait_s=self._wait_s)
                _print_changes(list(changes.changed), list(changes.removed), publication)


@contextmanager
def _progress(total: int, kb: str) -> Iterator["_OnChange"]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=STDERR, transient=True) as bars:
        yield _OnChange(bars, total, kb)


class _OnChange:
    """Two bars: what the site has taken, and what can be found."""

    def __init__(self, bars: Progress, total: int, kb: str) -> None:
        self._bars = bars
        self._taken = bars.add_task(f"published to {kb}", total=total)
        self._found = bars.add_task("searchable", total=total)

    def __call__(self, publication: Publication) -> None:
        taken = publication.ended + len(publication.waiting)
        self._bars.update(self._taken, completed=taken, total=publication.total)
        self._bars.update(self._found, completed=publication.ended, total=publication.total)


def _print_summary(kb: str, publication: Publication, waiting: dict[str, str]) -> None:
    taken = publication.total - len(publication.failed)
    word = "searchable" if publication.finished else "published"
    STDOUT.print(f"[green]{taken - len(waiting)} of {publication.total} documents {word} in {kb}[/]")
    for document_id, reason in list(publication.failed.items())[:FAILED_SHOWN_MAX]:
        STDOUT.print(f"[red]failed[/]  {document_id}: {reason}", markup=True)
    for document_id, state in list(waiting.items())[:FAILED_SHOWN_MAX]:
        STDOUT.print(f"[yellow]waits[/]   {document_id}: {state}")
    if waiting:
        STDOUT.print("They go on without this command; `causeway status` shows how far they are.")


def _print_changes(changed: list[str], removed: list[str], publication: Publication) -> None:
    for document_id in changed:
        reason = publication.failed.get(document_id)
        STDOUT.print(f"[red]failed[/]  {document_id}: {reason}" if reason else f"[green]updated[/] {document_id}")
    for document_id in removed:
        STDOUT.print(f"[yellow]deleted[/] {document_id}")
