"""PPTX to blocks: a slide is a page, its title a heading; tables, charts, diagrams and speaker notes are kept."""

from causeway.ingestor.parsing import parts, xmltree
from causeway.ingestor.parsing.block import Code, Limits, ParseFailure
from causeway.ingestor.parsing.outline import Outline
from causeway.ingestor.parsing.package import Package
from causeway.ingestor.parsing.tables import add_rows
from causeway.ingestor.parsing.xmltree import Element, attribute, child, children, descendants, local

_TITLES = frozenset({"title", "ctrTitle"})
_UNSPOKEN = frozenset({"sldNum", "dt", "ftr", "hdr", "sldImg"})


def parse(package: Package, outline: Outline, limits: Limits) -> tuple[str, int]:
    """Add all slides in the order of the show. Returns the title in the properties, and the number of slides."""
    main = parts.root_part(package, "ppt/presentation.xml")
    body = package.read(main)
    if not body:
        raise ParseFailure(Code.CORRUPT, "is a PowerPoint file without a presentation part: save it again")
    links = parts.relations(package, main)
    identifiers = [attribute_id(slide) for slide in descendants(xmltree.parse(body), "sldId")]
    slides = [links[identifier][1] for identifier in identifiers if identifier in links]
    if len(slides) > limits.pages_max:
        raise ParseFailure(
            Code.PAGES,
            f"has {len(slides)} slides, the limit is {limits.pages_max}: split it or raise INGESTOR_PAGES_MAX",
        )
    for number, part in enumerate(slides, 1):
        outline.page = number
        _slide(package, part, outline)
    return parts.core_title(package), len(slides)


def attribute_id(slide: Element) -> str:
    """The relation id of a slide: `r:id`, beside which stands a plain `id`."""
    return next((value for key, value in slide.attrib.items() if key.endswith("}id")), "")


def _slide(package: Package, part: str, outline: Outline) -> None:
    root = xmltree.parse(package.read(part))
    outline.leave_headings()
    tree = child(root, "cSld", "spTree")
    title = next((shape for shape in descendants(tree, "sp") if _placeholder(shape) in _TITLES), None)
    if title is not None:
        outline.heading(1, " ".join(_paragraphs(title)))
    _shapes(tree, outline, title)
    for kind, place in parts.relations(package, part).values():
        if kind == "chart":
            _chart(package, place, outline)
        elif kind == "diagramData":
            outline.lines("\n".join(_paragraphs(xmltree.parse(package.read(place)))))
        elif kind == "notesSlide":
            _notes(package, place, outline)


def _shapes(tree: Element | None, outline: Outline, title: Element | None) -> None:
    for shape in tree if tree is not None else ():
        name = local(shape)
        if name == "sp" and shape is not title and _placeholder(shape) not in _UNSPOKEN:
            outline.add("\n".join(_paragraphs(shape)))
        elif name == "graphicFrame":
            for table in descendants(shape, "tbl"):
                _table(table, outline)
        elif name in ("grpSp", "AlternateContent", "Choice"):
            _shapes(shape, outline, title)


def _placeholder(shape: Element) -> str:
    """The role of a shape on its slide; empty for one that is not a placeholder."""
    mark = next(descendants(child(shape, "nvSpPr"), "ph"), None)
    return "" if mark is None else attribute(mark, "type") or "body"


def _paragraphs(element: Element) -> list[str]:
    texts = []
    for paragraph in descendants(element, "p"):
        words = "".join(
            "\n" if local(run) == "br" else run.text or "" for run in paragraph.iter() if local(run) in ("t", "br")
        )
        if words.strip():
            texts.append(words)
    return texts


def _table(table: Element, outline: Outline) -> None:
    rows = [["\n".join(_paragraphs(cell)) for cell in children(row, "tc")] for row in children(table, "tr")]
    properties = child(table, "tblPr")
    first = properties is not None and attribute(properties, "firstRow") == "1"
    add_rows(outline, rows, header=True if first else None)


def _chart(package: Package, place: str, outline: Outline) -> None:
    """A chart as a table: its categories are the first column, each series is one more."""
    root = xmltree.parse(package.read(place))
    for title in descendants(root, "title"):
        outline.add("\n".join(_paragraphs(title)))
    series = list(descendants(root, "ser"))
    if not series:
        return
    categories = _values(child(series[0], "cat"))
    columns = [_values(child(one, "val")) for one in series]
    names = [" ".join(_values(child(one, "tx"))) for one in series]
    height = max(map(len, [categories, *columns]))
    rows = [["", *names]] + [[_at(column, index) for column in [categories, *columns]] for index in range(height)]
    add_rows(outline, rows, header=True)


def _values(element: Element | None) -> list[str]:
    return [value.text or "" for value in descendants(element, "v")]


def _at(column: list[str], index: int) -> str:
    return column[index] if index < len(column) else ""


def _notes(package: Package, place: str, outline: Outline) -> None:
    root = xmltree.parse(package.read(place))
    for shape in descendants(root, "sp"):
        if _placeholder(shape) == "body":
            outline.add("\n".join(_paragraphs(shape)))
