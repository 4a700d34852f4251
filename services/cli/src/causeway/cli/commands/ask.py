"""`causeway ask` and `causeway search`: a question to a site, and what comes back."""

import asyncio
import sys
from typing import Annotated

import typer
from rich.markup import escape

from causeway.cli.answer_text import answer_lines, citation_lines
from causeway.cli.connection import Address, Kb, Where, at_a_place
from causeway.cli.console import STDOUT
from causeway.cli.errors import UserError
from causeway.cli.json_text import print_json
from causeway.cli.kbs import require_kb
from causeway.cli.messages import interface_language, label_language, say
from causeway.cli.sessions import session
from causeway.proto.answers import QUESTION_CHARS_MAX, Answer, AnswerPart, PartKind, SearchMode

Question = Annotated[str, typer.Argument(help="The question, in any language; - reads it from stdin.")]
Json = Annotated[bool, typer.Option("--json", help="The whole answer as JSON, and nothing else.")]
Stream = Annotated[bool, typer.Option("--stream/--no-stream", help="Show parts of the answer as they come.")]
Generate = Annotated[bool, typer.Option("--generate/--instant", help="Let the site's local model reword the answer.")]
Lang = Annotated[str | None, typer.Option("--lang", help="Language of the labels: zh or en (the answer's).")]
Timeout = Annotated[float, typer.Option("--timeout", help="Seconds to wait for the whole answer.", min=0.1, max=120)]
Count = Annotated[int, typer.Option("--documents", help="How many documents.", min=1, max=100)]
Mode = Annotated[SearchMode, typer.Option("--mode", help="Both lists fused, or one alone.")]


def register(app: typer.Typer) -> None:
    """Add `ask` and `search`."""
    app.command("ask")(ask)
    app.command("search")(search)


@at_a_place
def ask(
    where: Where,
    question: Question,
    kb: Kb,
    as_json: Json = False,
    stream: Stream = True,
    generate: Generate = True,
    lang: Lang = None,
    timeout: Timeout = 60.0,
) -> None:
    """Ask a question. The instant answer comes first, the reworded one after it, then the sources and the times."""
    address = where.address()
    asyncio.run(_ask(address, kb, checked_question(question), as_json, stream and not as_json, generate, lang, timeout))


@at_a_place
def search(
    where: Where,
    question: Question,
    kb: Kb,
    as_json: Json = False,
    documents: Count = 10,
    mode: Mode = SearchMode.HYBRID,
    lang: Lang = None,
) -> None:
    """Show the passages that fit a question best, one for each document, without an answer."""
    address = where.address()
    asyncio.run(_search(address, kb, checked_question(question), as_json, documents, mode, lang))


def checked_question(question: str) -> str:
    """The question, read from stdin for `-`.

    Raises:
        UserError: empty or too long.
    """
    text = (sys.stdin.read() if question == "-" else question).strip()
    if not text:
        raise UserError("the question is empty", 'Ask something: causeway ask "How long is the warranty?" --kb docs')
    if len(text) > QUESTION_CHARS_MAX:
        raise UserError(
            f"the question has {len(text)} characters",
            f"A question has at most {QUESTION_CHARS_MAX}: publish long texts instead.",
        )
    return text


async def _ask(
    address: Address,
    kb: str,
    question: str,
    as_json: bool,
    stream: bool,
    generate: bool,
    lang: str | None,
    timeout_s: float,
) -> None:
    async with session(address) as client:
        await require_kb(client, kb)
        if not stream:
            answer = await client.ask(kb, question, generate=generate, timeout_s=timeout_s)
            _show(answer, lang, as_json)
            return
        printer = _PartPrinter(lang)
        async for part in client.ask_stream(kb, question, generate=generate, timeout_s=timeout_s):
            printer.take(part)


def _show(answer: Answer, lang: str | None, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    for line in answer_lines(answer, label_language(lang, answer.language)):
        STDOUT.print(line)


class _PartPrinter:
    """Prints parts as they come: the instant answer at once, tokens where they belong, sources at the end."""

    def __init__(self, lang: str | None) -> None:
        self._lang = lang
        self._instant: Answer | None = None
        self._tokens = 0

    def take(self, part: AnswerPart) -> None:
        if part.kind is PartKind.TOKEN:
            self._tokens += 1
            STDOUT.print(escape(part.text), end="", soft_wrap=True)
        elif part.answer is not None and part.kind is PartKind.INSTANT:
            self._show_instant(part.answer)
        elif part.answer is not None:
            self._finish(part.answer)

    def _show_instant(self, answer: Answer) -> None:
        self._instant = answer
        if not answer.abstained:
            language = label_language(self._lang, answer.language)
            STDOUT.print(f"[dim]{say('instant', language)}[/] [bold]{escape(answer.text)}[/]")

    def _finish(self, answer: Answer) -> None:
        if self._tokens:
            STDOUT.print()
        shown = self._tokens > 0 or (self._instant is not None and self._instant.text == answer.text)
        for line in answer_lines(answer, label_language(self._lang, answer.language), shown_already=shown):
            STDOUT.print(line)


async def _search(
    address: Address, kb: str, question: str, as_json: bool, documents: int, mode: SearchMode, lang: str | None
) -> None:
    async with session(address) as client:
        await require_kb(client, kb)
        result = await client.search(kb, question, mode=mode, documents_max=documents)
    if as_json:
        print_json(result)
        return
    language = interface_language(lang)
    for line in citation_lines(result.passages, language, say("citations", language), most=documents):
        STDOUT.print(line)
    if not result.passages:
        STDOUT.print("Nothing in this knowledge base fits the question.")
    times = "  ".join(f"{name} {value:.1f}" for name, value in result.latency_ms.items())
    STDOUT.print(f"[dim]{say('time', language)} {times} ms[/]")
