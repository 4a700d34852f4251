"""A change of the fleet, brought to a hub that runs: nothing restarts, and no connection of another site notices."""

import asyncio
import os
import signal
import time
from pathlib import Path

import msgspec

from causeway.bus import Bus, remove_feed
from causeway.cli.declaring import bus_settings, link_account
from causeway.cli.errors import NoSiteError, SiteFolderError
from causeway.cli.http_get import http_get
from causeway.cli.hub_folder import write_fleet
from causeway.cli.linkage import hub_account
from causeway.cli.process_spec import NATS
from causeway.cli.site_folder import SiteFolder, SiteRecord, write_whole
from causeway.topology.description import Fleet
from causeway.topology.hub_config import ACCOUNTS_FILE, render_accounts

RELOAD_TIMEOUT_S = 15.0
_POLL_S = 0.05


class _Variables(msgspec.Struct):
    """What is read of nats-server's page `/varz`."""

    config_load_time: str = ""


async def change_fleet(folder: SiteFolder, old: Fleet, new: Fleet) -> bool:
    """Write the new description and, where the hub runs, bring it into effect. Returns whether it runs.

    The description is written first: a crash in between is mended by the next change or the next start of the hub.

    Raises:
        SiteFolderError: nats-server does not take the accounts.
    """
    write_fleet(folder, new)
    try:
        record = folder.read_record()
    except NoSiteError:
        return False
    write_whole(folder.root / ACCOUNTS_FILE, render_accounts(new).encode())
    await _reload(record, folder)
    await _relink(record, folder, old, new)
    return True


async def _reload(record: SiteRecord, folder: SiteFolder) -> None:
    before = await _load_time(record)
    os.kill(record.pids[NATS], signal.SIGHUP)
    deadline = time.monotonic() + RELOAD_TIMEOUT_S
    while (after := await _load_time(record)) == before or not after:
        if time.monotonic() > deadline:
            log = folder.logs / f"{NATS}.log"
            raise SiteFolderError(
                "nats-server did not take the new accounts; sites go on as before", f"Its reason stands in {log}."
            )
        await asyncio.sleep(_POLL_S)


async def _load_time(record: SiteRecord) -> str:
    status, body = await http_get(f"{record.monitor_url}/varz")
    return msgspec.json.decode(body, type=_Variables).config_load_time if status == 200 else ""


async def _relink(record: SiteRecord, folder: SiteFolder, old: Fleet, new: Fleet) -> None:
    account = hub_account(new, password_file=Path(record.password_file))
    kept = {feed.consumer for feed in account.feeds}
    async with Bus(bus_settings(record.url, record.site, account)) as bus:
        await link_account(bus, account)
        for feed in hub_account(old, account.password_file).feeds:
            if feed.consumer not in kept:
                await remove_feed(bus, feed)
