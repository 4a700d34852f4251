"""`causeway dead-letters`: what could not be processed, with the reason; to be replayed or discarded."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from causeway.bus import ObjectMissing
from causeway.bus.dead_letters import DeadEntry, DeadLetters
from causeway.cli.connection import Address, Where, at_a_place
from causeway.cli.console import STDOUT
from causeway.cli.errors import UserError
from causeway.cli.json_text import print_json
from causeway.cli.sessions import session

Numbers = Annotated[list[int] | None, typer.Argument(help="Numbers from `dead-letters list`.")]
Number = Annotated[int, typer.Argument(help="Number from `dead-letters list`.")]
Every = Annotated[bool, typer.Option("--all", help="All of them.")]
Limit = Annotated[int, typer.Option("--limit", help="How many at most.", min=1)]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
BODY_SHOWN_BYTES = 400


def register(app: typer.Typer) -> None:
    """Add `dead-letters`."""
    group = typer.Typer(help="Messages that could not be processed.", no_args_is_help=True)
    group.command("list")(list_letters)
    group.command("show")(show)
    group.command("replay")(replay)
    group.command("discard")(discard)
    app.add_typer(group, name="dead-letters")


@at_a_place
def list_letters(
    where: Where,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List dead letters, oldest first."""
    entries = asyncio.run(_entries(where.address(), limit))
    if as_json:
        print_json([_as_dict(entry) for entry in entries])
        return
    if not entries:
        STDOUT.print("There are no dead letters.")
        return
    table = Table()
    for column in ("number", "when", "gave up", "came from", "tries", "reason"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        letter = entry.letter
        origin = f"{letter.origin_stream} {letter.origin_seq}"
        table.add_row(
            str(entry.seq), _when(letter.at_unix_ms), letter.service, origin, str(letter.attempts), letter.reason
        )
    STDOUT.print(table)
    STDOUT.print("Mend the cause, then: causeway dead-letters replay NUMBER (or --all).")


@at_a_place
def show(
    where: Where,
    number: Number,
) -> None:
    """Show one dead letter as JSON: reason, headers, and the beginning of the body."""
    address = where.address()
    print_json(_as_dict(asyncio.run(_entry(address, number)), whole=True))


@at_a_place
def replay(where: Where, numbers: Numbers = None, every: Every = False) -> None:
    """Send dead letters back to where they came from."""
    count = asyncio.run(_each(where.address(), numbers or [], every, DeadLetters.replay))
    STDOUT.print(f"{count} replayed; `causeway status` shows what becomes of them.")


@at_a_place
def discard(where: Where, numbers: Numbers = None, every: Every = False) -> None:
    """Remove dead letters for good."""
    count = asyncio.run(_each(where.address(), numbers or [], every, DeadLetters.discard))
    STDOUT.print(f"{count} discarded.")


async def _entries(address: Address, limit: int) -> list[DeadEntry]:
    async with session(address) as client:
        return [entry async for entry in client.bus.dead_letters.entries(count_max=limit)]


async def _entry(address: Address, number: int) -> DeadEntry:
    async with session(address) as client:
        try:
            return await client.bus.dead_letters.entry(number)
        except ObjectMissing as error:
            raise _no_such(number) from error


async def _each(
    address: Address, numbers: list[int], every: bool, act: Callable[[DeadLetters, int], Awaitable[object]]
) -> int:
    if every == bool(numbers):
        raise UserError("which dead letters?", "Give their numbers, or --all.")
    async with session(address) as client:
        letters = client.bus.dead_letters
        chosen = [entry.seq async for entry in letters.entries()] if every else numbers
        for number in chosen:
            try:
                await letters.entry(number)
            except ObjectMissing as error:
                raise _no_such(number) from error
            await act(letters, number)
    return len(chosen)


def _no_such(number: int) -> UserError:
    return UserError(f"there is no dead letter {number}", "See `causeway dead-letters list`.")


def _when(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _as_dict(entry: DeadEntry, whole: bool = False) -> dict[str, Any]:
    letter = entry.letter
    found: dict[str, Any] = {
        "number": entry.seq,
        "at": _when(letter.at_unix_ms),
        "service": letter.service,
        "reason": letter.reason,
        "stream": letter.origin_stream,
        "subject": letter.origin_subject,
        "sequence": letter.origin_seq,
        "attempts": letter.attempts,
        "body_bytes": len(letter.body),
    }
    if whole:
        found |= {"headers": letter.headers, "body_begins": letter.body[:BODY_SHOWN_BYTES]}
    return found
