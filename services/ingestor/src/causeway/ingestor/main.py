"""The `ingestor` command."""

import sys

from causeway.ingestor.app import build
from causeway.ingestor.settings import from_environment
from causeway.runtime import run


def main() -> None:
    """Environment to settings to service."""
    sys.exit(run("ingestor", from_environment, build))


if __name__ == "__main__":
    main()
