"""Files of JSON objects, one a line, plain or .gz: read, or refused with the line that is none."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from causeway.cli.errors import BadDataError

_MEND = "Mend or drop the line."


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects with the numbers of their lines, from 1; blank lines are left out.

    Raises:
        BadDataError: a line is no JSON object, or the file is not UTF-8 or not the .gz that it is called.
    """
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise BadDataError(f"{path}, line {number}: not JSON ({error})", _MEND) from error
        if not isinstance(row, dict):
            raise BadDataError(f"{path}, line {number}: not a JSON object", _MEND)
        yield number, row


def _lines(path: Path) -> Iterator[str]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            yield from lines
    except UnicodeDecodeError as error:
        raise BadDataError(f"{path} is not UTF-8: {error.reason}", "Write it as UTF-8.") from error
    except (EOFError, OSError, zlib.error) as error:
        raise BadDataError(f"{path} can not be read: {error}", "Restore the file.") from error
