"""The `edge-inference` command: run the service, make a key, rotate keys."""

import argparse
import os
import sys
from pathlib import Path

from causeway.edge_inference.app import build, key_of
from causeway.edge_inference.errors import VaultError
from causeway.edge_inference.keys import KEY_BYTES, read_key_file, write_key_file
from causeway.edge_inference.rotation import rotate_data_key, rotate_kek
from causeway.edge_inference.settings import from_environment, take_from_environment
from causeway.runtime import BadSettingError, run
from causeway.runtime.process import EXIT_REFUSED


def main(argv: list[str] | None = None) -> None:
    """Arguments and environment to what is asked for."""
    arguments = _parser().parse_args(argv)
    if arguments.command is None:
        sys.exit(run("edge-inference", take_from_environment, build))
    try:
        arguments.act(arguments)
    except (VaultError, BadSettingError) as error:
        sys.exit(_refused(str(error)))
    except FileExistsError:
        sys.exit(_refused(f"{arguments.path} exists: name a file that does not, a key is never overwritten"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-inference", description="Answers from a site's vault. Without a command: run."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    create = commands.add_parser("create-key", help="write a new key of 32 random bytes to a new file of mode 0600")
    create.add_argument("path", type=Path, metavar="PATH")
    create.set_defaults(act=_create_key)
    rotate = commands.add_parser(
        "rotate-key",
        help="change keys of the vault at EDGE_INFERENCE_VAULT_DIR while the service is stopped",
        description="With --new-key-file the data keys are wrapped by another key (milliseconds). With --data a new"
        " data key seals what is written next; the service seals the rest again by the side, --now does that here.",
    )
    what = rotate.add_mutually_exclusive_group(required=True)
    what.add_argument("--new-key-file", type=Path, metavar="PATH", help="the new key; see create-key")
    what.add_argument("--data", action="store_true", help="add a new data key")
    rotate.add_argument("--now", action="store_true", help="with --data: seal all records again before returning")
    rotate.set_defaults(act=_rotate_key)
    return parser


def _create_key(arguments: argparse.Namespace) -> None:
    write_key_file(arguments.path, os.urandom(KEY_BYTES))
    print(f"wrote {arguments.path}: keep a copy where the vault is not")


def _rotate_key(arguments: argparse.Namespace) -> None:
    settings = from_environment()
    if arguments.new_key_file is not None:
        rotate_kek(settings.vault_dir, key_of(settings), read_key_file(arguments.new_key_file))
        print(f"done: start with EDGE_INFERENCE_VAULT_KEY_FILE={arguments.new_key_file}, then destroy the old key")
        return
    rotate_data_key(settings.vault_dir, key_of(settings), now=arguments.now, progress=_progress)
    rest = "all records are sealed with it" if arguments.now else "the service seals the older records again as it runs"
    print(f"done: there is a new data key; {rest}")


def _progress(row: int, last_row: int) -> None:
    sys.stderr.write(f"\r{min(100, 100 * row // max(1, last_row))}%")


def _refused(text: str) -> int:
    sys.stderr.write(f"edge-inference: {text}\n")
    return EXIT_REFUSED
