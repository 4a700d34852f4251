"""`causeway declare`: make the streams of a site whose server someone else runs, such as a container."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from causeway.bus import Bus
from causeway.bus.streams import declare as declare_streams
from causeway.cli.connection import Address, PasswordFile, SiteName, User, find_site
from causeway.cli.console import STDOUT
from causeway.cli.errors import NoSiteError
from causeway.cli.site_folder import SiteFolder, SiteIdentity, holds_streams

WAIT_S = 60.0
Url = Annotated[str, typer.Option("--url", help="nats://HOST:PORT of the server.", envvar="CAUSEWAY_NATS_URL")]
Store = Annotated[
    Path,
    typer.Option(
        "--store",
        help="Folder of the server's message store (its store_dir). Only what is on disk there tells a new site from "
        "one whose storage key is wrong: the server shows both empty, and declaring would delete the data.",
        envvar="CAUSEWAY_STORE",
    ),
]


def register(app: typer.Typer) -> None:
    """Add `declare`."""
    app.command("declare")(declare)


def declare(url: Url, site: SiteName, store: Store, user: User = "", password_file: PasswordFile = None) -> None:
    """Make or update the streams of a site. For servers that `causeway up site` does not run; safe to repeat.

    A site that has streams on disk is only touched after its canary was read."""
    address = find_site(url, site=site, user=user, password_file=password_file)
    folder = SiteFolder(store)
    known = folder.identity()
    fresh = not holds_streams(store) if known is None else not known.declared
    asyncio.run(_declare(address, folder, fresh))


async def _declare(address: Address, folder: SiteFolder, fresh: bool) -> None:
    identity = SiteIdentity(site=address.bus.site, encryption=False)
    if fresh:
        folder.write_identity(identity)
    bus = Bus(address.bus)
    try:
        async with asyncio.timeout(WAIT_S):
            await bus.start()
            report = await declare_streams(bus, fresh=fresh)
    except TimeoutError as error:
        raise NoSiteError(f"nothing answers at {address.bus.url}", "Is nats-server running there?") from error
    finally:
        await bus.stop()
    folder.write_identity(SiteIdentity(site=identity.site, encryption=False, declared=True))
    STDOUT.print(
        f"created: {', '.join(report.created) or 'nothing'}; updated: {', '.join(report.updated) or 'nothing'}"
    )
