"""`causeway demo`: a site, the bundled documents, four questions, and all of it again without a network."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.markup import escape

from causeway.cli.answer_text import answer_lines
from causeway.cli.console import STDERR, STDOUT
from causeway.cli.demo_questions import DemoQuestion, read_questions
from causeway.cli.demo_run import ask_all, ask_offline
from causeway.cli.folder_scan import scan
from causeway.cli.messages import interface_language, say
from causeway.cli.site_folder import SiteFolder
from causeway.cli.socket_watch import SocketWatch
from causeway.proto.answers import Answer

Folder = Annotated[Path, typer.Option("--folder", help="The demo's folder: documents/ and questions.yaml.")]
Lang = Annotated[str | None, typer.Option("--lang", help="Language of the labels: zh or en (the locale's).")]
DEMO_FOLDER = Path("deploy/demo")


def register(app: typer.Typer) -> None:
    """Add `demo`."""
    app.command("demo")(demo)


def demo(folder: Folder = DEMO_FOLDER, lang: Lang = None) -> int:
    """Start a site in a temporary folder, publish the bundled documents, ask in two languages, then cut the network
    and ask again. Leaves nothing running; exits with 1 when an answer is not what the documents say."""
    questions = read_questions(folder)
    return asyncio.run(_Demo(folder / "documents", questions, interface_language(lang)).run())


class _Demo:
    def __init__(self, documents: Path, questions: list[DemoQuestion], language: str) -> None:
        self._documents = documents
        self._questions = questions
        self._language = language
        self._wrong = 0

    async def run(self) -> int:
        began = time.monotonic()
        STDERR.print(f"Publishing {len(scan([self._documents]))} documents to a new site; this takes a moment.")
        with tempfile.TemporaryDirectory(prefix="causeway-demo-") as name:
            site = SiteFolder(Path(name))
            with SocketWatch() as watch:
                await ask_all(site, self._documents, [one.question for one in self._questions], self._show)
                self._show_sockets(watch)
            STDOUT.print(f"\n[bold]{say('demo_again', self._language)}[/]")
            await self._again(site)
        left = [process.name() for process in psutil.Process().children(recursive=True)]
        self._wrong += bool(left)
        ending = f"still running: {', '.join(left)}" if left else "nothing is left running"
        verdict = f"[red]{self._wrong} wrong[/]" if self._wrong else "[green]everything as expected[/]"
        STDOUT.print(f"\n{verdict} [dim]{time.monotonic() - began:.0f} s in all; {ending}[/]")
        return 1 if self._wrong else 0

    async def _again(self, site: SiteFolder) -> None:
        with SocketWatch() as watch:
            report = await ask_offline(site, self._questions)
            if report is None:
                # The sockets are proof enough; they are watched while the site answers once more.
                await ask_all(site, None, [one.question for one in self._questions], self._show)
                self._show_sockets(watch)
                return
        STDOUT.print(f"[green]{say('demo_cut', self._language)}[/] [dim]{', '.join(report.interfaces)}[/]")
        self._wrong += report.interfaces != ["lo"]
        for number, answer in enumerate(report.answers):
            self._show(number, answer)

    def _show(self, number: int, answer: Answer) -> None:
        question = self._questions[number]
        STDOUT.print(f"\n[bold cyan]{number + 1}. {escape(question.question)}[/]  [dim]{question.kind}[/]")
        for line in answer_lines(answer, self._language):
            STDOUT.print("   " + line)
        problem = question.problem(answer)
        self._wrong += bool(problem)
        if problem:
            STDOUT.print(f"   [bold red]✗ {say('demo_wrong', self._language)}: {problem}[/]")
        else:
            STDOUT.print(f"   [green]✓ {say('demo_right', self._language)}[/]")

    def _show_sockets(self, watch: SocketWatch) -> None:
        if watch.outside:
            self._wrong += 1
            STDOUT.print(f"[bold red]Sockets that were not on loopback: {', '.join(sorted(watch.outside))}[/]")
            return
        facts = f"{len(watch.sockets_seen)} sockets, looked at {watch.samples} times"
        STDOUT.print(f"\n[green]{say('demo_network', self._language)}[/] [dim]{facts}[/]")
