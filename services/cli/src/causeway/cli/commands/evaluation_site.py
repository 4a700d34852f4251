"""The site that an evaluation asks: the running one that was named, or a temporary one that is removed again."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from causeway.cli.commands.up import read_config
from causeway.cli.connection import Address, find_site
from causeway.cli.console import STDERR
from causeway.cli.place import running_place
from causeway.cli.site_config import PortsConfig
from causeway.cli.site_console import SiteConsole
from causeway.cli.site_folder import SiteFolder


@asynccontextmanager
async def evaluation_site(config: Path | None, address: Address | None) -> AsyncIterator[Address]:
    """Yield `address`, or that of a temporary site with the configuration in `config`."""
    if address is not None:
        yield address
        return
    wanted = replace(read_config(config, name="eval"), ports=PortsConfig(nats=0, monitor=0, metrics=0))
    with tempfile.TemporaryDirectory(prefix="causeway-eval-") as name:
        folder = SiteFolder(Path(name))
        async with running_place(wanted, folder, SiteConsole(STDERR, quiet=True), lambda *_: None) as there:
            yield find_site("", there.folder.root)
