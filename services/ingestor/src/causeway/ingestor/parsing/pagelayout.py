"""Lines on pages to paragraphs and headings: which line goes on in the next, which is a title, which is furniture."""

import itertools
import re
import statistics
from collections import Counter
from dataclasses import dataclass

from causeway.ingestor.parsing.outline import HEADING_CHARS_MAX, SOFT_BREAK, Outline, flow, join_soft

_HEADING_RATIO = 1.15
_HEADING_SHARE_MAX = 0.3
_PARAGRAPH_PITCH = 1.35
_FURNITURE_LINES = 2
_FURNITURE_PAGES_MIN = 3
_FURNITURE_SHARE = 0.5
_PAGE_NUMBER = re.compile(
    r"^\W*(?:page|第)?\s*(?:\d{1,5}|[ivxlc]{1,6})\s*(?:(?:of|/|／|共|页，共)\s*\d{1,5})?\s*页?\W*$", re.I
)
_ITEM = re.compile(
    r"^\s*(?:[•●○■□◆▪‣·–—*-]\s|\(?(?:\d{1,3}|[a-z]|[ivx]{1,4})[.)]\s|[（(]?[一二三四五六七八九十]{1,3}[、）)])"
)
_ENDS = re.compile(r"[.!?:;。！？：；…”』」）)]$")
_FIGURES = re.compile(
    r"(?:^|\s)[($¥€-]*\d[\d.,]*[%)]*(?:\s+(?:[($¥€-]*\d[\d.,]*[%)]*|[$—–-]))+$|\s[—–-]\s+[($]*\d[\d.,]*[%)]*$"
)
_TERMINAL = ("。", ".", "，", ",", "；", ";", "、")
_HYPHENS = "\x02\ufffe\u00ad"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of text, its font size and its place in points from the bottom left; all 0 where nothing is known."""

    text: str
    page: int
    size: float = 0.0
    left: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    top: float = 0.0


def add_pages(pages: list[list[Line]], marks: list[tuple[int, int, str]], outline: Outline) -> None:
    """Add the paragraphs of all pages. `marks` are bookmarks: (page, level, title)."""
    lines = [line for page in without_furniture(pages) for line in page]
    levels = _heading_levels(lines, marks)
    pitch = _pitches(lines)
    widths = _right_edges(lines)
    group: list[tuple[Line, str]] = []
    for index, line in enumerate(lines):
        previous = lines[index - 1] if index else None
        goes_on = previous is not None and _goes_on(previous, line, levels.get(index - 1), levels.get(index), pitch)
        if not goes_on:
            _emit(group, levels.get(index - 1), outline)
            group = []
        glue = _glue(previous, line, widths[index - 1]) if previous is not None and group else ""
        group.append((line, glue))
    _emit(group, levels.get(len(lines) - 1), outline)


def without_furniture(pages: list[list[Line]]) -> list[list[Line]]:
    """Pages without page numbers, and with running heads and feet only where they first appear."""
    edges: Counter[str] = Counter()
    for page in pages:
        edges.update({_shape(line) for line in _edge_lines(page)})
    needed = max(_FURNITURE_PAGES_MIN, _FURNITURE_SHARE * sum(1 for page in pages if page))
    repeated = {shape for shape, count in edges.items() if count >= needed}
    seen: set[str] = set()
    kept: list[list[Line]] = []
    for page in pages:
        edge = {id(line) for line in _edge_lines(page)}
        rest: list[Line] = []
        for line in page:
            shape = _shape(line)
            known = shape in seen
            seen |= {shape} & repeated
            if id(line) in edge and (_PAGE_NUMBER.match(line.text) or (shape in repeated and known)):
                continue
            rest.append(line)
        kept.append(rest)
    return kept


def _edge_lines(page: list[Line]) -> list[Line]:
    """The topmost and bottommost lines, by place where it is known and else by order."""
    ordered = sorted(page, key=lambda line: -line.top) if any(line.top for line in page) else page
    return ordered[:_FURNITURE_LINES] + ordered[max(_FURNITURE_LINES, len(ordered) - _FURNITURE_LINES) :]


def _shape(line: Line) -> str:
    return re.sub(r"\d+", "0", flow(line.text).casefold())


def _heading_levels(lines: list[Line], marks: list[tuple[int, int, str]]) -> dict[int, int]:
    """Index of a line -> heading level: bookmarks say it best, else the size of the letters does."""
    levels = _marked(lines, marks)
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[line.size] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    if not body:
        return levels
    large = {
        index: line.size
        for index, line in enumerate(lines)
        if line.size >= body * _HEADING_RATIO and _may_be_heading(line.text)
    }
    if len(large) > max(3, _HEADING_SHARE_MAX * len(lines)):
        return levels
    ranks = {size: rank for rank, size in enumerate(sorted(set(large.values()), reverse=True), 1)}
    if marks:
        return levels | {
            index: ranks[size] for index, size in large.items() if index not in levels and size > body * 1.6
        }
    return levels | {index: min(ranks[size], 6) for index, size in large.items()}


def _marked(lines: list[Line], marks: list[tuple[int, int, str]]) -> dict[int, int]:
    wanted = {(page, _key(title)): level for page, level, title in marks if _key(title)}
    levels: dict[int, int] = {}
    for index, line in enumerate(lines):
        level = wanted.pop((line.page, _key(line.text)), 0)
        if level:
            levels[index] = level
    return levels


def _key(title: str) -> str:
    """A title without its number, spaces and marks: bookmarks and pages differ in them."""
    return re.sub(r"^\d+", "", "".join(character for character in title.casefold() if character.isalnum()))


def _may_be_heading(text: str) -> bool:
    letters = sum(character.isalpha() for character in text)
    return letters >= 2 and letters * 3 >= len(text) and len(text) <= HEADING_CHARS_MAX and not text.endswith(_TERMINAL)


def _pitches(lines: list[Line]) -> dict[float, float]:
    """Font size -> the usual distance between the lines of a paragraph."""
    found: dict[float, list[float]] = {}
    for above, below in itertools.pairwise(lines):
        step = above.bottom - below.bottom
        if above.page == below.page and above.size == below.size and 0 < step < 3 * max(1.0, above.size):
            found.setdefault(above.size, []).append(step)
    return {size: statistics.median(steps) for size, steps in found.items()}


def _right_edges(lines: list[Line]) -> list[float]:
    """For each line, how far right the lines near it reach that begin about where it begins: its column's edge."""
    edges: list[float] = []
    for index, line in enumerate(lines):
        near = lines[max(0, index - 8) : index + 9]
        edges.append(
            max(
                other.right
                for other in near
                if other.page == line.page and abs(other.left - line.left) <= 4 * max(1.0, line.size)
            )
        )
    return edges


def _goes_on(
    above: Line, below: Line, level_above: int | None, level_below: int | None, pitch: dict[float, float]
) -> bool:
    """Whether `below` belongs to the paragraph (or heading) of `above`."""
    if level_above or level_below:
        return level_above == level_below and above.page == below.page and _close(above, below, pitch)
    if above.size and below.size and abs(above.size - below.size) > 0.12 * max(above.size, below.size):
        return False
    if not above.top or not below.top:
        return above.page == below.page and not _ITEM.match(below.text)
    if above.page != below.page or below.bottom > above.bottom + above.size:
        # A new page or column: the paragraph goes on only if its sentence does.
        return not _ENDS.search(above.text) and not _ITEM.match(below.text) and _continues(below.text)
    return _close(above, below, pitch) and not _ITEM.match(below.text) and not _indented(above, below)


def _close(above: Line, below: Line, pitch: dict[float, float]) -> bool:
    usual = pitch.get(above.size, 1.2 * above.size)
    return above.bottom - below.bottom <= max(_PARAGRAPH_PITCH * usual, 1.1 * above.size)


def _indented(above: Line, below: Line) -> bool:
    step = below.left - above.left
    return 1.5 * below.size <= step <= 4 * below.size and bool(_ENDS.search(above.text))


def _continues(text: str) -> bool:
    first = text[:1]
    return first.islower() or "\u3400" <= first <= "\u9fff"


def _glue(above: Line, below: Line, edge: float) -> str:
    """What stands between two lines of a paragraph: nothing but layout, if the next word would not have fitted."""
    if above.page != below.page or not above.top:
        return SOFT_BREAK
    word = below.text[:1] if below.text[:1] >= "\u2e80" else below.text.split(maxsplit=1)[0]
    width = sum(1.0 if character >= "\u2e80" else 0.5 for character in word) * max(1.0, below.size)
    if _is_figures(above.text):
        return "\n"
    if abs(above.right - below.right) < 1.2 * above.size and abs(above.left - below.left) < 3 * above.size:
        # Two lines that end at the same place are justified: the text flows on.
        return SOFT_BREAK
    room = edge - above.right
    return "\n" if room > width + 0.6 * above.size else SOFT_BREAK


def _is_figures(text: str) -> bool:
    """A table row: it ends in two numbers."""
    return _FIGURES.search(text) is not None


def _emit(group: list[tuple[Line, str]], level: int | None, outline: Outline) -> None:
    if not group:
        return
    text = ""
    for line, glue in group:
        hyphenated = bool(text) and glue == SOFT_BREAK and text[-1] in _HYPHENS
        text = text[:-1] + line.text if hyphenated else text + glue + line.text
    text = join_soft(text)
    outline.page = group[0][0].page
    if level:
        outline.heading(level, text.replace("\n", " "))
    else:
        outline.add(text, "item" if _ITEM.match(text) else "paragraph", page_last=group[-1][0].page)
