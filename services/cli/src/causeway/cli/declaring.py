"""The operator's part: streams, buckets, feeds and sources of each account of a place, after the canary was read."""

from collections.abc import Sequence

from causeway.bus import Bus, BusSettings, add_source, declare_feed, remove_source, source_states
from causeway.bus.streams import declare
from causeway.cli.linkage import Account
from causeway.proto import streams
from causeway.proto.streams import Source

INBOX = streams.INBOX.name


def bus_settings(url: str, place: str, account: Account) -> BusSettings:
    """The connection of the operator as the user of an account."""
    return BusSettings(url=url, site=place, service="cli", user=account.user, password_file=account.password_file)


async def declare_account(bus: Bus, account: Account, fresh: bool) -> None:
    """Make all that the account is to have. Safe to repeat.

    Raises:
        WrongStorageKey: not fresh, and the canary can not be read: nothing was changed.
        DeclareRefused: the server refused something.
    """
    await declare(bus, account.streams, fresh=fresh, buckets=account.buckets)
    await link_account(bus, account)


async def link_account(bus: Bus, account: Account) -> None:
    """Feeds and sources as the account says: all that `site add` changes in a hub that runs."""
    for feed in account.feeds:
        await declare_feed(bus, feed)
    if account.sources is not None:
        await _bring(bus, account.sources)


async def _bring(bus: Bus, sources: Sequence[Source]) -> None:
    """Take away the sources that are not among these, and add those that are not there."""
    wanted = {(source.stream, source.api_prefix) for source in sources}
    for state in await source_states(bus, INBOX):
        if (state.stream, state.api_prefix) not in wanted:
            gone = Source(stream=state.stream, api_prefix=state.api_prefix, deliver_subject="", subjects="")
            await remove_source(bus, INBOX, gone)
    for source in sources:
        await add_source(bus, INBOX, source)
