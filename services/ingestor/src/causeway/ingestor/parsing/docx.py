"""DOCX to blocks: headings by style, tables by row, equations where they stand, notes and comments last."""

from causeway.ingestor.parsing import parts, xmltree
from causeway.ingestor.parsing.block import Code, ParseFailure
from causeway.ingestor.parsing.outline import Outline
from causeway.ingestor.parsing.package import Package
from causeway.ingestor.parsing.tables import add_rows
from causeway.ingestor.parsing.xmltree import Element, attribute, child, children, descendants, has, local

_SKIPPED = frozenset({"del", "moveFrom", "instrText", "delText", "rt", "pPr", "rPr", "sectPr", "tblPr", "Fallback"})
_TEXT = frozenset({"t"})
_SPACES = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}
_NOTES = (("footnotes", "footnote"), ("endnotes", "endnote"), ("comments", "comment"))
_HEADING_LEVEL_MAX = 9


def parse(package: Package, outline: Outline) -> str:
    """Add the body of a DOCX file. Returns the title in its properties."""
    main = parts.root_part(package, "word/document.xml")
    body = package.read(main)
    if not body:
        raise ParseFailure(Code.CORRUPT, "is a Word file without a document part: save it again")
    root = xmltree.parse(body)
    styles = next(iter(parts.related(package, main, "styles")), "word/styles.xml")
    walk = _Walk(outline, _levels(package.read(styles)), paged=has(root, "lastRenderedPageBreak"))
    walk.container(child(root, "body"))
    outline.page = 0
    for kind, name in _NOTES:
        for part in parts.related(package, main, kind):
            for note in descendants(xmltree.parse(package.read(part)), name):
                if attribute(note, "type") not in ("separator", "continuationSeparator", "continuationNotice"):
                    walk.container(note)
    return parts.core_title(package)


def _levels(styles: bytes) -> dict[str, int]:
    """Style id -> heading level, followed through `basedOn`. The names are English in every edition of Word."""
    if not styles:
        return {}
    found = {attribute(style, "styleId"): style for style in descendants(xmltree.parse(styles), "style")}
    return {name: level for name in found if (level := _style_level(name, found))}


def _style_level(name: str, styles: dict[str, Element]) -> int:
    seen: set[str] = set()
    while name in styles and name not in seen:
        seen.add(name)
        style = styles[name]
        title = attribute_of(style, "name").lower()
        if title == "title":
            return 1
        if title.startswith("heading ") and title[8:].isdigit():
            return int(title[8:])
        outline_level = attribute_of(child(style, "pPr"), "outlineLvl")
        if outline_level.isdigit() and int(outline_level) < _HEADING_LEVEL_MAX:
            return int(outline_level) + 1
        name = attribute_of(style, "basedOn")
    return 0


def attribute_of(element: Element | None, name: str) -> str:
    """The `val` of a child, such as `<w:name w:val="heading 1"/>`."""
    found = child(element, name)
    return "" if found is None else attribute(found, "val")


class _Walk:
    """One pass over a body. Pages are counted only where Word has noted its page breaks."""

    def __init__(self, outline: Outline, levels: dict[str, int], *, paged: bool) -> None:
        self._outline = outline
        self._levels = levels
        self._boxes: list[Element] = []
        self._outline.page = 1 if paged else 0

    def container(self, element: Element | None) -> None:
        """Add everything inside `element`, in order."""
        for inner in element if element is not None else ():
            name = local(inner)
            if name == "p":
                self._paragraph(inner)
            elif name == "tbl":
                self._table(inner)
            elif name not in _SKIPPED:
                self.container(inner)

    def _paragraph(self, element: Element) -> None:
        text = self._words(element)
        level = self._level(element)
        listed = child(element, "pPr", "numPr") is not None
        if level and text.strip():
            self._outline.heading(level, text)
        elif listed and text.strip():
            self._outline.add(f"- {text}", "item")
        else:
            self._outline.add(text)
        boxes, self._boxes = self._boxes, []
        for box in boxes:
            self.container(box)

    def _level(self, element: Element) -> int:
        properties = child(element, "pPr")
        own = attribute_of(properties, "outlineLvl")
        if own.isdigit():
            return int(own) + 1 if int(own) < _HEADING_LEVEL_MAX else 0
        return self._levels.get(attribute_of(properties, "pStyle"), 0)

    def _words(self, element: Element) -> str:
        out: list[str] = []
        self._collect(element, out)
        return "".join(out)

    def _collect(self, element: Element, out: list[str]) -> None:
        for inner in element:
            name = local(inner)
            if name in _TEXT:
                out.append(inner.text or "")
            elif name in _SPACES:
                out.append(_SPACES[name] if attribute(inner, "type") != "page" else "")
            elif name == "lastRenderedPageBreak":
                self._outline.page += 1
            elif name == "txbxContent":
                self._boxes.append(inner)
            elif name == "oMathPara":
                out.append("\n")
                self._collect(inner, out)
            elif name == "AlternateContent":
                self._alternate(inner, out)
            elif name not in _SKIPPED:
                self._collect(inner, out)

    def _alternate(self, element: Element, out: list[str]) -> None:
        """The choice of a newer Word, or its fallback where the choice holds no words."""
        choice = child(element, "Choice")
        fallback = child(element, "Fallback")
        taken = choice if choice is not None and has(choice, "t") else fallback
        if taken is not None:
            self._collect(taken, out)

    def _table(self, element: Element) -> None:
        rows = [[self._cell(cell) for cell in _cells(row)] for row in _rows(element)]
        if all(len(row) <= 1 for row in rows):
            for cell in (cell for row in _rows(element) for cell in _cells(row)):
                self.container(cell)
            return
        header = any(child(row, "trPr", "tblHeader") is not None for row in list(_rows(element))[:1])
        add_rows(self._outline, rows, header=header or None)

    def _cell(self, cell: Element) -> str:
        """The words of a cell, those of tables and boxes in it too."""
        lines = [self._words(paragraph) for paragraph in descendants(cell, "p")]
        self._boxes = []
        return "\n".join(line for line in lines if line.strip())


def _rows(table: Element) -> list[Element]:
    rows = list(children(table, "tr"))
    for wrapper in children(table, "sdt"):
        rows += list(children(child(wrapper, "sdtContent"), "tr"))
    return rows


def _cells(row: Element) -> list[Element]:
    cells: list[Element] = []
    for inner in row:
        if local(inner) == "tc":
            cells.append(inner)
        elif local(inner) == "sdt":
            cells += list(children(child(inner, "sdtContent"), "tc"))
    return cells
