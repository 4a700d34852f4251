"""The `sync-delta` command."""

import sys

from causeway.runtime import run
from causeway.sync_delta.app import build
from causeway.sync_delta.settings import from_environment


def main() -> None:
    """Environment to settings to service."""
    sys.exit(run("sync-delta", from_environment, build))
