"""HTML to blocks in one pass over its tags. Menus, asides and page footers are left out if enough text remains."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from causeway.ingestor.parsing import charset
from causeway.ingestor.parsing.block import Kind, Limits
from causeway.ingestor.parsing.outline import Outline, flow
from causeway.ingestor.parsing.tables import add_rows

Attributes = list[tuple[str, str | None]]
_SKIPPED = frozenset(
    {"script", "style", "template", "svg", "math-annotation", "object", "iframe", "datalist", "annotation"}
)
_BLOCKS = frozenset(
    [
        "p",
        "div",
        "section",
        "article",
        "header",
        "main",
        "figure",
        "figcaption",
        "blockquote",
        "ul",
        "ol",
        "dl",
        "form",
        "fieldset",
        "address",
        "hr",
        "details",
        "summary",
        "center",
        "body",
        "html",
        "head",
        "nav",
        "aside",
        "footer",
        "legend",
        "caption",
        "option",
    ]
)
_ITEMS = frozenset({"li", "dt", "dd"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_FURNITURE = frozenset({"nav", "aside", "footer"})
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_MAIN_TEXT_CHARS_MIN = 200


def parse(body: bytes, outline: Outline) -> tuple[str, str]:
    """Add the blocks of an HTML page. Returns its title and language, empty where it names none."""
    return add_html(charset.decode(body, markup=True), outline)


def add_html(text: str, outline: Outline) -> tuple[str, str]:
    """Add the blocks of HTML text. Returns its title and language."""
    page = _Page()
    page.feed(text)
    page.close()
    page.flush()
    kept = [piece for piece in page.pieces if not piece.furniture]
    if sum(len(piece.text) for piece in kept) < _MAIN_TEXT_CHARS_MIN:
        kept = page.pieces
    for piece in kept:
        piece.into(outline)
    return page.title, page.language


def text_of(markup: str) -> str:
    """The words of an HTML fragment."""
    outline = Outline(Limits())
    add_html(markup, outline)
    return "\n".join(block.text for block in outline.blocks)


@dataclass
class _Piece:
    text: str
    kind: Kind | int
    rows: list[list[str]] = field(default_factory=list)
    header: bool | None = None
    furniture: bool = False

    def into(self, outline: Outline) -> None:
        if self.rows:
            add_rows(outline, self.rows, header=self.header)
        elif isinstance(self.kind, int):
            outline.heading(self.kind, self.text)
        else:
            outline.add(self.text, self.kind)


@dataclass
class _Table:
    """A table being read. It turns out to be mere layout when a heading or another table stands in a cell."""

    rows: list[list[str]] = field(default_factory=list)
    cell: list[str] | None = None
    header: bool | None = None
    layout: bool = False


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[_Piece] = []
        self.title = ""
        self.language = ""
        self._text: list[str] = []
        self._kind: Kind | int = "paragraph"
        self._skipping: list[str] = []
        self._furniture = 0
        self._pre = 0
        self._in_title = False
        self._tables: list[_Table] = []

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if self._skipping:
            if tag == self._skipping[-1]:
                self._skipping.append(tag)
            return
        if tag in _SKIPPED:
            self._skipping.append(tag)
        elif tag == "html":
            self.language = dict(attrs).get("lang") or ""
        elif tag == "title":
            self._in_title = True
        elif tag in ("br", "img"):
            self._mark(tag, attrs)
        else:
            self._open(tag)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        if tag in _VOID:
            self.handle_starttag(tag, attrs)
        elif tag not in _SKIPPED:
            self.handle_starttag(tag, attrs)
            self.handle_endtag(tag)

    def _mark(self, tag: str, attrs: Attributes) -> None:
        if tag == "br":
            self._write("\n")
        else:
            self._write(dict(attrs).get("alt") or "")

    def _open(self, tag: str) -> None:
        self._furniture += tag in _FURNITURE
        if tag in _HEADINGS:
            self._layout()
            self._begin(_HEADINGS[tag])
        elif tag in _ITEMS:
            self._begin("item")
        elif tag == "pre":
            self._begin("code")
            self._pre += 1
        elif tag in _BLOCKS:
            self._begin(self._kind if self._kind == "item" and not self._text else "paragraph")
        else:
            self._open_table(tag)

    def _open_table(self, tag: str) -> None:
        if tag == "table":
            self._layout()
            self.flush()
            self._tables.append(_Table())
        elif tag == "tr" and self._table:
            self._end_cell()
            self._table.rows.append([])
        elif tag in ("td", "th"):
            self._begin_cell(tag)

    def _begin_cell(self, tag: str) -> None:
        table = self._table
        if table is None or table.layout:
            self._begin("paragraph")
            return
        self._end_cell()
        if not table.rows:
            table.rows.append([])
        if tag == "th" and len(table.rows) == 1:
            table.header = True
        table.cell = []

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            if tag == self._skipping[-1]:
                self._skipping.pop()
            return
        if tag == "title":
            self._in_title = False
        elif tag in _HEADINGS or tag in _ITEMS or tag in _BLOCKS or tag == "pre":
            self._begin("paragraph")
            self._pre -= tag == "pre" and self._pre > 0
        elif tag in ("td", "th"):
            self._end_cell()
        elif tag == "table" and self._tables:
            self._end_table()
        self._furniture -= tag in _FURNITURE and self._furniture > 0

    def handle_data(self, data: str) -> None:
        if self._skipping:
            return
        if self._in_title:
            self.title = flow(self.title + data)
        else:
            self._write(data if self._pre else data.replace("\r", " ").replace("\n", " "))

    def _write(self, text: str) -> None:
        table = self._table
        if table is not None and table.cell is not None:
            table.cell.append(text)
        else:
            self._text.append(text)

    @property
    def _table(self) -> _Table | None:
        return self._tables[-1] if self._tables else None

    def _begin(self, kind: Kind | int) -> None:
        table = self._table
        if table is not None and table.cell is not None:
            table.cell.append(" ")
        else:
            self.flush()
            self._kind = kind

    def flush(self) -> None:
        """End the block that is being read."""
        text = "".join(self._text)
        self._text = []
        if text.strip():
            mark = "- " if self._kind == "item" else ""
            self.pieces.append(_Piece(mark + text.strip("\n"), self._kind, furniture=self._furniture > 0))
        self._kind = "paragraph"

    def _end_cell(self) -> None:
        table = self._table
        if table is not None and table.cell is not None:
            table.rows[-1].append("".join(table.cell))
            table.cell = None

    def _end_table(self) -> None:
        self._end_cell()
        self.flush()
        table = self._tables.pop()
        self._keep(table)

    def _layout(self) -> None:
        """What was read of the innermost table was no table: its cells become paragraphs, in order."""
        table = self._table
        if table is None or table.cell is None:
            return
        self._end_cell()
        for row in table.rows:
            for cell in row:
                if cell.strip():
                    self.pieces.append(_Piece(cell, "paragraph", furniture=self._furniture > 0))
        table.rows, table.layout = [], True

    def _keep(self, table: _Table) -> None:
        rows = [row for row in table.rows if any(cell.strip() for cell in row)]
        if rows:
            self.pieces.append(_Piece("x", "row", rows=rows, header=table.header, furniture=self._furniture > 0))
