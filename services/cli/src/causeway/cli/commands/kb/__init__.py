"""`causeway kb`: one module for each kind of command on knowledge bases, registered on one group."""

import typer


def register(app: typer.Typer) -> None:
    """Add `kb` and what is below it."""
    from causeway.cli.commands.kb import listing, log, reembed, restore, show, snapshot

    group = typer.Typer(help="Knowledge bases and their history.", no_args_is_help=True)
    for module in (listing, log, show, restore, snapshot, reembed):
        module.register(group)
    app.add_typer(group, name="kb")
