"""The `causeway` command: its subcommands, and errors that a person can act on."""

import importlib
import logging
import sys
from collections.abc import Sequence

import typer

from causeway.bus import BusError
from causeway.cli.console import print_error
from causeway.cli.errors import UserError
from causeway.cli.site_errors import explain
from causeway.models import ModelError
from causeway.topology.errors import TopologyError

EXIT_INTERRUPTED = 130
COMMANDS = {
    "up": "up",
    "hub": "hub",
    "site": "fleet_sites",
    "publish": "publish",
    "ask": "ask",
    "search": "ask",
    "feedback": "feedback",
    "calibrate": "calibrate",
    "status": "status",
    "sync": "sync",
    "kb": "kb",
    "dead-letters": "dead_letters",
    "artifact": "artifact",
    "model": "model",
    "eval": "evaluate",
    "demo": "demo",
    "demo-hub": "demo_hub",
    "declare": "declare",
}
"""The module of each command, in the order of the help."""

app = typer.Typer(
    name="causeway",
    help="A knowledge base on your own machine: run a site or a hub, publish documents, ask, and look after it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback()
def causeway() -> None:
    """What makes a group of it, also where only one command was added."""


def main() -> None:
    """Run one command. Whatever a person can mend is said in two lines, without a traceback."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("causeway").setLevel(logging.CRITICAL)
    _add_commands(sys.argv[1:])
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        # A group without a command has shown its help, and says nothing more.
        if error.format_message():
            print_error(_usage(error))
        sys.exit(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
    except UserError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except (BusError, ModelError, TopologyError, ExceptionGroup) as error:
        known = explain(error)
        if known is None:
            raise
        print_error(known)
        sys.exit(known.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _usage(error: typer.TyperException) -> UserError:
    """A wrong option or argument, with the command that says the right ones."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "causeway"
    return UserError(error.format_message(), f"See `{command} --help`.")


def _add_commands(arguments: Sequence[str]) -> None:
    """The one that is called, or all of them for the help and for a mistake: what is behind all takes a second."""
    called = COMMANDS.get(arguments[0]) if arguments else None
    for module in [called] if called else dict.fromkeys(COMMANDS.values()):
        importlib.import_module(f"causeway.cli.commands.{module}").register(app)
