"""`causeway artifact`: models, adapters and calibration files that the hub hands to its sites."""

import asyncio
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from causeway.bus import Bus
from causeway.cli.connection import Address, Where, at_a_place
from causeway.cli.console import STDERR, STDOUT
from causeway.cli.errors import BadPathError, UserError
from causeway.cli.json_text import print_json
from causeway.cli.sessions import session
from causeway.cli.sync_text import size_text
from causeway.proto import subjects
from causeway.proto.outbox import ArtifactKind, ArtifactOffered
from causeway.proto.streams import ARTIFACTS, outbox
from causeway.proto.subjects import HUB

Kind = Annotated[ArtifactKind, typer.Option("--kind", help="What it is for: decides how sites try it.")]
Name = Annotated[str, typer.Argument(help="Name: lower-case letters, digits, - and _ (for a calibration, its kb).")]
Version = Annotated[str, typer.Option("--version", help="Letters, digits, dot, - and _. A version never changes.")]
Source = Annotated[Path, typer.Argument(help="A file, or a folder, which travels as tar.", exists=True)]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def register(app: typer.Typer) -> None:
    """Add `artifact`."""
    artifact = typer.Typer(help="Models, adapters and calibration files for the sites of a hub.", no_args_is_help=True)
    artifact.command("publish")(publish)
    artifact.command("list")(list_offers)
    artifact.command("withdraw")(withdraw)
    app.add_typer(artifact, name="artifact")


@at_a_place
def publish(where: Where, name: Name, source: Source, version: Version, kind: Kind = ArtifactKind.FILE) -> None:
    """Offer a version to all sites: they fetch it, verify it, try it, and put it in force or keep the one before."""
    asyncio.run(_publish(where, name, source, version, kind))


@at_a_place
def list_offers(where: Where, as_json: Json = False) -> None:
    """Show what the hub offers."""
    offers = asyncio.run(_offers(where))
    if as_json:
        print_json(offers)
        return
    if not offers:
        STDOUT.print("Nothing is on offer: causeway artifact publish NAME FILE --version 1 --data HUB")
        return
    table = Table(title="Artifacts", title_justify="left")
    for column in ("kind", "name", "version", "size", "sha256", "state"):
        table.add_column(column)
    for offer in offers:
        state = "[red]withdrawn[/]" if offer.withdrawn else "[green]offered[/]"
        table.add_row(
            offer.kind.value, escape(offer.name), offer.version, size_text(offer.size_bytes), offer.sha256[:12], state
        )
    STDOUT.print(table)


@at_a_place
def withdraw(where: Where, name: Name, kind: Kind = ArtifactKind.FILE) -> None:
    """Take the offered version back: sites that have it in force go back to the one before."""
    asyncio.run(_withdraw(where, name, kind))


async def _publish(where: Where, name: str, source: Path, version: str, kind: ArtifactKind) -> None:
    object_name = f"{kind.value}/{name}/{version}"
    offer = _checked(
        {
            "kind": kind.value,
            "name": name,
            "version": version,
            "filename": _filename(source),
            "object_name": object_name,
            "size_bytes": 0,
            "sha256": "",
        }
    )
    async with session(_hub(where)) as client:
        bus = client.bus
        before = await _offer(bus, kind, name)
        if before is not None and before.version == version and not before.withdrawn:
            raise UserError(f"{object_name} is on offer already, and a version never changes", "Give a new --version.")
        with _one_file(source) as file, Progress(console=STDERR, transient=True) as progress:
            bar = progress.add_task(f"Storing {object_name}", total=file.stat().st_size)
            ref = await bus.put_object(
                ARTIFACTS.name,
                object_name,
                file,
                bytes_max=ARTIFACTS.bytes_max,
                progress=lambda stored: progress.update(bar, completed=stored),
            )
        offer = msgspec.structs.replace(offer, size_bytes=ref.size_bytes, sha256=ref.sha256)
        await _put(bus, offer)
    STDOUT.print(
        f"Offered [bold]{escape(object_name)}[/], {size_text(offer.size_bytes)}. Sites: causeway sync status --data HUB"
    )


async def _withdraw(where: Where, name: str, kind: ArtifactKind) -> None:
    async with session(_hub(where)) as client:
        offer = await _offer(client.bus, kind, name)
        if offer is None:
            raise UserError(f"no {kind.value} {name!r} is on offer", "See: causeway artifact list")
        await _put(client.bus, msgspec.structs.replace(offer, withdrawn=True))
    STDOUT.print(f"Withdrew [bold]{escape(offer.object_name)}[/].")


async def _offers(where: Where) -> list[ArtifactOffered]:
    async with session(_hub(where)) as client:
        scan = client.bus.scan(outbox(HUB).name, [subjects.ARTIFACT.at(HUB)])
        found = [delivery.message async for delivery in scan]
    return sorted(
        (each for each in found if isinstance(each, ArtifactOffered)), key=lambda each: (each.kind, each.name)
    )


async def _offer(bus: Bus, kind: ArtifactKind, name: str) -> ArtifactOffered | None:
    stored = await bus.last(outbox(HUB).name, _subject(kind, name))
    return stored.message if stored is not None and isinstance(stored.message, ArtifactOffered) else None


async def _put(bus: Bus, offer: ArtifactOffered) -> None:
    msg_id = f"{offer.object_name}:{offer.sha256}:{offer.withdrawn}:{await bus.last_seq(outbox(HUB).name)}"
    await bus.publish(_subject(offer.kind, offer.name), offer, msg_id=msg_id)


def _subject(kind: ArtifactKind, name: str) -> str:
    return subjects.ARTIFACT.at(HUB, key=f"{kind.value}_{name}")


def _hub(where: Where) -> Address:
    address = where.address()
    if address.bus.site != HUB:
        raise UserError(
            f"{address.bus.site!r} is a site: artifacts are offered at the hub", "Name its folder: --data HUB"
        )
    return address


def _checked(values: dict[str, object]) -> ArtifactOffered:
    try:
        return msgspec.convert(values, ArtifactOffered)
    except msgspec.ValidationError as error:
        raise UserError(f"this can not be an artifact: {error}", "See: causeway artifact publish --help") from error


def _filename(source: Path) -> str:
    return f"{source.name}.tar" if source.is_dir() else source.name


@contextmanager
def _one_file(source: Path) -> Iterator[Path]:
    """The file itself, or a folder as tar."""
    if source.is_file():
        yield source
        return
    if not any(source.iterdir()):
        raise BadPathError(f"{source} is empty", "Name a file, or a folder with files.")
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "folder.tar"
        with tarfile.open(packed, "w") as tar:
            tar.add(source, arcname=source.name)
        yield packed
