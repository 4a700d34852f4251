"""One call from bytes to `Parsed`: finds the format, asks its parser, and turns every way to fail into a reason."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from causeway.ingestor.parsing import (
    archive,
    delimited,
    docx,
    epub,
    html,
    kreuz,
    latex,
    mail,
    markdown,
    markup,
    ocr,
    opendocument,
    pdf,
    records,
    slides,
    sniff,
    text,
    xmldoc,
)
from causeway.ingestor.parsing.block import MIB, Code, Limits, Parsed, ParseFailure
from causeway.ingestor.parsing.outline import Outline, flow
from causeway.ingestor.parsing.package import Package


@dataclass
class _Found:
    """What a parser learned beside the blocks."""

    title: str = ""
    language: str = ""
    pages: int = 0
    warnings: list[str] = field(default_factory=list)


# What the parsers and the libraries under them raise where a file breaks the rules of its format.
_MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    csv.Error,
)

Parser = Callable[[bytes, Outline, Limits, int], _Found]


def parse(body: bytes, filename: str = "", media_type: str = "", limits: Limits | None = None) -> Parsed:
    """The text of a document. `filename` and `media_type` choose only between kinds of plain text.

    Raises:
        ParseFailure: it can not be read; the reason says the mend.
    """
    limits = limits or Limits()
    if len(body) > limits.body_bytes_max:
        raise ParseFailure(
            Code.BODY,
            f"has {len(body) // MIB} MiB, the limit is {limits.body_bytes_max // MIB} MiB: split it or raise "
            "INGESTOR_BODY_BYTES_MAX",
        )
    outline = Outline(limits)
    kind, found = _into(body, filename, media_type, outline, limits, 0)
    if not outline.blocks:
        raise ParseFailure(Code.NO_TEXT, f"is {kind} without any text: publish a copy with text, or delete it")
    return Parsed(
        media_type=kind,
        blocks=outline.blocks,
        title=flow(found.title),
        language=found.language,
        pages=found.pages,
        warnings=found.warnings,
    )


def _into(
    body: bytes, filename: str, media_type: str, outline: Outline, limits: Limits, depth: int
) -> tuple[str, _Found]:
    try:
        kind = sniff.sniff(body, filename, media_type, limits)
        return kind, _parser(kind)(body, outline, limits, depth)
    except RecursionError as error:
        raise ParseFailure(Code.CORRUPT, "is nested too deeply to read: export it again, flatter") from error
    except _MALFORMED as error:
        # A parser met a structure that its format does not allow. The document is at fault, not the service.
        what = f"{type(error).__name__}: {error}".strip()[:200]
        raise ParseFailure(Code.CORRUPT, f"does not keep to its format ({what}): save or export it again") from error


def _parser(kind: str) -> Parser:
    if kind.startswith("image/"):
        return _picture
    return _PARSERS[kind]


def _inner(outline: Outline, limits: Limits, depth: int, found: _Found) -> Callable[[bytes, str, str], None]:
    """Parses a file inside a file, under its name. That one of them fails does not fail the others."""

    def parse_inner(body: bytes, filename: str, media_type: str) -> None:
        name = filename or media_type
        outline.leave_headings()
        outline.page = 0
        outline.heading(1, name)
        if depth + 1 >= limits.nesting_max:
            found.warnings.append(f"{name}: nested too deeply, left out")
            return
        try:
            _, inner = _into(body, filename, media_type, outline, limits, depth + 1)
            found.warnings += inner.warnings
        except ParseFailure as failure:
            if failure.code in (Code.BOMB, Code.TEXT, Code.PAGES):
                raise
            found.warnings.append(f"{name}: {failure.reason}")

    return parse_inner


def _pdf(body: bytes, outline: Outline, limits: Limits, depth: int) -> _Found:
    title, pages, warnings = pdf.parse(body, outline, limits)
    return _Found(title=_real_title(title), pages=pages, warnings=warnings)


def _docx(body: bytes, outline: Outline, limits: Limits, depth: int) -> _Found:
    title = docx.parse(Package(body, limits), outline)
    return _Found(title=title, pages=max((block.page_last for block in outline.blocks), default=0))


def _pptx(body: bytes, outline: Outline, limits: Limits, depth: int) -> _Found:
    title, pages = slides.parse(Package(body, limits), outline, limits)
    return _Found(title="" if title == "PowerPoint Presentation" else title, pages=pages)


def _office(kind: str) -> Parser:
    def parse_office(body: bytes, outline: Outline, limits: Limits, depth: int) -> _Found:
        return _Found(title=_real_title(kreuz.parse(body, kind, outline)))

    return parse_office


def _opendocument(body: bytes, outline: Outline, limits: Limits, depth: int) -> _Found:
    title, language = opendocument.parse(Package(body, limits), outline, limits)
    return _Found(title=title, language=language, pages=outline.page)


def _epub(body: bytes, outline: Outline, limits: Limits, depth: int) -> _Found:
    title, language = epub.parse(Package(body, limits), outline)
    return _Found(title=title, language=language)


def _html(body: bytes, outline: Outline, limits: Limits, depth: int) -> _Found:
    title, language = html.parse(body, outline)
    return _Found(title=title, language=language)


def _mail(body: bytes, outline: Outline, limits: Limits, depth: int) -> _Found:
    found = _Found()
    found.title = mail.parse(body, outline, _inner(outline, limits, depth, found))
    return found


def _mbox(body: bytes, outline: Outline, limits: Limits, depth: int) -> _Found:
    found = _Found()
    mail.parse_mbox(body, outline, _inner(outline, limits, depth, found))
    return found


def _archive(body: bytes, outline: Outline, limits: Limits, depth: int) -> _Found:
    found = _Found()
    archive.parse(Package(body, limits), outline, _inner(outline, limits, depth, found))
    return found


def _picture(body: bytes, outline: Outline, limits: Limits, depth: int) -> _Found:
    outline.lines(ocr.read(body, limits))
    return _Found()


def _xml(body: bytes, outline: Outline, limits: Limits, depth: int) -> _Found:
    return _Found(title=xmldoc.parse(body, outline))


def _simple(parser: Callable[[bytes, Outline], None]) -> Parser:
    def parse_simple(body: bytes, outline: Outline, limits: Limits, depth: int) -> _Found:
        parser(body, outline)
        return _Found(pages=outline.page)

    return parse_simple


def _real_title(title: str) -> str:
    """Printing programs put a file name where the title belongs."""
    suffix = PurePosixPath(title).suffix.lower()
    junk = title.lower().startswith(("microsoft word -", "untitled", "无标题", "文档1")) or suffix in (
        ".doc",
        ".docx",
        ".tex",
        ".dvi",
        ".indd",
        ".qxd",
    )
    return "" if junk or sum(map(str.isalpha, title)) < 2 else title


_PARSERS: dict[str, Parser] = {
    sniff.PDF: _pdf,
    sniff.DOCX: _docx,
    sniff.PPTX: _pptx,
    sniff.ODT: _opendocument,
    sniff.ODP: _opendocument,
    sniff.ODS: _opendocument,
    sniff.EPUB: _epub,
    sniff.ZIP: _archive,
    sniff.EML: _mail,
    sniff.MBOX: _mbox,
    sniff.HTML: _html,
    sniff.XML: _xml,
    sniff.JSON: _simple(records.parse),
    sniff.JSONL: _simple(records.parse_lines),
    sniff.IPYNB: _simple(records.parse_notebook),
    sniff.VTT: _simple(text.parse_subtitles),
    sniff.TEXT: _simple(text.parse),
    sniff.MARKDOWN: _simple(markdown.parse),
    sniff.CSV: _simple(delimited.parse),
    sniff.TSV: _simple(delimited.parse),
    sniff.RST: _simple(markup.parse_rst),
    sniff.ORG: _simple(markup.parse_org),
    sniff.ASCIIDOC: _simple(markup.parse_asciidoc),
    sniff.LATEX: _simple(latex.parse),
    **{kind: _office(kind) for kind in (sniff.XLSX, sniff.XLSB, sniff.XLS, sniff.RTF, sniff.MSG, sniff.DOC, sniff.PPT)},
}
