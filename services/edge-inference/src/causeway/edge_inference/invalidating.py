"""Tells askers that what their answers cite has changed: reads KNOWLEDGE and ANSWERS, publishes to INVALIDATIONS.

Of documents that KNOWLEDGE does not carry it hears from `ForeignWatching`, which asks the hub.

Made as `Invalidating(bus, site, answers, metrics)` on a bus that is about to start; its followers start with the bus.

Once in effect for each answer and document, across replicas and restarts, without a position of its own on any disk:

- Where to begin is derived: a change can matter to an answer only if it stands in KNOWLEDGE after the sequence that the
  answer was given at, so the log is read from the oldest of these among the answers that are followed (ANSWERS is
  durable, and is read first). KNOWLEDGE keeps the newest manifest of each document, which is all that is judged by. A
  crash at any moment, or a week without a link, only means that the same is read and judged again.
- What was told is derived: INVALIDATIONS is durable and is read first too. A replica publishes only if the last message
  of the kb's subject is one that it has read (compare and set), so of two that judge the same at the same time one is
  refused, reads what the other has told, and is silent. `Nats-Msg-Id` (answer:document:revision) covers a publication
  whose acknowledgement was lost.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Container, Sequence

from causeway.bus import Bus, Delivery, Position, WrongLastSequence
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.answer_index import DocumentName, Followed, Told
from causeway.edge_inference.answers_following import BATCH_MAX, AnswersFollowing
from causeway.edge_inference.doubts import Changed, Doubt, Standing, Standings, doubt_of
from causeway.proto import Message, streams, subjects
from causeway.proto.feedback import AnswerInvalidated
from causeway.proto.knowledge import DocumentRevised, DocumentShadowed

STANDINGS_MAX = 20_000
STANDING_CHUNKS_MAX = 200_000
TOLD_MAX = 100_000
RACES_MAX = 20
RACE_WAIT_S = 5.0
DOCUMENTS_PER_TURN = 20
# Answers of other replicas may be on their way that were given a little before this one started.
BEGIN_BEFORE = 1_000
_log = logging.getLogger(__name__)
CHANGED = (subjects.KNOWLEDGE_DOCUMENT, subjects.KNOWLEDGE_SHADOW)


OnChanged = Callable[[Changed], Awaitable[None]]


def wall_clock_ms() -> int:
    """Unix milliseconds."""
    return int(time.time() * 1000)


class Invalidating:
    """At least once within, once in effect; see above. `on_changed` is called for each changed document before any
    asker is told, so that nothing is answered from a cache that an asker was warned of."""

    def __init__(
        self,
        bus: Bus,
        site: str,
        answers: AnswersFollowing,
        metrics: AftermathMetrics,
        *,
        on_changed: Sequence[OnChanged] = (),
        clock_ms: Callable[[], int] = wall_clock_ms,
        standings: Standings | None = None,
    ) -> None:
        self._bus = bus
        self._site = site
        self._answers = answers
        self._metrics = metrics
        self._on_changed = tuple(on_changed)
        self._clock_ms = clock_ms
        # An empty one is false.
        limits = Standings(documents_max=STANDINGS_MAX, chunks_max=STANDING_CHUNKS_MAX)
        self.standings = limits if standings is None else standings
        self._told = Told(TOLD_MAX)
        self._told_seq: dict[str, int] = {}
        self._told_position = Position()
        self._position: Position | None = None
        self._turn = asyncio.Lock()
        answers.listeners.append(self._on_answers)
        self.telling = bus.follow(
            streams.INVALIDATIONS.name,
            [subjects.INVALIDATED.at(site)],
            self._where_told,
            self._on_told,
            message_types=subjects.INVALIDATED.carries,
            batch_max=BATCH_MAX,
            on_reset=self._reset_told,
        )
        self.follower = bus.follow(
            streams.KNOWLEDGE.name,
            [row.at("*") for row in CHANGED],
            self._where,
            self._on_changes,
            message_types=tuple(kind for row in CHANGED for kind in row.carries),
            batch_max=BATCH_MAX,
            on_reset=self._reset,
        )

    async def _where(self) -> Position:
        """After all answers and all that was told: the oldest epoch of an answer, or where this process has come to."""
        await self._answers.follower.caught_up.wait()
        await self.telling.caught_up.wait()
        if self._position is None:
            begin = await self._beginning()
            self.standings.forgotten_seq = begin
            self._position = Position(seq=begin)
        return self._position

    async def _beginning(self) -> int:
        info = await self._bus.broker.js.stream_info(streams.KNOWLEDGE.name)
        oldest, since = self._answers.index.oldest_at(), self._answers.index.oldest_since()
        if oldest is not None and info.created is not None and oldest < info.created.timestamp() * 1000:
            # The sequences that those answers name are of a log that is no more.
            return 0
        last = info.state.last_seq
        return max(0, min(last - BEGIN_BEFORE, last if since is None else since))

    def doubted(self, answer: Followed) -> bool:
        """Whether something that an answer cites is known to have changed."""
        standings = ((chunks, self.standings.of(document)) for document, chunks in answer.documents().items())
        return any(doubt_of(chunks, standing) for chunks, standing in standings if standing is not None)

    async def cited_elsewhere(self, carried: Container[DocumentName]) -> dict[DocumentName, set[bytes]]:
        """Chunks of documents of other places that are not `carried`, as far as no asker was told of a change yet."""
        cited: dict[DocumentName, set[bytes]] = {}
        for number, document in enumerate(list(self._answers.index.documents())):
            if number % DOCUMENTS_PER_TURN == 0:
                # Asks get their turn.
                await asyncio.sleep(0)
            if not document.origin or document in carried:
                continue
            for answer in self._answers.index.citing(document):
                if not self._told.has(answer.answer_id, document):
                    cited.setdefault(document, set()).update(answer.chunks_of(document))
        return cited

    async def hear(self, changed: Changed) -> None:
        """The hub said this of a document that this site's log does not carry: once in effect, as above. It is not kept
        for answers that come to be known later, which are asked about themselves.

        Raises:
            BusError: some were not told; the same may be heard again.
        """
        await self._tell(changed)

    async def _reset(self, position: Position) -> None:
        _log.warning("KNOWLEDGE is not the log that was followed: judging answers by it from its start")
        self._position = position

    async def _where_told(self) -> Position:
        return self._told_position

    async def _reset_told(self, position: Position) -> None:
        self._told_position = position
        self._told_seq.clear()

    async def _on_told(self, deliveries: Sequence[Delivery]) -> None:
        for each in deliveries:
            assert isinstance(each.message, AnswerInvalidated)
            self._remember(each.message, each.stream_seq)
        created = self.telling.position.stream_created
        self._told_position = Position(seq=deliveries[-1].stream_seq, stream_created=created)

    async def _on_changes(self, deliveries: Sequence[Delivery]) -> None:
        for each in deliveries:
            origin = each.subject.split(".", 2)[1]
            document, standing = self._stands("" if origin == self._site else origin, each.message, each.stream_seq)
            await self._tell(Changed(document=document, standing=standing))
        created = self.follower.position.stream_created
        self._position = Position(seq=deliveries[-1].stream_seq, stream_created=created)

    async def _tell(self, changed: Changed) -> None:
        for tell in self._on_changed:
            await tell(changed)
        for answer in self._answers.index.citing(changed.document):
            await self._judge(answer, changed.document, changed.for_answer(answer.hub_seq))

    def _stands(self, origin: str, message: Message, seq: int) -> tuple[DocumentName, Standing]:
        if isinstance(message, DocumentShadowed):
            document = DocumentName(message.kb, origin, message.document_id)
            return document, self.standings.shade(document, message, seq)
        assert isinstance(message, DocumentRevised)
        manifest = message.manifest
        document = DocumentName(manifest.kb, origin, manifest.document_id)
        return document, self.standings.revise(document, manifest, seq)

    async def _on_answers(self, answers: Sequence[Followed]) -> None:
        """An answer comes to be known after the reply; what it cites may have changed meanwhile."""
        for answer in answers:
            if answer.since is not None and answer.since < self.standings.forgotten_seq:
                # It is judged by what changes from now on, and by all at the next start.
                self._metrics.unfollowed.labels(reason="late").inc()
            for document in answer.documents():
                standing = self.standings.of(document)
                if standing is not None:
                    await self._judge(answer, document, standing)

    async def _judge(self, answer: Followed, document: DocumentName, standing: Standing) -> None:
        doubt = doubt_of(answer.documents()[document], standing)
        if doubt is None:
            return
        async with self._turn:
            for _ in range(RACES_MAX):
                if self._told.has(answer.answer_id, document):
                    return
                if await self._publish(answer, document, doubt):
                    self._metrics.invalidated.labels(kb=answer.kb, change=doubt.change).inc()
                    return
        # The follower begins again from its position, and with it all that was not told.
        raise WrongLastSequence(f"{subjects.INVALIDATED.at(self._site, answer.kb)} after {RACES_MAX} attempts")

    async def _publish(self, answer: Followed, document: DocumentName, doubt: Doubt) -> bool:
        """Whether it was published; if not, what others have told meanwhile has been read."""
        subject = subjects.INVALIDATED.at(self._site, answer.kb)
        message = AnswerInvalidated(
            answer_id=answer.answer_id,
            kb=answer.kb,
            asker=answer.asker,
            change=doubt.change,
            document_id=document.document_id,
            origin=document.origin,
            revision=doubt.revision,
            at_unix_ms=self._clock_ms(),
        )
        name = f"{document.origin}/{document.document_id}" if document.origin else document.document_id
        try:
            ack = await self._bus.publish(
                subject,
                message,
                msg_id=f"{answer.answer_id}:{name}:{doubt.revision}",
                expected_last_subject_seq=self._told_seq.get(answer.kb, 0),
            )
        except WrongLastSequence:
            await self._read_told(answer.kb, subject)
            return False
        if ack.duplicate:
            # Another replica has told the same, perhaps after more that has not been read here.
            await self._read_told(answer.kb, subject)
            return False
        self._remember(message, ack.seq)
        return True

    async def _read_told(self, kb: str, subject: str) -> None:
        """Wait until all is read that stands on the subject; nothing stands there once all of it has aged out."""
        last = await self._bus.last(streams.INVALIDATIONS.name, subject)
        wanted = 0 if last is None else last.seq
        async with asyncio.timeout(RACE_WAIT_S):
            while self.telling.position.seq < wanted:  # noqa: ASYNC110  # A follower has no event for a position.
                await asyncio.sleep(0.01)
        self._told_seq[kb] = wanted

    def _remember(self, message: AnswerInvalidated, seq: int) -> None:
        self._told.add(message.answer_id, message.origin, message.document_id)
        self._told_seq[message.kb] = max(seq, self._told_seq.get(message.kb, 0))
