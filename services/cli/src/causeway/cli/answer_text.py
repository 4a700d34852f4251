"""An answer as lines for a terminal: text, sources, times by part. Pure."""

from collections.abc import Sequence

from rich.markup import escape

from causeway.cli.messages import say
from causeway.proto.answers import Answer, Author, Citation

QUOTE_CHARS_MAX = 160
CITATIONS_SHOWN_MAX = 5


def answer_lines(answer: Answer, language: str, shown_already: bool = False) -> list[str]:
    """The whole answer; `shown_already` leaves out its text, which was streamed."""
    lines = []
    if answer.abstained:
        lines.append(f"[bold yellow]{say('abstained', language)}[/] [dim]{escape(answer.reason)}[/]")
    elif not shown_already:
        lines.append(f"[bold]{escape(answer.text)}[/]")
    if answer.written_by is Author.MODEL and not answer.abstained:
        lines.append(f"[dim]{say('written_by_model', language, model=escape(answer.model))}[/]")
    heading = say("closest" if answer.abstained else "citations", language)
    lines += citation_lines(answer.citations, language, heading, sentences=answer.sentences)
    lines.append(facts_line(answer, language))
    return lines


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


def facts_line(answer: Answer, language: str) -> str:
    """Route, confidence, where the milliseconds went, and the id to come back with."""
    times = "  ".join(f"{name} {value:.1f}" for name, value in answer.latency_ms.items() if name != "total")
    total = answer.latency_ms.get("total", sum(answer.latency_ms.values()))
    identity = f" · {say('answer_id', language)} {escape(answer.answer_id)}" if answer.answer_id else ""
    return (
        f"[dim]{say('route', language)} {answer.route.value} · {say('confidence', language)} {answer.confidence:.2f} · "
        f"{say('time', language)} {total:.1f} ms ({times}){identity}[/]"
    )


def excerpt(quote: str, sentences: Sequence[str]) -> str:
    """One line of the quote, from where the answer stands in it."""
    start = next((quote.find(sentence) for sentence in sentences if sentence and sentence in quote), 0)
    return ("… " if start else "") + shortened(quote[start:])


def shortened(text: str) -> str:
    """One line of a passage."""
    line = " ".join(text.split())
    return line if len(line) <= QUOTE_CHARS_MAX else line[: QUOTE_CHARS_MAX - 1] + "…"
