"""Earlier answers of the cloud, given again where the question is the same: the AnswerCache of the scheduler.

Made as `AnswerCache(bus, site, model_id, dims, metrics, ...)` on a bus that is about to start; its follower starts with
the bus. `on_changed` is for `Invalidating`, `reject` for feedback.

Delivery guarantee: what is kept is in CACHE, last per key, and every replica holds what CACHE holds; `keep` puts
nothing into memory by itself. At least once: the same entry put again changes nothing. After a start nothing is given
until the documents that changed since the oldest entry was given have been read, so that a change while every replica
was down is not missed. An entry that a change makes doubtful leaves memory before it is published as uncached.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping, Sequence, Set
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
from prometheus_client import Counter

from causeway.bus import Bus, BusError, Delivery, Position
from causeway.edge_inference.answer_cache_metrics import AnswerCacheMetrics
from causeway.edge_inference.answer_index import DocumentName
from causeway.edge_inference.cache_rules import RELATIVE_TIME, cache_key, may_be_given, outdated, relative_time, unfit
from causeway.edge_inference.cached_answers import CachedAnswers, Entry
from causeway.edge_inference.doubts import Changed, Standing, Standings, doubt_of
from causeway.edge_inference.invalidating import CHANGED
from causeway.edge_inference.scheduling_ports import CacheLook, Vector
from causeway.proto import subjects
from causeway.proto.answers import Answer, Ask
from causeway.proto.cache import AnswerCached, AnswerUncached
from causeway.proto.feedback import CitedChunk
from causeway.proto.knowledge import DocumentRevised, DocumentShadowed
from causeway.semantic_cache import Limits, judge, read, shipped_limits

ENTRIES_PER_KB_MAX = 5_000
AGE_S_MAX = 7 * 86_400
CANDIDATES_MAX = 4
CHANGES_MAX = 2_000
CHANGED_CHUNKS_MAX = 200_000
REJECTED_MAX = 10_000
DOCUMENTS_PER_TURN = 20
# An answer may have been under way while its documents changed.
CHECK_FROM_BEFORE = 1_000
EVICTED, REJECTED = "evicted", "rejected"
_log = logging.getLogger(__name__)


def wall_clock_ms() -> int:
    """Unix milliseconds."""
    return int(time.time() * 1000)


def never_withheld(_: DocumentName, __: Set[bytes]) -> bool:
    """See `AnswerCache`."""
    return False


@dataclass(frozen=True, kw_only=True)
class _Found:
    """The entry to give, found `by` words or meaning; or why there is none."""

    entry: Entry | None = None
    similarity: float = 0.0
    by: str = ""
    refused_by: str = ""
    withheld: bool = False


class AnswerCache:
    """See the module and `scheduling_ports.AnswerCache`. Everything but publishing is in memory, on the event loop.

    A kb that `kb_limits` names has limits of its own. `withheld` says of chunks of a document of another place that an
    entry which cites them is not given now.
    """

    def __init__(
        self,
        bus: Bus,
        site: str,
        model_id: str,
        dims: int,
        metrics: AnswerCacheMetrics,
        *,
        entries_per_kb_max: int = ENTRIES_PER_KB_MAX,
        age_s_max: int = AGE_S_MAX,
        limits: Limits | None = None,
        kb_limits: Mapping[str, Limits] | None = None,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._bus = bus
        self._site = site
        self._model_id = model_id
        self._dims = dims
        self._metrics = metrics
        self._entries_max = entries_per_kb_max
        self._age_ms_max = age_s_max * 1000
        self._limits = limits or shipped_limits()
        self._kb_limits = kb_limits or {}
        self._clock_ms = clock_ms
        self._kbs: dict[str, CachedAnswers] = {}
        self._rejected: dict[bytes, None] = {}
        self._changes: OrderedDict[DocumentName, Standing] = OrderedDict()
        self.checked = False
        self.withheld: Callable[[DocumentName, Set[bytes]], bool] = never_withheld
        self.follower = bus.follow(
            subjects.CACHED.stream,
            [subjects.CACHED.at(site)],
            self._position,
            self._follow,
            message_types=subjects.CACHED.carries,
            on_caught_up=self._check,
            on_reset=self._forget,
        )

    @staticmethod
    def key_of(ask: Ask) -> bytes:
        """The key of the entry that answers an ask, in CACHE and here."""
        return cache_key(ask.tenant, ask.question, ask.kb)

    def held(self, kb: str) -> int:
        """How many entries of a kb are in memory."""
        return len(self._kbs.get(kb, ()))

    def look(self, ask: Ask, language: str, vector: Vector, *, again: bool = False) -> CacheLook:
        """The answer of the same question, or of the nearest that its limits and every guard let pass."""
        answers = self._kbs.get(ask.kb)
        if answers is None or not ask.cache or not self.checked:
            return CacheLook()
        if relative_time(ask.question):
            self._count(again, self._metrics.unlooked.labels(kb=ask.kb, reason=RELATIVE_TIME))
            return CacheLook()
        found = self._found(answers, ask, language, vector)
        if found.entry is not None:
            return self._hit(answers, found.entry, found.similarity, found.by)
        if found.refused_by:
            self._count(again, self._metrics.refused.labels(kb=ask.kb, guard=found.refused_by))
        elif found.withheld:
            self._count(again, self._metrics.withheld.labels(kb=ask.kb))
        else:
            self._count(again, self._metrics.misses.labels(kb=ask.kb))
        return CacheLook(similarity=found.similarity, refused_by=found.refused_by)

    def _found(self, answers: CachedAnswers, ask: Ask, language: str, vector: Vector) -> _Found:
        now_ms, withheld = self._clock_ms(), False

        def may(entry: Entry) -> bool:
            nonlocal withheld
            if not may_be_given(entry.message, ask, language, now_ms):
                return False
            withholds = self._withholds(entry)
            withheld = withheld or withholds
            return not withholds

        exact = answers.get(self.key_of(ask))
        if exact is not None and may(exact):
            return _Found(entry=exact, similarity=1.0, by="words")
        limit = self._kb_limits.get(ask.kb, self._limits).of(language, self._model_id)
        nearest = answers.nearest(vector, limit.least, CANDIDATES_MAX, may)
        asked, refused_by = read(ask.question), ""
        for cosine, entry in nearest:
            verdict = judge(asked, entry.question, cosine, limit)
            if verdict.hit:
                return _Found(entry=entry, similarity=cosine, by="meaning")
            refused_by = refused_by or verdict.refused_by
        return _Found(similarity=nearest[0][0] if nearest else 0.0, refused_by=refused_by, withheld=withheld)

    @staticmethod
    def _count(again: bool, counter: Counter) -> None:
        """One ask is one miss, however often it looks."""
        if not again:
            counter.inc()

    async def keep(self, ask: Ask, language: str, vector: Vector, answer: Answer, cited: Sequence[CitedChunk]) -> None:
        """Publish an answer of the cloud to CACHE. Never raises: what can not be kept is counted and logged."""
        key = self.key_of(ask)
        if reason := self._unfit(key, ask, answer, cited):
            self._metrics.unkept.labels(reason=reason).inc()
            return
        now_ms = self._clock_ms()
        entry = AnswerCached(
            kb=ask.kb,
            key=key,
            question=ask.question,
            language=language,
            tenant=ask.tenant,
            residency=ask.residency,
            model=self._model_id,
            vector_f16=np.asarray(vector, np.float16).tobytes(),
            answer=answer,
            cited=list(cited),
            epoch=dict(answer.epoch),
            at_unix_ms=now_ms,
            expires_unix_ms=now_ms + self._age_ms_max,
        )
        try:
            await self._bus.publish(self._subject(ask.kb, key), entry, msg_id=f"cached/{answer.answer_id}")
        except BusError as error:
            self._metrics.unkept.labels(reason="bus").inc()
            _log.warning("an answer was not kept", extra={"reason": str(error)})
        else:
            self._metrics.kept.labels(kb=ask.kb).inc()

    async def reject(self, kb: str, answer_id: str, reason: str) -> None:
        """Never give it again, nor keep another answer under its question while the rejection is remembered."""
        for entry in [one for one in self._kbs.get(kb, ()) if one.message.answer.answer_id == answer_id]:
            await self._uncache(entry, REJECTED, reason)

    async def on_changed(self, changed: Changed) -> None:
        """A document is not what it was: entries that cite a chunk of it that does not stand any more go."""
        if changed.hub_seq is None:
            self._remember(changed.document, changed.standing)
        await self._judge(changed)

    async def changed(self, kb: str, origin: str, document_id: str, chunk_ids_now: frozenset[bytes]) -> None:
        """The same by the chunks that a document has now (none: it is deleted), whatever the revision."""
        document = DocumentName(kb, self._origin(origin), document_id)
        for entry in self._citing(document):
            if any(chunk.chunk_id not in chunk_ids_now for chunk in entry.documents(self._site)[document]):
                await self._uncache(entry, "revised" if chunk_ids_now else "deleted")

    async def cited_elsewhere(self, carried: Container[DocumentName]) -> dict[DocumentName, set[bytes]]:
        """Chunks that entries cite of documents of other places that are not `carried`."""
        cited: dict[DocumentName, set[bytes]] = {}
        documents = [document for answers in self._kbs.values() for document in answers.documents()]
        for number, document in enumerate(documents):
            if number % DOCUMENTS_PER_TURN == 0:
                # Asks get their turn.
                await asyncio.sleep(0)
            if not document.origin or document in carried:
                continue
            for entry in self._citing(document):
                chunks = entry.documents(self._site)[document]
                cited.setdefault(document, set()).update(chunk.chunk_id for chunk in chunks)
        return cited

    def _withholds(self, entry: Entry) -> bool:
        cited = entry.documents(self._site).items()
        return any(one.origin and self.withheld(one, {chunk.chunk_id for chunk in chunks}) for one, chunks in cited)

    async def _position(self) -> Position:
        return self.follower.position

    async def _forget(self, position: Position) -> None:
        """CACHE was made anew: what it held is not to be given."""
        self._kbs.clear()

    async def _follow(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if isinstance(delivery.message, AnswerCached):
                await self._put(delivery.message)
            elif isinstance(delivery.message, AnswerUncached):
                self._drop(delivery.message)

    async def _put(self, message: AnswerCached) -> None:
        answers = self._kbs.setdefault(message.kb, CachedAnswers(self._site, self._dims, self._entries_max))
        self._rejected.pop(message.key, None)
        if reason := outdated(message, self._model_id, self._dims, self._clock_ms()):
            answers.remove(message.key)
            self._metrics.uncached.labels(kb=message.kb, reason=reason).inc()
            return
        evicted = answers.put(message)
        self._metrics.uncached.labels(kb=message.kb, reason=EVICTED).inc(len(evicted))
        self._metrics.entries.labels(kb=message.kb).set(len(answers))
        entry = answers.get(message.key)
        assert entry is not None
        for document in entry.documents(self._site):
            if (standing := self._changes.get(document)) is not None:
                await self._judge(Changed(document=document, standing=standing))

    def _drop(self, message: AnswerUncached) -> None:
        if message.reason.startswith(REJECTED):
            self._rejected[message.key] = None
            while len(self._rejected) > REJECTED_MAX:
                del self._rejected[next(iter(self._rejected))]
        if (answers := self._kbs.get(message.kb)) is not None and answers.remove(message.key) is not None:
            self._metrics.uncached.labels(kb=message.kb, reason=message.reason.partition(":")[0]).inc()
            self._metrics.entries.labels(kb=message.kb).set(len(answers))

    async def _check(self) -> None:
        """Read what changed since the oldest entry was given; from then on `on_changed` tells of every change."""
        entries = [entry for answers in self._kbs.values() for entry in answers]
        if not self.checked and entries:
            since = min(entry.message.epoch.get(self._site, 0) for entry in entries)
            await self._read_changes(max(0, since - CHECK_FROM_BEFORE))
        self.checked = True

    async def _read_changes(self, after_seq: int) -> None:
        standings = Standings(documents_max=CHANGES_MAX, chunks_max=CHANGED_CHUNKS_MAX)
        filters = [row.at("*") for row in CHANGED]
        async with aclosing(self._bus.scan(subjects.KNOWLEDGE_DOCUMENT.stream, filters, after_seq=after_seq)) as log:
            async for delivery in log:
                message, seq = delivery.message, delivery.stream_seq
                origin = self._origin(delivery.subject.split(".", 2)[1])
                if isinstance(message, DocumentRevised):
                    document = DocumentName(message.manifest.kb, origin, message.manifest.document_id)
                    standing = standings.revise(document, message.manifest, seq)
                    await self._judge(Changed(document=document, standing=standing))
                elif isinstance(message, DocumentShadowed):
                    document = DocumentName(message.kb, origin, message.document_id)
                    standing = standings.shade(document, message, seq)
                    await self._judge(Changed(document=document, standing=standing))

    async def _judge(self, changed: Changed) -> None:
        for entry in self._citing(changed.document):
            standing = changed.for_answer(entry.message.answer.hub_seq)
            doubt = doubt_of(entry.documents(self._site)[changed.document], standing)
            if doubt is not None:
                await self._uncache(entry, doubt.change.value)

    def _citing(self, document: DocumentName) -> list[Entry]:
        answers = self._kbs.get(document.kb)
        return answers.citing(document) if answers is not None else []

    async def _uncache(self, entry: Entry, reason: str, detail: str = "") -> None:
        message = entry.message
        uncached = AnswerUncached(kb=message.kb, key=message.key, reason=f"{reason}: {detail}" if detail else reason)
        self._drop(uncached)
        try:
            msg_id = f"uncached/{message.answer.answer_id}/{reason}"
            await self._bus.publish(self._subject(message.kb, message.key), uncached, msg_id=msg_id)
        except BusError as error:
            # Gone from this replica; others judge the same change, and a start judges it again.
            _log.warning("an entry was not uncached in CACHE", extra={"reason": str(error)})

    def _hit(self, answers: CachedAnswers, entry: Entry, similarity: float, by: str) -> CacheLook:
        answers.used(entry.message.key)
        self._metrics.hits.labels(kb=entry.message.kb, by=by).inc()
        return CacheLook(answer=entry.message.answer, similarity=similarity)

    def _unfit(self, key: bytes, ask: Ask, answer: Answer, cited: Sequence[CitedChunk]) -> str:
        if key in self._rejected:
            return REJECTED
        for chunk in cited:
            standing = self._changes.get(DocumentName(ask.kb, self._origin(chunk.origin), chunk.document_id))
            if standing is not None and doubt_of([chunk], standing) is not None:
                return "changed_meanwhile"
        return unfit(ask.question, answer, cited)

    def _remember(self, document: DocumentName, standing: Standing) -> None:
        """For answers that were under way while their documents changed."""
        self._changes[document] = standing
        self._changes.move_to_end(document)
        while len(self._changes) > CHANGES_MAX:
            self._changes.popitem(last=False)

    def _origin(self, place: str) -> str:
        return "" if place == self._site else place

    def _subject(self, kb: str, key: bytes) -> str:
        return subjects.CACHED.at(self._site, kb, key.hex())
