"""`causeway kb reembed`: change the embedding model of a running place without publishing anything again."""

import asyncio
import time
from typing import Annotated

import typer

from causeway.bus import ProblemReply
from causeway.cli.connection import Address, Where, at_a_place
from causeway.cli.console import STDERR, STDOUT
from causeway.cli.errors import UserError
from causeway.cli.json_text import print_json
from causeway.cli.sessions import session
from causeway.cli.space_text import space_lines
from causeway.proto import subjects
from causeway.proto.space import SpaceAction, SpaceAsked, SpacePhase, SpaceStatus

ACT_TIMEOUT_S = 120.0
STATUS_TIMEOUT_S = 20.0
POLL_S = 0.5

Model = Annotated[str, typer.Option("--model", help="The registry's embedding model, or a folder's path.")]
Precision = Annotated[str, typer.Option("--precision", help="int8 or fp32.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def register(group: typer.Typer) -> None:
    """Add `reembed`."""
    reembed = typer.Typer(help="Change the embedding model: start, status, then switch or abort.", no_args_is_help=True)
    reembed.command("start")(start)
    reembed.command("status")(status)
    reembed.command("switch")(switch)
    reembed.command("abort")(abort)
    group.add_typer(reembed, name="reembed")


@at_a_place
def start(where: Where, model: Model = "", precision: Precision = "", as_json: Json = False) -> None:
    """Begin to make vectors of another model beside those that answer. Nothing else changes until the switch."""
    asked = SpaceAsked(action=SpaceAction.START, model=model, precision=precision)
    _print(asyncio.run(_ask(where.address(), asked)), as_json)


@at_a_place
def status(where: Where, as_json: Json = False) -> None:
    """Show the model in force, the one to come, and how far its vectors are."""
    _print(asyncio.run(_ask(where.address(), SpaceAsked(action=SpaceAction.STATUS))), as_json)


@at_a_place
def switch(where: Where, as_json: Json = False) -> None:
    """Answer from the new space from now on, and drop the old one. Questions are answered all the while."""
    _print(asyncio.run(_switch(where.address())), as_json)


@at_a_place
def abort(where: Where, as_json: Json = False) -> None:
    """Drop the vectors of the new model, and stay with the one in force."""
    _print(asyncio.run(_ask(where.address(), SpaceAsked(action=SpaceAction.ABORT))), as_json)


async def _switch(address: Address) -> SpaceStatus:
    found = await _ask(address, SpaceAsked(action=SpaceAction.SWITCH))
    began = time.monotonic()
    with STDERR.status("Switching…") as spinner:
        while found.phase is not SpacePhase.STEADY and not found.reason:
            await asyncio.sleep(POLL_S)
            found = await _ask(address, SpaceAsked(action=SpaceAction.STATUS))
            spinner.update(f"{found.phase.value}, {time.monotonic() - began:.0f} s")
    if found.reason:
        raise UserError(f"the switch did not come to its end: {found.reason}", "Look at `causeway kb reembed status`.")
    return found


async def _ask(address: Address, asked: SpaceAsked) -> SpaceStatus:
    async with session(address) as client:
        subject = subjects.SPACE.at(client.site)
        timeout_s = STATUS_TIMEOUT_S if asked.action is SpaceAction.STATUS else ACT_TIMEOUT_S
        try:
            return await client.bus.request(subject, asked, SpaceStatus, timeout_s)
        except ProblemReply as error:
            raise UserError(error.problem.message, error.problem.mend) from error


def _print(found: SpaceStatus, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for line in space_lines(found):
        STDOUT.print(line, markup=False)
