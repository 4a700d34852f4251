"""The endpoints of history: what a replica holds of the past. On a thread of their own, which no ask waits for."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from causeway.bus import Caller, Endpoint
from causeway.edge_inference.answer_index import DocumentName
from causeway.edge_inference.history_reader import HistoryReader, Recalled
from causeway.edge_inference.problems import WrongSubjectError
from causeway.edge_inference.vault import Vault
from causeway.proto import subjects
from causeway.proto.history import ChunkText, History, HistoryAsked, RevisionAsked, RevisionText

PART_CHARS_MAX = 100_000
CONCURRENCY_MAX = 8
T = TypeVar("T")


class Recalling:
    """At most once: whoever got no reply asks again."""

    def __init__(self, site: str, vault: Vault) -> None:
        self._site = site
        self._vault = vault
        self._thread = ThreadPoolExecutor(1, "history")
        self._reader: HistoryReader | None = None

    def endpoints(self) -> list[Endpoint]:
        """What is served, for the bus."""
        return [
            Endpoint(
                name="history",
                subject=subjects.HISTORY.at(self._site),
                handler=self.history,
                request_type=HistoryAsked,
                concurrency_max=CONCURRENCY_MAX,
            ),
            Endpoint(
                name="revision",
                subject=subjects.REVISION.at(self._site),
                handler=self.revision,
                request_type=RevisionAsked,
                is_last=lambda part: part.last,
                concurrency_max=CONCURRENCY_MAX,
            ),
        ]

    async def history(self, caller: Caller, asked: HistoryAsked) -> History:
        """Revisions of a kb or a document, newest first."""
        _check_subject(asked.kb, caller.subject)
        return await self._on_thread(lambda: self._opened().log(asked))

    async def revision(self, caller: Caller, asked: RevisionAsked) -> AsyncGenerator[RevisionText, None]:
        """One revision, in parts that fit in messages."""
        _check_subject(asked.kb, caller.subject)
        recalled = await self._on_thread(lambda: self._opened().revision(asked))
        return self._parts(recalled)

    async def carried(self, documents: Collection[DocumentName]) -> set[DocumentName]:
        """Those of the documents that this site's log carries, or has carried."""
        return await self._on_thread(lambda: self._opened().carried(documents))

    async def close(self) -> None:
        """Let go of the vault."""
        if self._reader is not None:
            await self._on_thread(self._reader.close)
        self._thread.shutdown()

    async def _parts(self, recalled: Recalled) -> AsyncGenerator[RevisionText, None]:
        for part in parts_of(recalled, recalled.record.origin or self._site):
            yield part

    def _opened(self) -> HistoryReader:
        if self._reader is None:
            self._reader = HistoryReader(self._site, self._vault)
        return self._reader

    async def _on_thread(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act)


def parts_of(recalled: Recalled, origin: str) -> Iterator[RevisionText]:
    """A revision as messages: the manifest is whole in the first, which has no text if there are more."""
    manifest = recalled.record.manifest
    texts = list(_bundles(recalled))
    whole = len(texts) <= 1
    yield RevisionText(
        manifest=manifest,
        origin=origin,
        chunks=texts[0] if texts and whole else [],
        standing_residency=recalled.standing,
        last=whole,
    )
    for number, bundle in enumerate(texts if not whole else (), start=1):
        yield RevisionText(
            manifest=msgspec.structs.replace(manifest, places=[]),
            origin=origin,
            chunks=bundle,
            standing_residency=recalled.standing,
            last=number == len(texts),
        )


def _bundles(recalled: Recalled) -> Iterator[list[ChunkText]]:
    bundle: list[ChunkText] = []
    chars = 0
    for place, record in zip(recalled.record.manifest.places, recalled.texts, strict=True):
        size = len(record.text) + len(record.context)
        if bundle and chars + size > PART_CHARS_MAX:
            yield bundle
            bundle, chars = [], 0
        text = ChunkText(chunk_id=place.chunk_id, language=record.language, context=record.context, text=record.text)
        bundle.append(text)
        chars += size
    if bundle:
        yield bundle


def _check_subject(kb: str, subject: str) -> None:
    if subject.rsplit(".", 1)[-1] != kb:
        raise WrongSubjectError(kb, subject)
