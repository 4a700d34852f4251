"""Numbers that may hold numbers, as a table for a person."""

from collections.abc import Iterator, Mapping

from rich.table import Table


def numbers_table(numbers: Mapping[str, object]) -> Table:
    """One row for each number; what is inside of another has its name before it."""
    table = Table(show_header=False)
    for name, text in _rows(numbers, ""):
        table.add_row(name, text)
    return table


def _rows(numbers: Mapping[str, object], before: str) -> Iterator[tuple[str, str]]:
    for name, value in numbers.items():
        if isinstance(value, Mapping):
            yield from _rows(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", _text(value)


def _text(value: object) -> str:
    if isinstance(value, list):
        return " to ".join(map(_text, value))
    return f"{value:.3f}" if isinstance(value, float) else str(value)
