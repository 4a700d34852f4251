"""`causeway sync`: how the link is, whether both sides agree, and what left this place."""

import asyncio
from typing import Annotated

import typer

from causeway.bus import Bus
from causeway.cli.connection import Address, Where, at_a_place
from causeway.cli.console import STDERR, STDOUT
from causeway.cli.json_text import print_json
from causeway.cli.kbs import check_kb_name
from causeway.cli.sessions import session
from causeway.cli.sync_text import differences_table, ledger_table, peers_table, status_lines, verdict_line
from causeway.proto import Message, subjects
from causeway.proto.codec import M
from causeway.proto.link import Ledger, LedgerAsked, LinkStatus, LinkStatusAsked, Verified, VerifyAsked

STATUS_TIMEOUT_S = 10.0
VERIFY_TIMEOUT_S = 600.0
EXIT_DIFFERENT = 1

Kb = Annotated[str, typer.Option("--kb", help="Only this knowledge base.")]
Json = Annotated[bool, typer.Option("--json", help="All of it as JSON.")]
Repair = Annotated[bool, typer.Option("--repair", help="Mend what differs: send again, or take back from the hub.")]
Lines = Annotated[int, typer.Option("--lines", "-n", min=1, max=1_000, help="How many lines.")]
Check = Annotated[bool, typer.Option("--verify", help="Check the chain of hashes of the whole ledger.")]


def register(app: typer.Typer) -> None:
    """Add `sync`."""
    sync = typer.Typer(
        help="The link to the hub: how far it is, whether both sides agree, what left.", no_args_is_help=True
    )
    sync.command("status")(status)
    sync.command("verify")(verify)
    sync.command("ledger")(ledger)
    app.add_typer(sync, name="sync")


@at_a_place
def status(where: Where, as_json: Json = False) -> None:
    """Show epoch, lag in messages, bytes and seconds, siblings, and when both sides were last found equal."""
    found = asyncio.run(_ask(where.address(), subjects.LINK_STATUS, LinkStatusAsked(), LinkStatus, STATUS_TIMEOUT_S))
    if as_json:
        print_json(found)
        return
    for line in status_lines(found):
        STDOUT.print(line)
    if found.peers:
        STDOUT.print(peers_table(found))


@at_a_place
def verify(where: Where, kb: Kb = "", repair: Repair = False, as_json: Json = False) -> int:
    """Compare what this site shares with what the hub holds, and name each document that differs."""
    if kb:
        check_kb_name(kb)
    asked = VerifyAsked(kb=kb, repair=repair)
    with STDERR.status("Comparing with the hub…"):
        found = asyncio.run(_ask(where.address(), subjects.LINK_VERIFY, asked, Verified, VERIFY_TIMEOUT_S))
    if as_json:
        print_json(found)
    else:
        if found.differences:
            STDOUT.print(differences_table(found))
        STDOUT.print(verdict_line(found))
        if found.differences and not repair:
            STDERR.print("[cyan]Mend them: causeway sync verify --repair[/]")
    return 0 if found.equal else EXIT_DIFFERENT


@at_a_place
def ledger(where: Where, lines: Lines = 20, check: Check = False, as_json: Json = False) -> int:
    """Show what left this place: when, under which label, and why. The lines are chained by their hashes."""
    asked = LedgerAsked(lines_max=lines, newest=True, verify=check)
    found = asyncio.run(_ask(where.address(), subjects.LINK_LEDGER, asked, Ledger, VERIFY_TIMEOUT_S))
    if as_json:
        print_json(found)
    elif not found.total:
        STDOUT.print("Nothing has left this place.")
    else:
        STDOUT.print(ledger_table(found))
    if check and not as_json:
        broken = f"[red]The chain breaks at line {found.broken_at}: {found.broken_reason}[/]"
        STDOUT.print(broken if found.broken_at else f"[green]The chain of {found.total} lines holds.[/]")
    return EXIT_DIFFERENT if found.broken_at else 0


async def _ask(address: Address, subject: subjects.Subject, asked: Message, kind: type[M], timeout_s: float) -> M:
    async with session(address) as client:
        bus: Bus = client.bus
        return await bus.request(subject.at(address.bus.site), asked, kind, timeout_s)
