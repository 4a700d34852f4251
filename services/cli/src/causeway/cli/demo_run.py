"""The two halves of the demo: with a network, its sockets watched, and in a network with nothing in it."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from causeway.bus import BusError
from causeway.cli.connection import find_site
from causeway.cli.console import STDERR, print_error
from causeway.cli.demo_questions import DemoQuestion
from causeway.cli.errors import UserError
from causeway.cli.folder_scan import scan
from causeway.cli.network_cut import NetworkNotCutError, cut_network, interfaces
from causeway.cli.place import running_place
from causeway.cli.publication import Publication
from causeway.cli.publishing import Publisher, items_of
from causeway.cli.sessions import session
from causeway.cli.site_config import PortsConfig, SiteConfig
from causeway.cli.site_console import SiteConsole
from causeway.cli.site_errors import explain
from causeway.cli.site_folder import SiteFolder
from causeway.client import Client
from causeway.proto.answers import Answer
from causeway.proto.documents import Residency

KB = "demo"
PUBLISH_WAIT_S = 300.0
ASK_TIMEOUT_S = 60.0
OFFLINE_HALF_S = 300.0
EXIT_NOT_CUT = 75


class OfflineRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the second half is told, as JSON on stdin."""

    folder: str
    questions: list[str]


class OfflineReport(msgspec.Struct, frozen=True, kw_only=True):
    """What it says, as JSON on stdout."""

    interfaces: list[str]
    answers: list[Answer]


def demo_config() -> SiteConfig:
    """A site with free ports only."""
    return replace(SiteConfig(site="demo"), ports=PortsConfig(nats=0, monitor=0, metrics=0))


async def ask_all(
    folder: SiteFolder, publish: Path | None, questions: list[str], on_answer: Callable[[int, Answer], None]
) -> None:
    """Start the site, publish a folder if one is given, ask, stop."""
    async with (
        running_place(demo_config(), folder, SiteConsole(STDERR, quiet=True), lambda *_: None),
        session(find_site("", folder.root)) as client,
    ):
        if publish is not None:
            await _publish(client, publish)
        for number, question in enumerate(questions):
            on_answer(number, await client.ask(KB, question, timeout_s=ASK_TIMEOUT_S))


async def _publish(client: Client, documents: Path) -> Publication:
    publisher = Publisher(client=client, kb=KB, residency=Residency.PUBLIC)
    publication = await publisher.run(items_of(scan([documents])), wait_s=PUBLISH_WAIT_S)
    bad = publication.failed | publication.where_it_waits()
    if bad:
        raise UserError(f"the demo's documents did not all become searchable: {bad}")
    return publication


async def ask_offline(folder: SiteFolder, questions: list[DemoQuestion]) -> OfflineReport | None:
    """The second half in a process of its own; None where this machine does not let a network be cut."""
    request = OfflineRequest(folder=str(folder.root), questions=[one.question for one in questions])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "causeway.cli.demo_run",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(OFFLINE_HALF_S):
            output, _ = await process.communicate(msgspec.json.encode(request))
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if process.returncode == EXIT_NOT_CUT:
        return None
    if process.returncode != 0:
        raise UserError("the site did not answer without a network", "Its messages stand above.")
    return msgspec.json.decode(output, type=OfflineReport)


def offline_half() -> int:
    """Cut the network first, then start the site from its folder and ask again."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=OfflineRequest)
    try:
        cut_network()
    except NetworkNotCutError as error:
        STDERR.print(f"The network can not be cut here: {error.strerror or error}")
        return EXIT_NOT_CUT
    answers: list[Answer] = []
    asked = ask_all(SiteFolder(Path(request.folder)), None, request.questions, lambda _, answer: answers.append(answer))
    try:
        asyncio.run(asked)
    except (UserError, BusError) as error:
        print_error(explain(error) or UserError(str(error)))
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(OfflineReport(interfaces=interfaces(), answers=answers)))
    return 0


if __name__ == "__main__":
    sys.exit(offline_half())
