"""Where the command writes: answers and tables on stdout, everything about the work itself on stderr."""

from rich.console import Console
from rich.markup import escape

from causeway.cli.errors import UserError

STDOUT = Console(soft_wrap=True, highlight=False)
STDERR = Console(stderr=True, soft_wrap=True, highlight=False)


def print_error(error: UserError) -> None:
    """What is wrong, and how to mend it."""
    STDERR.print(f"[bold red]Error:[/] {escape(error.message)}")
    if error.mend:
        STDERR.print(f"[cyan]{escape(error.mend)}[/]")
