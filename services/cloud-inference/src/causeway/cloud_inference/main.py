"""The `cloud-inference` command."""

import sys

from causeway.cloud_inference.app import build
from causeway.cloud_inference.settings import from_environment
from causeway.runtime import run


def main() -> None:
    """Environment to settings to service."""
    sys.exit(run("cloud-inference", from_environment, build))
