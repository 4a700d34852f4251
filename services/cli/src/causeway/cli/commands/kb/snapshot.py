"""`causeway kb snapshot`, and what `kb restore --from` does: knowledge bases to a git repository and back."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from causeway.bus import Bus
from causeway.cli.connection import Where, at_a_place
from causeway.cli.console import STDERR, STDOUT
from causeway.cli.errors import UserError
from causeway.cli.kbs import check_kb_name
from causeway.cli.keys import read_secret
from causeway.cli.sessions import session
from causeway.cli.site_folder import DEFAULT_FOLDER, SiteFolder
from causeway.cli.snapshot.layout import HEAD_FILE, Contents, Head, contents_of, read_head
from causeway.cli.snapshot.repository import Repository
from causeway.cli.snapshot.restoring import Restored, refuse_newer_revisions, refuse_other_place, restore
from causeway.cli.snapshot.taking import key_check, only_public, read_kbs, write

READINGS_MAX = 5

Folder = Annotated[Path, typer.Argument(help="A git repository that snapshots go to; made if there is none.")]
Kbs = Annotated[list[str] | None, typer.Option("--kb", help="Only this knowledge base; may be given again.")]
PublicOnly = Annotated[bool, typer.Option("--public-only", help="Leave out what may not leave this place.")]


def register(group: typer.Typer) -> None:
    """Add `snapshot`."""
    group.command("snapshot")(snapshot)


@at_a_place
def snapshot(where: Where, folder: Folder, kb: Kbs = None, public_only: PublicOnly = False) -> None:
    """Commit the knowledge bases of this place to a git repository: texts as text, vectors as Git LFS objects.

    Each call is one commit, and only what changed takes room. `causeway kb restore --from` rebuilds a place from it.
    """
    for name in kb or []:
        check_kb_name(name)
    asyncio.run(_snapshot(where, folder, kb or [], public_only))


async def _snapshot(where: Where, folder: Path, names: list[str], public_only: bool) -> None:
    check = chunk_key_check(where)
    repository = await asyncio.to_thread(Repository.made, folder)
    async with session(where.address()) as client:
        with _progress() as bars:
            kbs = await _read_whole(client.bus, names, _counter(bars, "read"))
        place = client.site
    absent = sorted(set(names) - kbs.keys())
    if absent:
        raise UserError(f"there is no knowledge base {absent[0]!r}", "See: causeway kb list")
    if public_only:
        kbs = {kb: only_public(contents) for kb, contents in kbs.items()}
    head = Head(place=place, taken_unix_ms=time.time_ns() // 1_000_000, chunk_key_check=check, kbs=sorted(kbs))
    taken = await asyncio.to_thread(write, repository, kbs, head)
    counts = ", ".join(f"{kb} {count}" for kb, count in taken.documents.items()) or "no documents"
    STDOUT.print(f"[green]{taken.commit[:12]}[/]  {counts}; {taken.chunks} chunks, {taken.files_changed} files changed")
    if not public_only:
        STDERR.print(
            f"[yellow]{escape(str(folder))} holds the texts in the clear[/], restricted ones too: keep it as safe as"
            " the place itself, or take only what may leave with --public-only."
        )


async def _read_whole(bus: Bus, names: list[str], progress: Callable[[int], None]) -> dict[str, Contents]:
    """Chunks may be swept while the log is read; then it is read again."""
    for _ in range(READINGS_MAX):
        kbs = await read_kbs(bus, names, progress)
        missing = [document for contents in kbs.values() for document in contents.missing()]
        if not missing:
            return kbs
    raise UserError(f"chunks of {missing[0]!r} are not in the log", "Compare with the hub: causeway sync verify")


async def restore_from(where: Where, folder: Path, names: list[str], commit: str) -> int:
    """Publish what KNOWLEDGE lacks of the snapshot, or of an earlier commit of it. Returns the exit code."""
    check = chunk_key_check(where)
    repository = await asyncio.to_thread(Repository.opened, folder)
    with repository.at(commit) if commit else nullcontext(repository) as tree:
        head = await asyncio.to_thread(_head, tree)
        kbs = {kb: await asyncio.to_thread(_contents, tree, kb) for kb in _chosen(head, names)}
    async with session(where.address()) as client:
        refuse_other_place(head, client.site, check)
        await refuse_newer_revisions(client.bus, kbs)
        with _progress() as bars:
            total = sum(len(contents.chunks) + len(contents.documents) for contents in kbs.values())
            done = [await restore(client.bus, kb, contents, _counter(bars, kb, total)) for kb, contents in kbs.items()]
    STDOUT.print(_summary(done))
    return 0


def chunk_key_check(where: Where) -> str:
    """The check of the chunk key of the place, which lies beside its password.

    Raises:
        UserError: the place was given by its address.
    """
    if where.url:
        raise UserError("a snapshot needs the keys of the place", "Run it on its machine, with --data FOLDER.")
    record = SiteFolder(where.data_dir or DEFAULT_FOLDER).read_record()
    return key_check(read_secret(Path(record.password_file).with_name("chunk.key")))


def _head(tree: Repository) -> Head:
    return read_head((tree.root / HEAD_FILE).read_bytes())


def _contents(tree: Repository, kb: str) -> Contents:
    return contents_of(kb, ((path, file.read_bytes()) for path, file in tree.files(kb).items()))


def _chosen(head: Head, names: list[str]) -> list[str]:
    absent = sorted(set(names) - set(head.kbs))
    if absent:
        raise UserError(f"the snapshot has no knowledge base {absent[0]!r}", f"It has: {', '.join(head.kbs)}.")
    return names or head.kbs


def _summary(done: list[Restored]) -> str:
    documents, chunks, stood = (sum(getattr(each, name) for each in done) for name in ("documents", "chunks", "stood"))
    return f"[green]{documents} documents and {chunks} chunks restored[/]; {stood} documents stood already, or newer."


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=STDERR, transient=True) as bars:
        yield bars


def _counter(bars: Progress, label: str, total: int | None = None) -> Callable[[int], None]:
    task = bars.add_task(label, total=total)
    return lambda count: bars.advance(task, count)
