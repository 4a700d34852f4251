"""Rows of cells to blocks: one row is one block, and carries the table's header as its lead."""

from collections.abc import Iterable

from causeway.ingestor.parsing.outline import Outline, flow

_HEADER_CELL_CHARS_MAX = 60
_LEAD_CHARS_MAX = 200


def add_rows(outline: Outline, rows: Iterable[list[str]], *, header: bool | None = None) -> None:
    """Add a table. `header` says whether the first row is one; None asks the cells themselves."""
    clean = [cells for cells in (_cells(row) for row in rows) if any(cells)]
    if not clean:
        return
    if header is None:
        header = len(clean) > 1 and _looks_like_header(clean[0])
    lead = _joined(clean[0]) if header else ""
    if len(lead) > _LEAD_CHARS_MAX:
        lead = ""
    for number, cells in enumerate(clean):
        outline.add(_joined(cells), "row", lead=lead if number else "")


def _cells(row: list[str]) -> list[str]:
    cells = [flow(cell) for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _joined(cells: list[str]) -> str:
    return " | ".join(cells)


def _looks_like_header(cells: list[str]) -> bool:
    """A header names every column, briefly, and is not made of numbers."""
    named = [cell for cell in cells if cell]
    if len(named) < 2 or len(named) < len(cells) - 1:
        return False
    return all(len(cell) <= _HEADER_CELL_CHARS_MAX and any(map(str.isalpha, cell)) for cell in named)
