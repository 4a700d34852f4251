"""CSV and TSV to rows: the encoding and the delimiter are found, the header is every row's lead."""

import csv
import io

from causeway.ingestor.parsing import charset
from causeway.ingestor.parsing.outline import Outline
from causeway.ingestor.parsing.tables import add_rows

_DELIMITERS = (",", "\t", ";", "|")
_SAMPLE_LINES = 50
_FIELD_CHARS_MAX = 10_000_000


def parse(body: bytes, outline: Outline) -> None:
    """Add the rows of a delimited file; what has no columns is added as text."""
    text = charset.decode(body).lstrip("\ufeff")
    delimiter = delimiter_of(text)
    if not delimiter:
        outline.lines(text)
        return
    csv.field_size_limit(_FIELD_CHARS_MAX)
    plain = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    rows = csv.reader(io.StringIO(plain), delimiter=delimiter)
    add_rows(outline, list(rows))


def delimiter_of(text: str) -> str:
    """The delimiter that cuts most lines into the same number of columns; empty where none does."""
    lines = text.splitlines()[:_SAMPLE_LINES]
    best, best_score = "", 0.0
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        if not widths:
            continue
        width = max(set(widths), key=widths.count)
        score = widths.count(width) / len(widths) * min(width, 20) if width > 1 else 0.0
        if score > best_score:
            best, best_score = delimiter, score
    return best
