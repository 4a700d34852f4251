"""`causeway declare`: make the streams of a place whose server someone else runs, such as a container."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from causeway.bus import Bus, reload_servers
from causeway.cli.admission import admit
from causeway.cli.connection import PasswordFile, SiteName, find_site
from causeway.cli.console import STDOUT
from causeway.cli.declaring import bus_settings, declare_account
from causeway.cli.errors import NoSiteError, UserError
from causeway.cli.linkage import Account, hub_account, site_accounts
from causeway.cli.site_folder import VERSION, SiteFolder, SiteIdentity, holds_homeless_streams, holds_streams
from causeway.proto.subjects import HUB
from causeway.topology.bundle import Bundle
from causeway.topology.description import parse_fleet

WAIT_S = 60.0
Url = Annotated[str, typer.Option("--url", help="nats://HOST:PORT of the server.", envvar="CAUSEWAY_NATS_URL")]
Store = Annotated[
    Path,
    typer.Option(
        "--store",
        help="Folder of the server's message store (its store_dir). Only what is on disk there tells a new place from "
        "one whose storage key is wrong: the server shows both empty, and declaring would delete the data.",
        envvar="CAUSEWAY_STORE",
    ),
]
LinkPassword = Annotated[
    Path | None,
    typer.Option(
        "--link-password-file", help="At a site: password of the user link.", envvar="CAUSEWAY_LINK_PASSWORD_FILE"
    ),
]
Join = Annotated[
    Path | None, typer.Option("--join", help="At a site that joins a hub: its join file.", envvar="CAUSEWAY_JOIN")
]
FleetFile = Annotated[Path | None, typer.Option("--fleet", help="At the hub: fleet.yaml.", envvar="CAUSEWAY_FLEET")]


def register(app: typer.Typer) -> None:
    """Add `declare`."""
    app.command("declare")(declare)


def declare(
    url: Url,
    site: SiteName,
    store: Store,
    password_file: PasswordFile,
    link_password_file: LinkPassword = None,
    join: Join = None,
    fleet: FleetFile = None,
) -> None:
    """Make or update the streams of a site, or of the hub (--site hub). For servers that `causeway up` does not run;
    safe to repeat.

    A place that has streams on disk is only touched after its canary was read."""
    find_site(url, site=site)
    assert password_file is not None
    accounts = (
        _of_hub(fleet, password_file)
        if site == HUB
        else _of_site(site, password_file, link_password_file, Bundle.read(join) if join is not None else None)
    )
    folder = SiteFolder(store)
    identity = SiteIdentity(site=site, encryption=False, version=VERSION)
    fresh = admit(folder.identity(), identity, holds_streams(store), holds_homeless_streams(store))
    asyncio.run(_declare(url, identity, folder, accounts, fresh))


def _of_hub(fleet: Path | None, password_file: Path) -> tuple[Account, ...]:
    if fleet is None:
        raise UserError("which sites has the hub?", "Name its description with --fleet (CAUSEWAY_FLEET).")
    try:
        text = fleet.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{fleet} can not be read: {error}", "Make one: causeway hub init") from error
    return (hub_account(parse_fleet(text, str(fleet)), password_file),)


def _of_site(
    site: str, password_file: Path, link_password_file: Path | None, joined: Bundle | None
) -> tuple[Account, ...]:
    if link_password_file is None:
        raise UserError("the password of the user link is not known", "Name its file with --link-password-file.")
    if joined is not None and joined.site != site:
        raise UserError(f"the join file is for {joined.site!r}, not {site!r}", f"Use --site {joined.site}.")
    return site_accounts(site, joined.kbs if joined is not None else None, password_file, link_password_file)


async def _declare(
    url: str, identity: SiteIdentity, folder: SiteFolder, accounts: tuple[Account, ...], fresh: bool
) -> None:
    if fresh:
        folder.write_identity(identity)
    for account in accounts:
        bus = Bus(bus_settings(url, identity.site, account))
        try:
            async with asyncio.timeout(WAIT_S):
                await bus.start()
                if identity.site == HUB:
                    # Its accounts may have changed since it was started.
                    await reload_servers(bus)
                await declare_account(bus, account, fresh)
        except TimeoutError as error:
            raise NoSiteError(f"nothing answers at {url}", "Is nats-server running there?") from error
        finally:
            await bus.stop()
        STDOUT.print(f"{account.user}: {', '.join(stream.name for stream in account.streams)}")
    folder.write_identity(SiteIdentity(site=identity.site, encryption=False, declared=True, version=identity.version))
