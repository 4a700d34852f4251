"""Where the programs of a place are: beside this Python first, then on the path."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from causeway.cli.errors import StartFailedError


def find_commands(names: Iterable[str]) -> dict[str, str]:
    """The path of each program.

    Raises:
        StartFailedError: one is not installed.
    """
    return {name: _find(name) for name in names}


def _find(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise StartFailedError(
            f"the program {name} is not installed", "Run `make setup`, and use the causeway of .venv/bin."
        )
    return found
