"""An answer as lines for a terminal: text, sources, the route and why, times by part. Pure."""

from collections.abc import Sequence

from rich.markup import escape

from causeway.cli.messages import say
from causeway.proto.answers import Answer, Author, Citation, Route
from causeway.proto.reasons import reason_text

QUOTE_CHARS_MAX = 160
CITATIONS_SHOWN_MAX = 5


def answer_lines(answer: Answer, language: str, shown: str = "", draft: bool = False) -> list[str]:
    """The whole answer. `shown` is the text that stands last above it, and `draft` whether it was said to be one: the
    answer's own text is left out where it is the same."""
    lines = _text_lines(answer, language, shown, draft)
    if answer.written_by is Author.MODEL and not answer.abstained:
        key = "written_at_hub" if answer.route in (Route.CLOUD, Route.CACHE) else "written_by_model"
        lines.append(f"[dim]{say(key, language, model=escape(answer.model))}[/]")
    heading = say("closest" if answer.abstained else "citations", language)
    lines += citation_lines(answer.citations, language, heading, sentences=answer.sentences)
    return [*lines, route_line(answer, language), times_line(answer, language)]


def _text_lines(answer: Answer, language: str, shown: str, draft: bool) -> list[str]:
    if answer.abstained:
        return [f"[bold yellow]{say('abstained', language)}[/] [dim]{escape(answer.reason)}[/]"]
    lines = [f"[yellow]{escape(say('note', language, reason=answer.reason))}[/]"] if answer.reason else []
    if shown.split() == answer.text.split():
        return [f"[green]{say('checked', language)}[/]", *lines] if draft else lines
    label = [f"[green]{say('answer', language)}[/]"] if shown else []
    return [*label, f"[bold]{escape(answer.text)}[/]", *lines]


def citation_lines(
    citations: list[Citation],
    language: str,
    heading: str,
    most: int = CITATIONS_SHOWN_MAX,
    sentences: Sequence[str] = (),
) -> list[str]:
    """A numbered line for each source; below it the quote, from the best of `sentences` that stands in it."""
    if not citations:
        return []
    lines = [f"[bold]{heading}[/]"]
    for number, citation in enumerate(citations[:most], start=1):
        lines.append(f"  [cyan]{number}.[/] {escape(place(citation, language))}")
        lines.append(f"     [dim]{escape(excerpt(citation.quote, sentences))}[/]")
    return lines


def place(citation: Citation, language: str) -> str:
    """Document, page or heading, revision."""
    parts = [citation.document_id]
    if citation.page:
        parts.append(say("page", language, page=citation.page))
    heading = citation.heading or citation.title
    if heading and heading != citation.document_id:
        parts.append(heading)
    parts.append(f"{say('revision', language)} {citation.revision}")
    return " · ".join(parts)


def route_line(answer: Answer, language: str) -> str:
    """Which way the answer went and why, and how far its confidence can be believed."""
    # What became of the hub, of a fallback, is the answer's own reason, and stands above.
    why = say("fallback_why", language) if answer.route is Route.FALLBACK else reason_text(answer.decision, language)
    route = say("route_why" if why else "route", language, route=answer.route.value, why=why)
    key = "promised" if answer.promise else "calibrated" if answer.calibrated else "uncalibrated"
    believed = say(key, language, promise=answer.promise)
    confidence = say("confidence", language, value=answer.confidence, believed=believed)
    return f"[dim]{escape(route)} · {confidence}[/]"


def times_line(answer: Answer, language: str) -> str:
    """Where the milliseconds went, and the id to come back with."""
    times = "  ".join(f"{name} {value:.1f}" for name, value in answer.latency_ms.items() if name != "total")
    total = answer.latency_ms.get("total", sum(answer.latency_ms.values()))
    identity = f" · {say('answer_id', language)} {escape(answer.answer_id)}" if answer.answer_id else ""
    return f"[dim]{say('time', language)} {total:.1f} ms ({times}){identity}[/]"


def excerpt(quote: str, sentences: Sequence[str]) -> str:
    """One line of the quote, from where the answer stands in it."""
    start = next((quote.find(sentence) for sentence in sentences if sentence and sentence in quote), 0)
    return ("… " if start else "") + shortened(quote[start:])


def shortened(text: str) -> str:
    """One line of a passage."""
    line = " ".join(text.split())
    return line if len(line) <= QUOTE_CHARS_MAX else line[: QUOTE_CHARS_MAX - 1] + "…"
