"""`causeway ask` and `causeway search`: a question to a site, and what comes back."""

import asyncio
import sys
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.markup import escape

from causeway.cli.answer_following import find_answer, follow_answer
from causeway.cli.answer_text import answer_lines, citation_lines
from causeway.cli.connection import Address, Kb, Where, at_a_place
from causeway.cli.console import STDERR, STDOUT
from causeway.cli.errors import UserError
from causeway.cli.json_text import print_json
from causeway.cli.kbs import check_kb_name, require_kb
from causeway.cli.messages import interface_language, label_language, say
from causeway.cli.sessions import session
from causeway.client import Client
from causeway.proto.answers import QUESTION_CHARS_MAX, Answer, AnswerPart, PartKind, SearchMode
from causeway.proto.documents import Residency

Question = Annotated[str, typer.Argument(help="The question, in any language; - reads it from stdin.")]
QuestionIfAny = Annotated[
    str, typer.Argument(help="The question, in any language; - reads it from stdin. Not with --answer.")
]
KbIfAny = Annotated[
    str, typer.Option("--kb", help="Knowledge base; may be left out where an answer is named by its id.")
]
Follow = Annotated[
    bool, typer.Option("--follow", help="Then wait until a document that the answer cites changes, and say so.")
]
AnswerId = Annotated[str, typer.Option("--answer", help="With --follow: the id of an earlier answer, to come back to.")]
Cloud = Annotated[bool, typer.Option("--cloud/--local", help="Let the hub be asked where it may.")]
Cache = Annotated[bool, typer.Option("--cache/--fresh", help="Let an earlier answer stand.")]
Asker = Annotated[str, typer.Option("--asker", help="Who asks: whose feedback on the answer counts.")]
Tenant = Annotated[
    str, typer.Option("--tenant", help="Whose question this is: tenants are not given each other's earlier answers.")
]
Label = Annotated[
    Residency,
    typer.Option("--residency", help="Where the question may go: only a public one may be asked of the hub."),
]
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
    question: QuestionIfAny = "",
    kb: KbIfAny = "",
    as_json: Json = False,
    stream: Stream = True,
    generate: Generate = True,
    lang: Lang = None,
    timeout: Timeout = 60.0,
    follow: Follow = False,
    answer: AnswerId = "",
    cloud: Cloud = True,
    cache: Cache = True,
    asker: Asker = "",
    tenant: Tenant = "",
    residency: Label = Residency.PUBLIC,
) -> None:
    """Ask a question. The instant answer comes first, then the draft of a model that rewords or of the hub's, as it is
    written, then what of it stands, the sources, the route and why, the times.

    With --follow the command stays, until what the answer cites has changed or Ctrl-C ends it.
    """
    _check_options(question, kb, follow, answer)
    address = where.address()
    shown = _Shown(lang=lang, as_json=as_json)
    if answer:
        waiting = _come_back(address, answer, kb, shown)
    else:
        options = _Options(
            generate=generate,
            cloud=cloud,
            cache=cache,
            asker=asker,
            tenant=tenant,
            residency=residency,
            timeout_s=timeout,
        )
        waiting = _ask(address, kb, checked_question(question), options, shown, stream and not as_json, follow)
    try:
        asyncio.run(waiting)
    except KeyboardInterrupt:
        # Before there is an answer, it is the question that was given up.
        if not (follow and shown.answer_id):
            raise
        command = f"causeway ask --follow --answer {shown.answer_id}"
        STDERR.print(f"[dim]{say('unfollowed', shown.language, command=command)}[/]")


def _check_options(question: str, kb: str, follow: bool, answer_id: str) -> None:
    """What only goes together, or not together.

    Raises:
        UserError: naming what is missing or too much.
    """
    if answer_id and (question or not follow):
        raise UserError(
            "--answer is for coming back to an earlier answer", "causeway ask --follow --answer ID, without a question"
        )
    if kb:
        check_kb_name(kb)
    elif not answer_id:
        raise UserError("no knowledge base is named", 'causeway ask "QUESTION" --kb NAME')


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


@dataclass(kw_only=True)
class _Shown:
    """How to show things, and the answer that was shown."""

    lang: str | None
    as_json: bool
    answer_id: str = ""
    language: str = "en"

    def take(self, answer_id: str, language: str) -> None:
        """This is the answer."""
        self.answer_id, self.language = answer_id, label_language(self.lang, language)


@dataclass(frozen=True, kw_only=True)
class _Options:
    generate: bool
    cloud: bool
    cache: bool
    asker: str
    tenant: str
    residency: Residency
    timeout_s: float


async def _ask(
    address: Address, kb: str, question: str, options: _Options, shown: _Shown, stream: bool, follow: bool
) -> None:
    async with session(address) as client:
        await require_kb(client, kb)
        # Before the question, so that nothing is missed between the answer and the watch.
        after_seq = await client.invalidations_seq() if follow else 0
        answer = await _answer(client, kb, question, options, shown, stream)
        shown.take(answer.answer_id, answer.language)
        if not follow:
            return
        if not answer.answer_id:
            raise UserError("the answer has no id to follow it by", "Bring the site's edge-inference up to date.")
        await follow_answer(
            client, answer.answer_id, kb=kb, after_seq=after_seq, language=shown.language, as_json=shown.as_json
        )


async def _answer(client: Client, kb: str, question: str, options: _Options, shown: _Shown, stream: bool) -> Answer:
    given = asdict(options)
    if not stream:
        answer = await client.ask(kb, question, **given)
        _show(answer, shown.lang, shown.as_json)
        return answer
    printer = _PartPrinter(shown.lang)
    async for part in client.ask_stream(kb, question, **given):
        printer.take(part)
    assert printer.final is not None
    return printer.final


async def _come_back(address: Address, answer_id: str, kb: str, shown: _Shown) -> None:
    async with session(address) as client:
        given = await find_answer(client, answer_id, kb)
        shown.take(answer_id, given.language)
        if not shown.as_json:
            STDOUT.print(f"[dim]{escape(given.question)}[/]\n[bold]{escape(given.text)}[/]")
        await follow_answer(client, answer_id, kb=given.kb, after_seq=0, language=shown.language, as_json=shown.as_json)


def _show(answer: Answer, lang: str | None, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    for line in answer_lines(answer, label_language(lang, answer.language)):
        STDOUT.print(line)


class _PartPrinter:
    """Prints parts as they come: the instant answer, tokens as the draft that they are, then what stands in the end."""

    def __init__(self, lang: str | None) -> None:
        self._lang = lang
        self._language = "en"
        self._instant = ""
        self._draft = ""
        self.final: Answer | None = None

    def take(self, part: AnswerPart) -> None:
        if part.kind is PartKind.TOKEN:
            self._show_draft(part.text)
        elif part.answer is not None and part.kind is PartKind.INSTANT:
            self._show_instant(part.answer)
        elif part.answer is not None:
            self._finish(part.answer)

    def _show_instant(self, answer: Answer) -> None:
        self._language = label_language(self._lang, answer.language)
        if not answer.abstained:
            self._instant = answer.text
            STDOUT.print(f"[dim]{say('instant', self._language)}[/] [bold]{escape(answer.text)}[/]")

    def _show_draft(self, text: str) -> None:
        if not self._draft:
            STDOUT.print(f"[dim]{say('draft', self._language)}[/]")
        self._draft += text
        STDOUT.print(text, end="", style="dim", markup=False)

    def _finish(self, answer: Answer) -> None:
        self.final = answer
        if self._draft:
            STDOUT.print()
        language = label_language(self._lang, answer.language)
        for line in answer_lines(answer, language, shown=self._draft or self._instant, draft=bool(self._draft)):
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
