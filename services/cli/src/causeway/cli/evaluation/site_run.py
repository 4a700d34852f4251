"""The site's part of an evaluation: publish documents, wait until they can be found, ask, clean up."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from causeway.cli.console import STDERR
from causeway.cli.errors import UserError
from causeway.cli.evaluation.sets import Passage
from causeway.cli.publication import Publication
from causeway.cli.publishing import Item, Publisher
from causeway.client import Client
from causeway.proto.documents import State

ASKED_AT_ONCE = 2
PUBLISH_WAIT_S = 6 * 3_600.0
STALLED_S = 600.0
T = TypeVar("T")
R = TypeVar("R")


def items_of_passages(passages: Sequence[Passage]) -> list[Item]:
    """Passages as plain text documents, named by their ids."""
    return [
        Item(
            document_id=passage.id,
            content=passage.text.encode(),
            size_bytes=len(passage.text.encode()),
            filename=f"{passage.id}.txt",
            media_type="text/plain",
            title=passage.title,
        )
        for passage in passages
    ]


@dataclass(frozen=True)
class SiteRun:
    """One kb of a site that is under evaluation."""

    client: Client
    kb: str

    async def publish(self, items: Sequence[Item], label: str) -> Publication:
        """Publish, and wait until every document has come to its end.

        Raises:
            UserError: nothing has moved for a long time.
        """
        with _bar(label, len(items)) as moved:
            publisher = Publisher(client=self.client, kb=self.kb, on_change=lambda state: moved(state.ended))
            publication = await publisher.run(items, wait_s=PUBLISH_WAIT_S, stalled_s=STALLED_S)
        if not publication.finished:
            waits = publication.where_it_waits()
            raise UserError(
                f"{len(waits)} of {publication.total} documents came to no end: {dict(list(waits.items())[:3])}",
                "Look at `causeway status` and at the logs of the site.",
            )
        return publication

    async def publish_passages(self, passages: Sequence[Passage], label: str) -> None:
        """As `publish`, and every passage must be searchable.

        Raises:
            UserError: one failed; numbers over the others would say something else than they seem to.
        """
        publication = await self.publish(items_of_passages(passages), label)
        if publication.failed:
            raise UserError(
                f"{len(publication.failed)} passages failed: {dict(list(publication.failed.items())[:3])}",
                "Mend what the reasons say; numbers over a part of the passages would mean something else.",
            )

    async def each(self, label: str, questions: Sequence[T], ask: Callable[[T], Awaitable[R]]) -> list[R]:
        """`ask` for every question, a few at once, in the order of the questions."""
        slots = asyncio.Semaphore(ASKED_AT_ONCE)
        with _bar(label, len(questions)) as moved:
            done = 0

            async def one(question: T) -> R:
                nonlocal done
                async with slots:
                    result = await ask(question)
                done += 1
                moved(done)
                return result

            return list(await asyncio.gather(*(one(question) for question in questions)))

    async def remove_documents(self) -> None:
        """Delete all documents of the kb, so that the site is as it was."""
        statuses = await self.client.statuses(self.kb)
        for status in statuses:
            if status.state is not State.DELETED:
                await self.client.delete(self.kb, status.document_id)


@contextmanager
def _bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=STDERR) as bars:
        task = bars.add_task(label, total=total)
        yield lambda done: bars.update(task, completed=done)
