"""Markdown to blocks through a CommonMark parser: headings, paragraphs, items, tables and code, without the marks."""

import re
from collections.abc import Sequence
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

from causeway.ingestor.parsing import charset, html
from causeway.ingestor.parsing.block import Kind
from causeway.ingestor.parsing.outline import SOFT_BREAK, Outline, join_soft
from causeway.ingestor.parsing.tables import add_rows

_FRONT_MATTER = re.compile(r"\A\ufeff?---\s*\n(.*?)\n---\s*\n", re.S)
_LOCAL_PICTURE = re.compile(r"^(?![a-z]+:)\S+$", re.I)
_commonmark = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def parse(body: bytes, outline: Outline) -> None:
    """Add the blocks of a Markdown file."""
    add_markdown(charset.decode(body), outline)


def add_markdown(text: str, outline: Outline) -> None:
    """Add the blocks of Markdown text. Front matter is kept as a paragraph: it often holds the title and date."""
    match = _FRONT_MATTER.match(text)
    if match:
        outline.add(match.group(1))
        text = text[match.end() :]
    _Walk(outline).run(_commonmark.parse(text))


class _Walk:
    """One pass over the token stream."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._level = 0
        self._rows: list[list[str]] | None = None
        self._item_starts = False

    def run(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            self._token(token)

    def _token(self, token: Token) -> None:
        kind = token.type
        if kind == "heading_open":
            self._level = int(token.tag[1:])
        elif kind == "inline":
            self._inline(_plain(token.children or []))
        elif kind in ("fence", "code_block"):
            self._outline.add(token.content, "code")
        elif kind == "html_block":
            html.add_html(token.content, self._outline)
        elif kind == "list_item_open":
            self._item_starts = True
        else:
            self._table(kind)

    def _table(self, kind: str) -> None:
        if kind == "table_open":
            self._rows = []
        elif kind == "tr_open" and self._rows is not None:
            self._rows.append([])
        elif kind == "table_close" and self._rows is not None:
            add_rows(self._outline, self._rows, header=True)
            self._rows = None

    def _inline(self, text: str) -> None:
        if self._rows is not None:
            self._rows[-1].append(text)
        elif self._level:
            self._outline.heading(self._level, text)
            self._level = 0
        else:
            kind: Kind = "item" if self._item_starts else "paragraph"
            self._outline.add(f"- {text}" if self._item_starts else text, kind)
            self._item_starts = False


def _plain(tokens: Sequence[Token]) -> str:
    """The words of inline tokens. A picture gives its description and, if it lies beside the file, its name."""
    parts: list[str] = []
    for token in tokens:
        if token.type == "softbreak":
            parts.append(SOFT_BREAK)
        elif token.type == "hardbreak":
            parts.append("\n")
        elif token.type == "image":
            source = str(token.attrs.get("src", ""))
            name = f" ({unquote(source)})" if _LOCAL_PICTURE.match(source) else ""
            parts.append(f"{token.content}{name}")
        elif token.type == "html_inline":
            parts.append("\n" if token.content.startswith("<br") else "")
        else:
            parts.append(token.content)
    return join_soft("".join(parts))
