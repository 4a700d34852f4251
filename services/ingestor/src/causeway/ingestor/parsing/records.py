"""JSON, JSON lines and Jupyter notebooks to blocks: keys become headings near the top and labels further down."""

import json
from typing import Any

from causeway.ingestor.parsing import charset, markdown
from causeway.ingestor.parsing.block import Code, ParseFailure
from causeway.ingestor.parsing.outline import Outline

_HEADING_LEVELS = 2
_NESTING_MAX = 200


def parse(body: bytes, outline: Outline) -> None:
    """Add a JSON value: one paragraph for each innermost object."""
    _add(_load(charset.decode(body)), outline, 1, "")


def parse_lines(body: bytes, outline: Outline) -> None:
    """Add one record for each line."""
    for line in charset.decode(body).splitlines():
        if line.strip():
            _add(_load(line), outline, _HEADING_LEVELS + 1, "")


def parse_notebook(body: bytes, outline: Outline) -> None:
    """Add the cells of a notebook, outputs in text form too."""
    notebook = _load(charset.decode(body))
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        _add(notebook, outline, 1, "")
        return
    for cell in cells:
        if isinstance(cell, dict):
            _cell(cell, outline)


def _cell(cell: dict[str, Any], outline: Outline) -> None:
    source = _joined(cell.get("source"))
    if cell.get("cell_type") == "markdown":
        markdown.add_markdown(source, outline)
        return
    outline.add(source, "code")
    for output in cell.get("outputs") or []:
        if isinstance(output, dict):
            data = output.get("data")
            outline.add(_joined(output.get("text") or (data or {}).get("text/plain")), "code")


def _joined(value: object) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _load(text: str) -> Any:
    try:
        return json.loads(text.lstrip("\ufeff"))
    except ValueError as error:
        raise ParseFailure(Code.CORRUPT, f"is not well-formed JSON ({error}): export it again") from error
    except RecursionError as error:
        raise ParseFailure(Code.CORRUPT, "is JSON nested too deeply to read: flatten it") from error


def _add(value: Any, outline: Outline, level: int, label: str) -> None:
    if level > _NESTING_MAX:
        raise ParseFailure(Code.CORRUPT, "is JSON nested too deeply to read: flatten it")
    if isinstance(value, dict):
        _add_object(value, outline, level)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for item in value:
            _add(item, outline, max(level, _HEADING_LEVELS + 1), label)
    else:
        outline.add(_line(label, value))


def _add_object(value: dict[str, Any], outline: Outline, level: int) -> None:
    flat: list[str] = []
    _flatten(value, "", flat, level <= _HEADING_LEVELS, 0)
    outline.add("\n".join(flat))
    if level > _HEADING_LEVELS:
        return
    for key, inner in value.items():
        if _deep(inner):
            outline.heading(level, str(key))
            _add(inner, outline, level + 1, str(key))


def _deep(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict | list) for item in value))


def _flatten(value: dict[str, Any], prefix: str, lines: list[str], shallow: bool, depth: int) -> None:
    if depth > _NESTING_MAX:
        raise ParseFailure(Code.CORRUPT, "is JSON nested too deeply to read: flatten it")
    for key, inner in value.items():
        name = f"{prefix}{key}"
        if not _deep(inner):
            lines.append(_line(name, inner))
        elif not shallow and isinstance(inner, dict):
            _flatten(inner, f"{name}.", lines, shallow, depth + 1)
        elif not shallow:
            for number, item in enumerate(inner, 1):
                item_name = f"{name}.{number}"
                wrapped = item if isinstance(item, dict) else {"": item}
                _flatten(wrapped, f"{item_name}.", lines, shallow, depth + 1)


def _line(label: str, value: object) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    words = "" if value is None else str(value)
    return f"{label.rstrip('.')}: {words}" if label and words else words
