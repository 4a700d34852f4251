"""KNOWLEDGE to decisions: every manifest is folded into the versions of its document, and one's own passes the gate.

Exactly once in effect: versions, clock, queue and position are one transaction. What is decided is published by
`sending`, what gives way to another version by `shadowing`; both read what this has committed.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from causeway.bus import Delivery, Position
from causeway.merge import Version
from causeway.proto import subjects
from causeway.proto.chunks import Manifest
from causeway.proto.identity import document_key
from causeway.proto.knowledge import DocumentRevised, Stamp
from causeway.sync_delta import residency, window
from causeway.sync_delta.metrics import Metrics
from causeway.sync_delta.outbox_tables import Decided
from causeway.sync_delta.residency import Action, Decision
from causeway.sync_delta.state import State, Tables
from causeway.sync_delta.versions import Heard, fold, retraction_of, stamp_of

CHUNK_BYTES_GUESS = 1_200
"""What a chunk takes in the outbox, before it has been encoded: only the order of the queue depends on it."""
MANIFEST_BYTES_GUESS = 400
WITHDRAWN = "A comparison found it at the other side, where it is not shared: the other side deletes it."
BURST_DOCUMENTS = 64
"""A document that is new while so many small ones wait is one of a load, however small it is."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A manifest of the log with where and when it stands."""

    origin: str
    manifest: Manifest
    revised: DocumentRevised
    time_ms: int


class Outgoing:
    """The follower of `site.*.knowledge.*.document.*`. `woken` is called when there is something to publish."""

    def __init__(
        self,
        place: str,
        chunk_key: bytes,
        state: State,
        policy: window.Policy,
        metrics: Metrics,
        woken: Callable[[], None],
    ) -> None:
        self._place = place
        self._key = chunk_key
        self._state = state
        self._policy = policy
        self._metrics = metrics
        self._woken = woken
        self.followed: Callable[[], Position] = Position

    async def position(self) -> Position:
        """What of KNOWLEDGE has been taken."""
        return await self._state.read(lambda tables: tables.marks.knowledge)

    async def reset(self, position: Position) -> None:
        """KNOWLEDGE was made anew: it is taken from its start, what is known and shared stays."""
        await self._state.write(lambda tables: setattr(tables.marks, "knowledge", position))

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """One batch, one transaction."""
        began = time.perf_counter()
        taken = [_taken(delivery) for delivery in deliveries]
        position = Position(seq=deliveries[-1].stream_seq, stream_created=self.followed().stream_created)
        decisions = await self._state.write(lambda tables: self._commit(tables, taken, position))
        for decision in decisions:
            self._metrics.decisions.labels(decision.action.value, decision.label.value).inc()
        self._metrics.batch_seconds.labels("knowledge").observe(time.perf_counter() - began)
        self._woken()

    async def resend(self, kb: str, entries: Sequence[tuple[Manifest, bool]]) -> int:
        """Share manifests of this place once more as a repair, if what is shared is that revision. Returns how many.

        The flag sends all chunks again too, not only the manifest.
        """
        now_ms = time.time_ns() // 1_000_000

        def act(tables: Tables) -> int:
            return sum(self._resend_one(tables, manifest, chunks_too, now_ms) for manifest, chunks_too in entries)

        count = await self._state.write(act)
        self._woken()
        return count

    async def withdraw(self, manifest: Manifest, repair: int) -> None:
        """Take back a document that the other side holds and this place does not share, as a repair of its revision."""
        now_ms = time.time_ns() // 1_000_000
        decision = Decision(Action.RETRACT, manifest.residency, WITHDRAWN)

        stamp = Stamp(wall_ms=0, counter=0, origin=self._place, repair=repair + 1)
        decided = Decided(manifest=residency.leaving(manifest, decision), stamp=stamp, decision=decision)
        await self._state.write(lambda tables: self._enqueue(tables, decided, edit=True, now_ms=now_ms))
        self._woken()

    def _resend_one(self, tables: Tables, manifest: Manifest, chunks_too: bool, now_ms: int) -> bool:
        known = tables.versions.known(document_key(self._key, manifest.kb, manifest.document_id))
        version = known.versions.get(self._place)
        shared = tables.outbox.shared(manifest.kb, manifest.document_key)
        if version is None or version.revision != manifest.revision:
            return False
        decision = residency.gate(manifest, shared is not None and not shared.deleted)
        if not decision.leaves:
            return False
        repair = shared.repair + 1 if shared is not None and shared.revision == manifest.revision else 0
        decided = Decided(
            manifest=residency.leaving(manifest, decision),
            stamp=_stamp(version, decision, repair),
            decision=decision,
            again=chunks_too,
        )
        self._enqueue(tables, decided, edit=True, now_ms=now_ms)
        return True

    def _commit(self, tables: Tables, taken: Sequence[Taken], position: Position) -> list[Decision]:
        decisions = []
        clock = tables.marks.clock
        for entry in taken:
            manifest = entry.manifest
            name = document_key(self._key, manifest.kb, manifest.document_id)
            heard = Heard(origin=entry.origin, manifest=manifest, stamp=entry.revised.stamp, time_ms=entry.time_ms)
            folded = fold(tables.versions.known(name), clock, heard)
            clock = folded.clock
            tables.versions.put(name, folded.version, folded.known.keys[entry.origin])
            tables.versions.shade(name, folded.shadowed)
            if entry.origin == self._place and folded.version.revision == manifest.revision:
                decisions.append(self._decide(tables, manifest, folded.known.versions[self._place], entry.time_ms))
        tables.marks.clock = clock
        tables.marks.knowledge = position
        return decisions

    def _decide(self, tables: Tables, manifest: Manifest, version: Version, now_ms: int) -> Decision:
        shared = tables.outbox.shared(manifest.kb, manifest.document_key)
        live = shared is not None and not shared.deleted
        decision = residency.gate(manifest, live)
        tables.outbox.withhold(
            manifest.kb, manifest.document_key, not manifest.deleted and decision.action is not Action.SHARE
        )
        if not decision.leaves:
            tables.outbox.dequeue(manifest.kb, manifest.document_key)
            return decision
        leaving = residency.leaving(manifest, decision)
        same = shared is not None and shared.revision == leaving.revision
        if shared is not None and same and shared.manifest_hash == manifest_hash(leaving):
            tables.outbox.dequeue(manifest.kb, manifest.document_key)
            return decision
        # The same revision with other content: it was embedded again for another model.
        repair = shared.repair + 1 if shared is not None and same else 0
        decided = Decided(manifest=leaving, stamp=_stamp(version, decision, repair), decision=decision)
        self._enqueue(tables, decided, edit=live, now_ms=now_ms)
        return decision

    def _enqueue(self, tables: Tables, decided: Decided, *, edit: bool, now_ms: int) -> None:
        manifest = decided.manifest
        chunk_ids = {place.chunk_id for place in manifest.places}
        held = {} if decided.again else tables.outbox.numbers(manifest.kb, 0).current(chunk_ids)
        chunks_new = len(chunk_ids) - len(held)
        bytes_out = MANIFEST_BYTES_GUESS + chunks_new * CHUNK_BYTES_GUESS
        class_ = window.class_of(chunks_new, bytes_out, self._policy)
        if not edit and tables.outbox.queued_at_least(window.Class.INTERACTIVE, BURST_DOCUMENTS):
            class_ = window.Class.BULK
        tables.outbox.enqueue(decided, class_, now_ms, chunks_new, bytes_out)


def _stamp(version: Version, decision: Decision, repair: int) -> Stamp:
    return retraction_of(version, repair) if decision.action is Action.RETRACT else stamp_of(version, repair)


def manifest_hash(manifest: Manifest) -> bytes:
    """Tells whether a manifest says the same as another of its revision."""
    return hashlib.blake2b(msgspec.msgpack.encode(manifest), digest_size=16).digest()


def _taken(delivery: Delivery) -> Taken:
    assert isinstance(delivery.message, DocumentRevised)
    return Taken(
        origin=delivery.subject.split(".")[1],
        manifest=delivery.message.manifest,
        revised=delivery.message,
        time_ms=int(delivery.timestamp.timestamp() * 1000),
    )


FILTERS = (subjects.KNOWLEDGE_DOCUMENT.at("*"),)
