"""Publishing documents to a site and following them until they can be found."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from causeway.bus import BusError
from causeway.cli.folder_scan import FoundFile, media_type
from causeway.cli.publication import Publication
from causeway.client import Client
from causeway.proto.documents import DOCUMENT_BYTES_MAX, Residency, State

IN_FLIGHT_MAX = 16
# The live statuses lead; what is kept is read now and then, in case one was missed while reconnecting.
LOOK_AGAIN_S = 5.0
FOLLOW_AGAIN_S = 0.5
_AWAY = (BusError, OSError)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One document to publish: a file, or its bytes."""

    document_id: str
    content: Path | bytes
    size_bytes: int
    filename: str = ""
    media_type: str = ""
    title: str = ""


def items_of(files: Mapping[str, FoundFile]) -> list[Item]:
    """Files as they are published."""
    return [
        Item(
            document_id=document_id,
            content=file.path,
            size_bytes=file.size_bytes,
            filename=file.path.name,
            media_type=media_type(file.path),
        )
        for document_id, file in files.items()
    ]


@dataclass(frozen=True, kw_only=True)
class Publisher:
    """Publishes to one kb with one residency."""

    client: Client
    kb: str
    residency: Residency = Residency.RESTRICTED
    on_change: Callable[[Publication], None] = field(default=lambda _: None)

    async def run(
        self, items: Sequence[Item], removed: Sequence[str] = (), *, wait_s: float, stalled_s: float = 0.0
    ) -> Publication:
        """Publish, delete, and wait up to `wait_s` (0: not at all) until each has come to its end, or until nothing
        has moved for `stalled_s` (0: no such bound)."""
        publication = Publication(total=len(items) + len(removed))
        async with self._following(publication):
            await self._publish(items, publication)
            for document_id in removed:
                await self._delete_one(document_id, publication)
            self.on_change(publication)
            if wait_s > 0:
                await self._wait(publication, wait_s, stalled_s)
        return publication

    async def missing(self, present: Mapping[str, FoundFile], prefix: str) -> tuple[str, ...]:
        """The documents of the kb under `prefix` whose file is not there any more."""
        statuses = await self.client.statuses(self.kb)
        known = {status.document_id for status in statuses if status.state is not State.DELETED}
        return tuple(sorted(key for key in known if key.startswith(prefix) and key not in present))

    async def _publish(self, items: Sequence[Item], publication: Publication) -> None:
        slots = asyncio.Semaphore(IN_FLIGHT_MAX)

        async def one(item: Item) -> None:
            async with slots:
                await self._publish_one(item, publication)
            self.on_change(publication)

        await asyncio.gather(*(one(item) for item in items))

    async def _publish_one(self, item: Item, publication: Publication) -> None:
        if item.size_bytes > DOCUMENT_BYTES_MAX:
            publication.refused(item.document_id, f"{item.size_bytes:,} bytes; the limit is {DOCUMENT_BYTES_MAX:,}")
            return
        try:
            revision = await self.client.publish(
                self.kb,
                item.document_id,
                item.content,
                filename=item.filename,
                media_type=item.media_type,
                title=item.title,
                residency=self.residency,
            )
        except _AWAY as error:
            publication.refused(item.document_id, str(error))
            return
        publication.published(item.document_id, revision)

    async def _delete_one(self, document_id: str, publication: Publication) -> None:
        try:
            publication.published(document_id, await self.client.delete(self.kb, document_id))
        except _AWAY as error:
            publication.refused(document_id, str(error))

    @asynccontextmanager
    async def _following(self, publication: Publication) -> AsyncIterator[None]:
        async def follow() -> None:
            # The server may be away just now; what is missed meanwhile is read again below.
            while True:
                with contextlib.suppress(*_AWAY):
                    async for status in self.client.follow_statuses(self.kb):
                        publication.observe(status)
                        self.on_change(publication)
                await asyncio.sleep(FOLLOW_AGAIN_S)

        task = asyncio.create_task(follow(), name="follow statuses")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _wait(self, publication: Publication, wait_s: float, stalled_s: float) -> None:
        began = moved = looked = time.monotonic()
        ended = publication.ended
        while not publication.finished:
            await asyncio.sleep(0.02)
            now = time.monotonic()
            if publication.ended != ended:
                ended, moved = publication.ended, now
            if now - began > wait_s or (stalled_s and now - moved > stalled_s):
                return
            if now - looked > LOOK_AGAIN_S:
                with contextlib.suppress(*_AWAY):
                    for status in await self.client.statuses(self.kb):
                        publication.observe(status)
                looked = time.monotonic()
                self.on_change(publication)
