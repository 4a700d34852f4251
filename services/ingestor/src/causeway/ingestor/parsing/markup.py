"""reStructuredText, Org and AsciiDoc to blocks, line by line: headings, paragraphs, items, tables and code."""

import re
from collections.abc import Callable

from causeway.ingestor.parsing import charset
from causeway.ingestor.parsing.outline import SOFT_BREAK, Outline, join_soft, tidy
from causeway.ingestor.parsing.tables import add_rows

_RST_RULE = re.compile(r"^([=\-`:.'\"~^_*+#<>!$%&(),/;?@\[\]{}|\\])\1{2,}\s*$")
_ORG_HEADING = re.compile(r"^(\*+)\s+(.*)$")
_ORG_BLOCK = re.compile(r"^\s*#\+(begin|end)_(\w+)", re.I)
_ADOC_HEADING = re.compile(r"^(={1,6}|#{1,6})\s+(\S.*)$")
_ADOC_FENCE = re.compile(r"^(-{4,}|\.{4,}|={4,}|_{4,}|\*{4,}|\+{4,}|--)\s*$")
_ITEM = re.compile(r"^\s*(?:[-+•]|\*{1,5}|\.{1,5}|\(?\d{1,3}[.)]|#\.)\s+")
_GRID = re.compile(r"^\s*\+[-=+]+\+\s*$|^\s*\|[-+]+\|?\s*$|^=+( +=+)+\s*$")


class _Lines:
    """Gathers lines into paragraphs, items and tables."""

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self._paragraph: list[str] = []
        self._rows: list[list[str]] = []

    def text(self, line: str) -> None:
        if _ITEM.match(line):
            self.flush()
        self._paragraph.append(line.strip())

    def row(self, line: str) -> None:
        self._flush_paragraph()
        self._rows.append(line.strip().strip("|").split("|"))

    def heading(self, level: int, text: str) -> None:
        self.flush()
        self.outline.heading(level, text)

    def code(self, lines: list[str]) -> None:
        self.flush()
        self.outline.add("\n".join(lines), "code")

    def flush(self) -> None:
        self._flush_paragraph()
        add_rows(self.outline, self._rows)
        self._rows = []

    def _flush_paragraph(self) -> None:
        text = join_soft(SOFT_BREAK.join(self._paragraph))
        self.outline.add(text, "item" if _ITEM.match(text) else "paragraph")
        self._paragraph = []


def parse_rst(body: bytes, outline: Outline) -> None:
    """Add reStructuredText. The order in which underlines appear gives the heading levels, as in docutils."""
    lines = tidy(charset.decode(body), code=True).split("\n")
    gather = _Lines(outline)
    levels: dict[str, int] = {}
    index = 0
    while index < len(lines):
        line = lines[index].rstrip()
        following = lines[index + 1].rstrip() if index + 1 < len(lines) else ""
        match = _RST_RULE.match(following)
        if match and line.strip() and not _RST_RULE.match(line) and len(following) >= len(line.strip()) - 2:
            gather.heading(levels.setdefault(match.group(1), len(levels) + 1), line)
            index += 1
        elif not line.strip():
            gather.flush()
        elif line.lstrip().startswith("|") or _GRID.match(line):
            if not _GRID.match(line):
                gather.row(line)
        elif not _RST_RULE.match(line):
            gather.text(_rst_line(line))
        index += 1
    gather.flush()


def _rst_line(line: str) -> str:
    return re.sub(r"^\s*\.\.\s+[\w-]+::\s*", "", line)


def parse_org(body: bytes, outline: Outline) -> None:
    """Add an Org file."""
    gather = _Lines(outline)
    block: list[str] | None = None
    for line in tidy(charset.decode(body), code=True).split("\n"):
        edge = _ORG_BLOCK.match(line)
        if edge and edge.group(1).lower() == "begin":
            gather.flush()
            block = []
        elif edge and block is not None:
            gather.code(block)
            block = None
        elif block is not None:
            block.append(line)
        else:
            _org_line(line, gather)
    gather.code(block or [])


def _org_line(line: str, gather: _Lines) -> None:
    heading = _ORG_HEADING.match(line)
    if heading:
        gather.heading(len(heading.group(1)), heading.group(2))
    elif not line.strip():
        gather.flush()
    elif line.lstrip().startswith("|"):
        if not _GRID.match(line):
            gather.row(line)
    elif line.startswith("#+"):
        gather.flush()
        gather.text(line.removeprefix("#+"))
        gather.flush()
    elif not re.match(r"^-{5,}$", line):
        gather.text(line)


def parse_asciidoc(body: bytes, outline: Outline) -> None:
    """Add an AsciiDoc file."""
    gather = _Lines(outline)
    fence = ""
    block: list[str] = []
    for line in tidy(charset.decode(body), code=True).split("\n"):
        edge = _ADOC_FENCE.match(line)
        if fence:
            if edge and edge.group(1) == fence:
                _close(fence, block, gather)
                fence, block = "", []
            else:
                block.append(line)
        elif edge:
            gather.flush()
            fence = edge.group(1)
        else:
            _asciidoc_line(line, gather)
    _close(fence, block, gather)


def _close(fence: str, block: list[str], gather: _Lines) -> None:
    if fence.startswith(("-", ".", "+")) and fence != "--":
        gather.code(block)
        return
    for line in block:
        _asciidoc_line(line, gather)
    gather.flush()


_ASCIIDOC_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], _Lines], None]], ...] = (
    (_ADOC_HEADING, lambda match, gather: gather.heading(len(match.group(1)), match.group(2))),
    (
        re.compile(r"^\|===.*$|^//(?!/).*$|^:[\w!-]+:.*$|^\[[^\]]*\]\s*$|^\s*$|^\+\s*$"),
        lambda _match, gather: gather.flush(),
    ),
    (re.compile(r"^[a-z0-9 .*+^<>]*\|.*$"), lambda match, gather: gather.row(match.group())),
    (re.compile(r"^image::?[^\[]*\[([^,\]]*).*$"), lambda match, gather: gather.text(match.group(1))),
    (re.compile(r"^\.([^\s.].*)$"), lambda match, gather: gather.text(match.group(1))),
)


def _asciidoc_line(line: str, gather: _Lines) -> None:
    for pattern, act in _ASCIIDOC_RULES:
        match = pattern.match(line)
        if match:
            act(match, gather)
            return
    gather.text(line)
