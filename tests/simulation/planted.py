"""Bugs to plant in the services, one for each promise: a checker that does not find its own is worth nothing."""

from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import msgspec

from causeway.merge import Resolution, Versions
from causeway.proto.chunks import Manifest
from causeway.proto.documents import Residency
from causeway.proto.knowledge import ChunkEmbedded
from causeway.sync_delta import applying, arrivals, encoding, residency, versions
from causeway.sync_delta.applying import Applying
from causeway.sync_delta.arrivals import DocumentCame
from causeway.sync_delta.outbox_tables import NumberRows
from causeway.sync_delta.residency import Action, Decision
from tests.simulation import checkers_at_quiet as at_quiet
from tests.simulation import checkers_of_changes as of_changes
from tests.simulation.observation import Checker

Plant = Callable[[], Any]
"""Makes a context in which the bug is there."""


def last_writer_wins() -> Any:
    """The clock alone decides, and everything else counts as replaced."""

    def resolve(held: Versions) -> Resolution:
        ordered = sorted(held.values(), key=lambda version: version.written, reverse=True)
        return Resolution(ordered[0] if ordered else None, (), tuple(ordered[1:]))

    return patch.object(versions, "resolve", resolve)


def first_heard_wins() -> Any:
    """The winner depends on the order in which versions came."""

    def resolve(held: Versions) -> Resolution:
        ordered = list(held.values())
        return Resolution(ordered[0] if ordered else None, tuple(ordered[1:]), ())

    return patch.object(versions, "resolve", resolve)


def never_known() -> Any:
    """What stands in the log is not looked at before a document is applied."""
    return patch.object(applying, "_age", lambda standing: (-1, 0))


class OldOnesAgain:
    """The receiver keeps the documents of the last batch and applies them once more after those of this one."""

    def __init__(self) -> None:
        self._kept: dict[str, DocumentCame] = {}
        self._right = Applying.put_documents
        self._patches = [never_known(), patch.object(Applying, "put_documents", self._wrong())]

    def __enter__(self) -> None:
        for each in self._patches:
            each.start()

    def __exit__(self, *_: object) -> None:
        for each in self._patches:
            each.stop()

    def _wrong(self) -> Any:
        async def put_documents(itself: Applying, documents: Sequence[DocumentCame], chunks: Sequence[Any]) -> Any:
            outcomes = await self._right(itself, documents, chunks)
            old = [self._kept[each.subject] for each in documents if each.subject in self._kept]
            self._kept |= {each.subject: each for each in documents}
            await self._right(itself, old, chunks)
            return outcomes

        return put_documents


def everything_travels() -> Any:
    """The gate is open."""
    shared = Decision(Action.SHARE, Residency.PUBLIC, "planted")
    return patch.object(residency, "gate", lambda manifest, shared_before: shared)


def chunks_later() -> Any:
    """Documents are applied whether their chunks are there or not."""

    async def nothing(*_: object) -> None:
        return None

    return patch.multiple(Applying, put_chunks=nothing, _ensure_chunks=nothing)


def lowest_free_number() -> Any:
    """The next number is the one after the highest that is in use."""

    def next_number(self: NumberRows) -> int:
        row = self._database.execute("SELECT max(number) FROM number WHERE kb = ?", (self._kb,)).fetchone()
        return int(row[0] or 0) + 1

    return patch.object(NumberRows, "next_number", property(next_number))


def text_cut_short() -> Any:
    """The last letter of each text is lost on its way."""

    def decode(shared: Any) -> ChunkEmbedded:
        chunk = encoding.decode(shared)
        return msgspec.structs.replace(chunk, text=chunk.text[:-1])

    return patch.object(arrivals, "decode", decode)


def pages_forgotten() -> Any:
    """A document arrives without the place of its last chunk."""
    right = DocumentCame.manifest

    def manifest(self: DocumentCame, chunk_of: Any) -> Manifest:
        whole = right(self, chunk_of)
        return msgspec.structs.replace(whole, places=whole.places[:-1])

    return patch.object(DocumentCame, "manifest", manifest)


PLANTED: dict[str, tuple[type[Checker], str, Plant]] = {
    "last writer wins": (at_quiet.NothingLost, "lost", last_writer_wins),
    "first heard wins": (at_quiet.SameWinner, "disagreement", first_heard_wins),
    "never known": (of_changes.AppliedOnce, "applied twice", never_known),
    "old ones again": (of_changes.AppliedInOrder, "out of order", OldOnesAgain),
    "everything travels": (of_changes.Confined, "restricted", everything_travels),
    "chunks later": (of_changes.Whole, "not whole", chunks_later),
    "lowest free number": (of_changes.NumbersUnique, "reused", lowest_free_number),
    "text cut short": (of_changes.TextFaithful, "changed", text_cut_short),
    "pages forgotten": (at_quiet.DigestsEqual, "digests", pages_forgotten),
}
"""By name: the checker that must find it, alone, how its sentence begins, and the bug."""
