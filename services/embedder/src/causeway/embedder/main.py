"""The `embedder` command."""

import sys

from causeway.embedder.app import build
from causeway.embedder.settings import from_environment
from causeway.runtime import run


def main() -> None:
    """Environment to settings to service."""
    sys.exit(run("embedder", from_environment, build))
