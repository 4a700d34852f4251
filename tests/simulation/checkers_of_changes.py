"""Promises that every single durable change must keep. They know the messages of proto and nothing of who made them."""

from collections import Counter, defaultdict

import zstandard

from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from causeway.proto.outbox import ChunkShared, DocumentShared
from tests.simulation.observation import Logs, Record, Violation, Write
from tests.simulation.writers import MARK, SECRET_IDS


class Silent:
    """Listens to nothing; checkers override what they need."""

    def acknowledged(self, write: Write) -> None:
        """A producer got its acknowledgement."""

    def came(self, record: Record) -> None:
        """A message became durable."""

    def went(self, record: Record) -> None:
        """A message was removed for good."""

    def quiet(self, logs: Logs) -> None:
        """Nothing moves any more."""


def arrival(record: Record) -> DocumentRevised | None:
    """The manifest of another place that was applied here, if this is one."""
    foreign = record.log == "KNOWLEDGE" and record.origin != record.place
    return record.message if foreign and isinstance(record.message, DocumentRevised) else None


def version_of(revised: DocumentRevised) -> tuple[int, int]:
    """Revision and repair."""
    return revised.manifest.revision, revised.stamp.repair if revised.stamp else 0


class AppliedOnce(Silent):
    """Nothing is applied twice: each (origin, document, revision, repair) becomes durable once per place."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[object, ...]] = Counter()

    def came(self, record: Record) -> None:
        revised = arrival(record)
        if revised is None:
            return
        effect = (record.place, record.origin, record.kb, record.key, *version_of(revised))
        self._counts[effect] += 1
        if self._counts[effect] > 1:
            raise Violation(f"applied twice: {effect}")


class AppliedInOrder(Silent):
    """Per place, origin and document the revisions rise."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, ...], tuple[int, int]] = {}

    def came(self, record: Record) -> None:
        revised = arrival(record)
        if revised is None:
            return
        of, version = (record.place, record.origin, record.kb, record.key), version_of(revised)
        if version < self._last.get(of, (0, 0)):
            raise Violation(f"out of order: {of} went from {self._last[of]} to {version}")
        self._last[of] = version


class Confined(Silent):
    """No byte of a restricted or internal revision is ever in an outbox, and so none on a link."""

    def came(self, record: Record) -> None:
        if not record.log.startswith("OUTBOX"):
            return
        body = record.entry.body
        if isinstance(record.message, ChunkShared) and record.message.zstd:
            body += zstandard.ZstdDecompressor().decompress(record.message.text)
        self.sent(record.place, record.entry.subject, body)

    def sent(self, place: str, subject: str, body: bytes) -> None:
        """Bytes that leave a place."""
        for secret in (MARK, *SECRET_IDS):
            if secret.encode() in body:
                raise Violation(f"restricted: {secret!r} left {place} in {subject}")


class Whole(Silent):
    """A document in a log names only chunks that stand there, when it comes and for as long as it stands."""

    def __init__(self) -> None:
        self._present: dict[tuple[str, ...], set[object]] = defaultdict(set)
        self._named: dict[tuple[str, ...], dict[str, set[object]]] = defaultdict(dict)

    def came(self, record: Record) -> None:
        room = self._room(record)
        if record.log == "INBOX":
            return
        if record.kind == "chunk":
            self._present[room].add(_name(record))
        elif record.kind == "document":
            named = _names(record)
            missing = named - self._present[room]
            if missing:
                raise Violation(f"not whole: {record.entry.subject} in {record.log} of {record.place} names {missing}")
            self._named[room][record.key] = named

    def went(self, record: Record) -> None:
        room = self._room(record)
        if record.log == "INBOX":
            return
        if record.kind == "document":
            self._named[room].pop(record.key, None)
        elif record.kind == "chunk":
            self._present[room].discard(_name(record))
            holders = [key for key, named in self._named[room].items() if _name(record) in named]
            if holders:
                raise Violation(f"not whole: {record.entry.subject} went from {record.place} and {holders} name it")

    def _room(self, record: Record) -> tuple[str, ...]:
        return record.place, record.log, record.origin, record.kb


def _name(record: Record) -> object:
    return record.message.number if isinstance(record.message, ChunkShared) else record.key


def _names(record: Record) -> set[object]:
    message = record.message
    if isinstance(message, DocumentShared):
        return {number for run in message.runs for number in range(run.start, run.start + run.count)}
    assert isinstance(message, DocumentRevised)
    return {place.chunk_id.hex() for place in message.manifest.places}


class NumbersUnique(Silent):
    """A number of an outbox stands for one content for ever, whatever was lost or retired in between."""

    def __init__(self) -> None:
        self._content: dict[tuple[object, ...], tuple[bytes, bytes]] = {}

    def came(self, record: Record) -> None:
        message = record.message
        if not record.log.startswith("OUTBOX") or not isinstance(message, ChunkShared):
            return
        of, content = (record.place, record.kb, message.number), (message.chunk_id, message.text)
        if self._content.setdefault(of, content) != content:
            raise Violation(f"reused: number {message.number} of {record.kb} at {record.place} has other content now")


class TextFaithful(Silent):
    """A chunk of another place says here what it said there."""

    def __init__(self) -> None:
        self._texts: dict[bytes, str] = {}

    def came(self, record: Record) -> None:
        message = record.message
        if record.log != "KNOWLEDGE" or not isinstance(message, ChunkEmbedded):
            return
        if self._texts.setdefault(message.chunk_id, message.text) != message.text:
            raise Violation(f"changed: {record.entry.subject} at {record.place} says {message.text!r}")
