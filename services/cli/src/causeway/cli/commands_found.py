"""Where the programs of a site are: beside this Python first, then on the path."""

import shutil
import sys
from pathlib import Path

from causeway.cli.errors import StartFailedError
from causeway.cli.site_config import SERVICES


def find_commands() -> dict[str, str]:
    """The path of nats-server and of each service.

    Raises:
        StartFailedError: one is not installed.
    """
    return {name: _find(name) for name in ("nats-server", *SERVICES)}


def _find(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise StartFailedError(
            f"the program {name} is not installed", "Run `make setup`, and use the causeway of .venv/bin."
        )
    return found
