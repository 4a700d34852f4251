"""`python -m causeway.models {locate,ensure,fetch} ROLE`: prints where the model of a role lies."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from causeway.models.errors import ModelError
from causeway.models.settings import ModelSettings
from causeway.models.store import ModelStore


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 when the model is there, 1 with the mend on standard error when it is not."""
    parsed = _parser().parse_args(arguments)
    try:
        path = _path_of(ModelStore.from_settings(ModelSettings.from_environment(), _show), parsed.command, parsed.role)
    except ModelError as error:
        _show(f"causeway.models: {error}")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


def _path_of(store: ModelStore, command: str, role: str) -> Path:
    if command == "locate":
        return store.locate(role)
    return store.fetch(role) if command == "fetch" else store.ensure(role)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m causeway.models", description="Install and find models by role.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, meaning in (
        ("locate", "say where an installed model lies"),
        ("ensure", "install it out of what this machine has, without the network"),
        ("fetch", "install it, over the network where needed"),
    ):
        command = commands.add_parser(name, help=meaning)
        command.add_argument(
            "role", help="embedding, generator, generator-large, hf-generator, or a role of your registry file"
        )
    return parser


def _show(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
