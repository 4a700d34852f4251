"""A change of the fleet, brought to a hub that runs: nothing restarts, and no connection of another site notices."""

from pathlib import Path

from causeway.bus import Bus, BusError, ConfigurationRefused, end_leaf_links, reload_servers, remove_feed
from causeway.cli.declaring import bus_settings, link_account
from causeway.cli.errors import NoSiteError, UserError
from causeway.cli.hub_folder import write_fleet
from causeway.cli.linkage import hub_account
from causeway.cli.site_folder import SiteFolder, SiteRecord, write_whole
from causeway.topology.description import Fleet
from causeway.topology.hub_config import ACCOUNTS_FILE, render_accounts
from causeway.topology.names import site_account


async def change_fleet(folder: SiteFolder, old: Fleet, new: Fleet) -> bool:
    """Write the new description and, where the hub runs, bring it into effect. Returns whether it runs.

    The description is written first: a crash in between is mended by the next change or the next start of the hub.

    Raises:
        ConfigurationRefused: nats-server does not take the accounts; sites go on as before.
        UserError: it can not be told of them; the next start of the hub does.
    """
    write_fleet(folder, new)
    try:
        record = folder.read_record()
    except NoSiteError:
        return False
    write_whole(folder.root / ACCOUNTS_FILE, render_accounts(new).encode())
    try:
        await _take_effect(record, old, new)
    except ConfigurationRefused:
        raise
    except BusError as error:
        raise UserError(
            f"the change is written, and the hub that runs does not have it yet: {error}",
            "Stop the hub and start it again (`causeway up hub`). Until then a removed site may stay connected.",
        ) from error
    return True


async def _take_effect(record: SiteRecord, old: Fleet, new: Fleet) -> None:
    account = hub_account(new, Path(record.password_file))
    kept = {feed.consumer for feed in account.feeds}
    async with Bus(bus_settings(record.url, record.site, account)) as bus:
        await reload_servers(bus)
        for name in ended(old, new):
            await end_leaf_links(bus, site_account(name))
        await link_account(bus, account)
        for feed in hub_account(old, account.password_file).feeds:
            if feed.consumer not in kept:
                await remove_feed(bus, feed)


def ended(old: Fleet, new: Fleet) -> list[str]:
    """The sites whose key is not, or no more, that of the fleet: a server that has let one in asks no second time."""
    keys = {site.name: site.nkey for site in new.sites}
    return [site.name for site in old.sites if keys.get(site.name) != site.nkey]
