"""The client of one site: publish and delete documents, see what becomes of them, ask and search.

Delivery guarantee: after `publish` returns, the document is on the site's disk and will become searchable or get a
failed status with its reason. After an exception, publish again: a second publication of the same bytes costs nothing.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from causeway.bus import Bus, BusSettings, Delivery, Following, NotConnected, ObjectTooLarge, Position
from causeway.client.given_answers import GivenAnswers
from causeway.client.publication import describe, fits_inline, message_id, object_name, with_body
from causeway.client.waiting import NotSearchableInTime, progress
from causeway.proto import encode, streams, subjects
from causeway.proto.answers import DEADLINE_MS_MAX, Answer, AnswerPart, Ask, Search, SearchMode, SearchResult
from causeway.proto.documents import (
    DOCUMENT_BYTES_MAX,
    Document,
    DocumentDeleted,
    DocumentStatus,
    Residency,
    fold_statuses,
)

CONNECT_TIMEOUT_S = 5.0
PUBLISH_TIMEOUT_S = 30.0
REPUBLISH_MAX = 16
PART_WAIT_S = 30.0
STATUS_QUEUE_MAX = 10_000


class Client(GivenAnswers):
    """`async with Client.at("nats://127.0.0.1:4222", site="branch-7") as client`."""

    def __init__(self, settings: BusSettings, *, connect_timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        self.bus = Bus(settings)
        self._connect_timeout_s = connect_timeout_s

    @classmethod
    def at(cls, url: str, *, site: str, service: str = "client", **settings: Any) -> Self:
        """A client of the site at `url`; further settings are those of BusSettings (user, password_file, ca_file)."""
        return cls(BusSettings(url=url, site=site, service=service, **settings))

    async def start(self) -> None:
        """Connect.

        Raises:
            NotConnected: nobody answered within the connect time-out. Once connected, it stays so for ever.
        """
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await self.bus.start()
        except TimeoutError as error:
            await self.bus.stop()
            raise NotConnected(f"{self.bus.settings.url} within {self._connect_timeout_s:g} s") from error

    async def stop(self) -> None:
        """Close the connection."""
        await self.bus.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def publish(
        self,
        kb: str,
        document_id: str,
        body: bytes | Path,
        *,
        filename: str = "",
        media_type: str = "",
        title: str = "",
        residency: Residency = Residency.RESTRICTED,
        metadata: Mapping[str, str] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """Publish a document whole and return its revision. A large body goes through the object store; `progress`
        gets the bytes stored so far.

        Raises:
            BadNameError, ObjectTooLarge (over 256 MiB), NotPublished, StreamFull, StreamMissing, OSError.
        """
        name = filename or (body.name if isinstance(body, Path) else "")
        message = describe(
            kb,
            document_id,
            filename=name,
            media_type=media_type,
            title=title,
            residency=residency,
            metadata=metadata or {},
        )
        subject = subjects.DOCUMENT.at(self.site, subjects.checked_kb(kb))
        size, digest = await asyncio.to_thread(_measure, body)
        if size > DOCUMENT_BYTES_MAX:
            raise ObjectTooLarge(f"{document_id}: {size} bytes, allowed are {DOCUMENT_BYTES_MAX}")
        base = encode(message)
        if fits_inline(size, message, self.bus.payload_bytes_max):
            content = body if isinstance(body, bytes) else await asyncio.to_thread(body.read_bytes)
            message = with_body(message, content, None)
        else:
            stored = object_name(kb, document_id, digest, uuid4().hex[:12])
            ref = await self.bus.put_object(streams.BODIES.name, stored, body, progress=progress)
            message = with_body(message, None, ref)
        return await self._publish(subject, message, "document", base, digest)

    async def delete(self, kb: str, document_id: str) -> int:
        """Delete a document and return the revision of its deletion; deleting what is not there is no error."""
        message = DocumentDeleted(kb=kb, document_id=document_id)
        subject = subjects.DOCUMENT.at(self.site, subjects.checked_kb(kb))
        return await self._publish(subject, message, "delete", encode(message), "")

    async def _publish(
        self, subject: str, message: Document | DocumentDeleted, action: str, base: bytes, digest: str
    ) -> int:
        # A duplicate may be of a publication before a deletion, whose stored copy is obsolete: it is published once
        # more, with an id that follows from what was found. Nothing is swallowed, and each retry keeps its id.
        seq = 0
        for _ in range(REPUBLISH_MAX):
            msg_id = message_id(action, base, digest, seq)
            ack = await self.bus.publish(subject, message, msg_id=msg_id, timeout_s=PUBLISH_TIMEOUT_S)
            seq = ack.seq
            if not ack.duplicate:
                break
        return seq

    async def ask(
        self,
        kb: str,
        question: str,
        *,
        language: str = "",
        generate: bool = True,
        passages_max: int = 5,
        asker: str = "",
        tenant: str = "",
        cloud: bool = True,
        cache: bool = True,
        residency: Residency = Residency.PUBLIC,
        timeout_s: float = 60.0,
    ) -> Answer:
        """One answer with its citations; `abstained` when the knowledge base does not support one. Without `cloud` the
        hub is not asked, without `cache` no earlier answer is given; a question that is not public stays at the site.

        Raises:
            NoResponders, RequestTimeout, ProblemReply, BadNameError.
        """
        ask = Ask(
            kb=kb,
            question=question,
            language=language,
            generate=generate,
            deadline_ms=_deadline_ms(timeout_s),
            asker=asker,
            tenant=tenant,
            cloud=cloud,
            cache=cache,
            residency=residency,
            passages_max=passages_max,
        )
        return await self.bus.request(subjects.ASK.at(self.site, subjects.checked_kb(kb)), ask, Answer, timeout_s)

    async def ask_stream(
        self,
        kb: str,
        question: str,
        *,
        language: str = "",
        generate: bool = True,
        passages_max: int = 5,
        asker: str = "",
        tenant: str = "",
        cloud: bool = True,
        cache: bool = True,
        residency: Residency = Residency.PUBLIC,
        timeout_s: float = 60.0,
        part_wait_s: float = PART_WAIT_S,
    ) -> AsyncGenerator[AnswerPart, None]:
        """The parts of an answer: the instant one, pieces of generated text, the final one. At most `part_wait_s`
        between two, at most `timeout_s` in all; otherwise as `ask`."""
        ask = Ask(
            kb=kb,
            question=question,
            language=language,
            stream=True,
            generate=generate,
            deadline_ms=_deadline_ms(timeout_s),
            asker=asker,
            tenant=tenant,
            cloud=cloud,
            cache=cache,
            residency=residency,
            passages_max=passages_max,
        )
        subject = subjects.ASK.at(self.site, subjects.checked_kb(kb))
        wait_s = min(part_wait_s, timeout_s)
        parts = self.bus.request_stream(subject, ask, AnswerPart, wait_s=wait_s, total_s=timeout_s)
        async with aclosing(parts):
            async for part in parts:
                yield part

    async def search(
        self,
        kb: str,
        question: str,
        *,
        mode: SearchMode = SearchMode.HYBRID,
        documents_max: int = 10,
        timeout_s: float = 30.0,
    ) -> SearchResult:
        """Passages without an answer, best first; raises as `ask` does."""
        search = Search(kb=kb, question=question, mode=mode, documents_max=documents_max)
        subject = subjects.SEARCH.at(self.site, subjects.checked_kb(kb))
        return await self.bus.request(subject, search, SearchResult, timeout_s)

    async def statuses(self, kb: str | None = None) -> list[DocumentStatus]:
        """The newest status of each document of one kb, or of all, sorted by kb and id."""
        seen: list[DocumentStatus] = []
        filters = [subjects.STATUS.at(self.site, kb or "*")]
        async with aclosing(self.bus.scan(streams.STATUS.name, filters)) as deliveries:
            async for delivery in deliveries:
                assert isinstance(delivery.message, DocumentStatus)
                seen.append(delivery.message)
        return sorted(fold_statuses(seen).values(), key=lambda status: (status.kb, status.document_id))

    async def follow_statuses(self, kb: str | None = None) -> AsyncGenerator[DocumentStatus, None]:
        """Every status from now on, for as long as it is iterated; reconnects miss nothing."""
        queue: asyncio.Queue[DocumentStatus] = asyncio.Queue(STATUS_QUEUE_MAX)
        position = Position(seq=await self.bus.last_seq(streams.STATUS.name))

        async def where() -> Position:
            return position

        async def take(deliveries: list[Delivery]) -> None:
            nonlocal position
            for delivery in deliveries:
                assert isinstance(delivery.message, DocumentStatus)
                await queue.put(delivery.message)
            position = Position(seq=deliveries[-1].stream_seq)

        following = self._follow(kb, where, take)
        try:
            while True:
                yield await queue.get()
        finally:
            await self.bus.release(following)

    async def wait_searchable(
        self, kb: str, wanted: Mapping[str, int] | Iterable[str], timeout_s: float
    ) -> dict[str, DocumentStatus]:
        """Wait until each document is searchable, failed or deleted, and return their statuses: look at `state`.
        `wanted` maps ids to the revisions that `publish` returned, or is just ids.

        Raises:
            NotSearchableInTime: naming those that are not.
        """
        revisions = dict(wanted) if isinstance(wanted, Mapping) else dict.fromkeys(wanted, 0)
        if not revisions:
            return {}
        known: dict[tuple[str, str], DocumentStatus] = {}
        over = asyncio.Event()

        async def take(deliveries: list[Delivery]) -> None:
            news = [delivery.message for delivery in deliveries if isinstance(delivery.message, DocumentStatus)]
            known.update(
                fold_statuses([*known.values(), *(status for status in news if status.document_id in revisions)])
            )
            if progress(revisions, known.values()).done:
                over.set()

        following = self._follow(kb, _beginning, take)
        try:
            async with asyncio.timeout(timeout_s):
                await over.wait()
        except TimeoutError as error:
            missing = progress(revisions, known.values()).missing
            shown = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
            raise NotSearchableInTime(f"{len(missing)} of {len(revisions)} after {timeout_s:g} s: {shown}") from error
        finally:
            await self.bus.release(following)
        return progress(revisions, known.values()).ended

    def _follow(
        self,
        kb: str | None,
        where: Callable[[], Awaitable[Position]],
        take: Callable[[list[Delivery]], Awaitable[None]],
    ) -> Following:
        filters = [subjects.STATUS.at(self.site, kb or "*")]
        return self.bus.follow(streams.STATUS.name, filters, where, take, message_types=subjects.STATUS.carries)


async def _beginning() -> Position:
    return Position()


def _measure(body: bytes | Path) -> tuple[int, str]:
    if isinstance(body, bytes):
        return len(body), hashlib.sha256(body).hexdigest()
    with body.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return file.tell(), digest.hexdigest()


def _deadline_ms(timeout_s: float) -> int:
    return max(1, min(DEADLINE_MS_MAX, int(timeout_s * 1000)))
