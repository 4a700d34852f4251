"""The `causeway` command: its subcommands, and errors that a person can act on."""

import logging
import sys

import typer

from causeway.bus import BusError
from causeway.cli.console import print_error
from causeway.cli.errors import UserError
from causeway.cli.site_errors import explain
from causeway.models import ModelError
from causeway.topology.errors import TopologyError

EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="causeway",
    help="A knowledge base on your own machine: run a site or a hub, publish documents, ask, and look after it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def main() -> None:
    """Run one command. Whatever a person can mend is said in two lines, without a traceback."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("causeway").setLevel(logging.CRITICAL)
    _add_commands()
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


def _add_commands() -> None:
    """Imported here and not above: `causeway --help` needs none of the libraries behind the commands."""
    from causeway.cli.commands import (
        artifact,
        ask,
        calibrate,
        dead_letters,
        declare,
        demo,
        demo_hub,
        evaluate,
        feedback,
        fleet_sites,
        hub,
        kb,
        model,
        publish,
        status,
        sync,
        up,
    )

    for module in (
        up,
        hub,
        fleet_sites,
        publish,
        ask,
        feedback,
        calibrate,
        status,
        sync,
        kb,
        dead_letters,
        artifact,
        model,
        evaluate,
        demo,
        demo_hub,
        declare,
    ):
        module.register(app)
