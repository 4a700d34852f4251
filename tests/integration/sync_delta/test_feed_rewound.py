"""Messages that a feed lost without a trace are noticed by the site and taken again, and only what is missing."""

from pathlib import Path

from causeway.bus import Bus
from causeway.proto import streams, subjects
from causeway.proto.outbox import DocumentShared
from tests.support.linked_servers import linked
from tests.support.sync_delta_places import running
from tests.support.waiting import until, until_async


async def test_documents_that_the_feed_lost_are_noticed_and_fetched_again(tmp_path: Path) -> None:
    async with linked(tmp_path / "fleet", sites=("a",)) as fleet, running(fleet, "hub", tmp_path) as hub:
        async with running(fleet, "a", tmp_path) as site:
            await site.until_revision("hub", "first", await hub.write("first", ["first"]))
            known = site.sync.feeds.known
            await until(lambda: "k" in known and known["k"].equal_seq >= 2)
        second = await hub.write("second", ["second"])
        third = await hub.write("third", ["third"])
        async with fleet.bus("a", "link") as link:
            await _until_inbox_ends(link, "third")
            # As if the feed had sent it into a link that was dying.
            await _drop(link, "second")
        async with running(fleet, "a", tmp_path) as site:
            await site.until_revision("hub", "third", third)
            await site.until_revision("hub", "second", second)
            assert await site.texts("hub", "second") == ["second"]


async def _until_inbox_ends(link: Bus, document_id: str) -> None:
    async def there() -> bool:
        return await _seq(link, document_id) > 0

    await until_async(there)


async def _seq(link: Bus, document_id: str) -> int:
    async for each in link.scan(streams.INBOX.name, [subjects.OUTBOX_DOCUMENT.at("hub")]):
        if isinstance(each.message, DocumentShared) and each.message.manifest.document_id == document_id:
            return int(each.stream_seq)
    return 0


async def _drop(link: Bus, document_id: str) -> None:
    await link.broker.js.delete_msg(streams.INBOX.name, await _seq(link, document_id))
