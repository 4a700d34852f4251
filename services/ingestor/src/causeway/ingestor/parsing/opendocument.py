"""ODT, ODP and ODS to blocks: headings by outline level, slides as pages, sheets as headings."""

from causeway.ingestor.parsing import xmltree
from causeway.ingestor.parsing.block import Code, Limits, ParseFailure
from causeway.ingestor.parsing.outline import Outline
from causeway.ingestor.parsing.package import Package
from causeway.ingestor.parsing.tables import add_rows
from causeway.ingestor.parsing.xmltree import Element, attribute, local

_SKIPPED = frozenset({"tracked-changes", "annotation", "sequence-decls", "forms", "scripts", "font-face-decls", "desc"})
_REPEATED_CELLS_MAX = 64


def parse(package: Package, outline: Outline, limits: Limits) -> tuple[str, str]:
    """Add the content of an OpenDocument file. Returns its title and language."""
    manifest = package.read("META-INF/manifest.xml")
    if b"encryption-data" in manifest:
        raise ParseFailure(Code.ENCRYPTED, "is password protected: publish an unprotected copy")
    content = package.read("content.xml")
    if not content:
        raise ParseFailure(Code.CORRUPT, "is an OpenDocument file without content: export it again")
    root = xmltree.parse(content)
    body = xmltree.child(root, "body")
    if body is not None:
        _Walk(outline, limits).container(body)
    meta = package.read("meta.xml")
    head = xmltree.parse(meta) if meta else None
    return _meta(head, "title"), _meta(head, "language")


def _meta(head: Element | None, name: str) -> str:
    return next((xmltree.text_of(found).strip() for found in xmltree.descendants(head, name)), "")


class _Walk:
    def __init__(self, outline: Outline, limits: Limits) -> None:
        self._outline = outline
        self._limits = limits

    def container(self, element: Element) -> None:
        """Add everything inside `element`, in order."""
        for inner in element:
            self._element(inner)

    def _element(self, element: Element) -> None:
        name = local(element)
        if name in _SKIPPED:
            return
        if name == "h":
            self._outline.heading(int(attribute(element, "outline-level") or 1), _words(element))
        elif name == "p":
            self._paragraph(element)
        elif name == "list-item":
            self._item(element)
        elif name == "table":
            self._table(element)
        elif name == "page":
            self._slide(element)
        else:
            self.container(element)

    def _paragraph(self, element: Element) -> None:
        style = attribute(element, "style-name").lower()
        if style in ("title", "p_title"):
            self._outline.heading(1, _words(element))
        else:
            self._outline.add(_words(element))
        for frame in xmltree.descendants(element, "text-box"):
            self.container(frame)

    def _item(self, element: Element) -> None:
        for inner in element:
            if local(inner) == "p":
                self._outline.add(f"- {_words(inner)}" if _words(inner).strip() else "", "item")
            else:
                self._element(inner)

    def _slide(self, element: Element) -> None:
        self._outline.leave_headings()
        self._outline.page += 1
        if self._outline.page > self._limits.pages_max:
            raise ParseFailure(
                Code.PAGES,
                f"has more than {self._limits.pages_max} slides: split it or raise INGESTOR_PAGES_MAX",
            )
        titled = False
        for frame in element:
            if attribute(frame, "class") == "title" and not titled and _words(frame).strip():
                self._outline.heading(1, _words(frame))
                titled = True
            else:
                self._element(frame)

    def _table(self, element: Element) -> None:
        sheet = attribute(element, "name")
        rows = [_cells(row) for row in xmltree.descendants(element, "table-row")]
        if not any(any(cell.strip() for cell in row) for row in rows):
            return
        if sheet and local(element) == "table" and self._outline.page == 0 and _is_sheet(element):
            self._outline.leave_headings()
            self._outline.heading(1, sheet)
        add_rows(self._outline, rows)


def _is_sheet(table: Element) -> bool:
    """A sheet declares typed cells; a table in a text seldom does."""
    return any(attribute(cell, "value-type") == "float" for cell in xmltree.descendants(table, "table-cell"))


def _cells(row: Element) -> list[str]:
    cells: list[str] = []
    for cell in row:
        if local(cell) not in ("table-cell", "covered-table-cell"):
            continue
        repeated = int(attribute(cell, "number-columns-repeated") or 1)
        text = "\n".join(_words(inner) for inner in xmltree.descendants(cell, "p"))
        cells += [text] * (1 if not text else min(repeated, _REPEATED_CELLS_MAX))
    return cells


def _words(element: Element) -> str:
    """The text of a paragraph with its tabs, spaces and line breaks, without notes and boxes that stand in it."""
    parts = [element.text or ""]
    for inner in element:
        name = local(inner)
        if name == "s":
            parts.append(" " * min(int(attribute(inner, "c") or 1), 40))
        elif name == "tab":
            parts.append("\t")
        elif name == "line-break":
            parts.append("\n")
        elif name in ("note", "text-box") or name in _SKIPPED:
            parts.append(f" ({_words(inner).strip()})" if name == "note" else "")
        else:
            parts.append(_words(inner))
        parts.append(inner.tail or "")
    return "".join(parts)
