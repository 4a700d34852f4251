"""What happened, as the checkers hear it: acknowledged writes, and durable changes of logs, decoded by proto alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from causeway.proto import Message, decode
from causeway.proto.documents import DocumentStatus, Residency
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised, DocumentShadowed, Watermark
from causeway.proto.outbox import ChunkShared, DocumentShared
from tests.simulation.log import CompactedLog, Entry

KINDS: Mapping[tuple[str, str], type[Message]] = {
    ("knowledge", "chunk"): ChunkEmbedded,
    ("knowledge", "document"): DocumentRevised,
    ("knowledge", "shadow"): DocumentShadowed,
    ("outbox", "chunk"): ChunkShared,
    ("outbox", "document"): DocumentShared,
}


class Violation(AssertionError):
    """A promise was broken: the name of the checker, the time and what was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A document that a producer published and whose acknowledgement it got. `known`: what stood there at that time."""

    place: str
    kb: str
    document_id: str
    document_key: bytes
    revision: int
    residency: Residency
    deleted: bool
    title: str
    texts: tuple[str, ...]
    known: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Record:
    """One stored message, its subject taken apart."""

    place: str
    log: str
    origin: str
    kb: str
    kind: str
    key: str
    entry: Entry
    message: Message


def record(place: str, log: str, entry: Entry) -> Record:
    """Decode a message by its subject."""
    tokens = entry.subject.split(".")
    if tokens[2] == "watermark":
        return Record(place, log, tokens[1], "", "watermark", "", entry, decode(entry.body, Watermark))
    if tokens[2] == "status":
        return Record(place, log, tokens[1], tokens[3], "status", tokens[4], entry, decode(entry.body, DocumentStatus))
    message = decode(entry.body, KINDS[tokens[2], tokens[4]])
    return Record(place, log, tokens[1], tokens[3], tokens[4], tokens[5], entry, message)


class Checker(Protocol):
    """One promise. Each method may raise `Violation`."""

    def acknowledged(self, write: Write) -> None: ...

    def came(self, record: Record) -> None: ...

    def went(self, record: Record) -> None: ...

    def quiet(self, logs: "Logs") -> None: ...


Logs = Mapping[tuple[str, str], CompactedLog]
"""By place and name."""


def records(logs: Logs, place: str, log: str) -> list[Record]:
    """All that stands in a log, decoded."""
    return [record(place, log, entry) for entry in logs[place, log].entries()]


@dataclass
class Observer:
    """Passes on what happens to all checkers, and keeps the logs by name."""

    checkers: list[Checker]
    broken: Callable[[Violation], None] = lambda violation: None
    logs: dict[tuple[str, str], CompactedLog] = field(default_factory=dict)

    def log(self, place: str, name: str) -> CompactedLog:
        """A new log whose durable changes are observed."""
        made = CompactedLog(name, lambda came, went: self._changed(place, name, came, went))
        self.logs[place, name] = made
        return made

    def acknowledged(self, write: Write) -> None:
        """A producer got its acknowledgement."""
        for checker in self.checkers:
            checker.acknowledged(write)

    def quiet(self) -> None:
        """Nothing moves any more."""
        for checker in self.checkers:
            checker.quiet(self.logs)

    def _changed(self, place: str, name: str, came: Entry | None, went: Entry | None) -> None:
        if went is not None and came is None:
            gone = record(place, name, went)
            self._tell([checker.went for checker in self.checkers], gone)
        if came is not None:
            arrived = record(place, name, came)
            self._tell([checker.came for checker in self.checkers], arrived)

    def _tell(self, listeners: list[Callable[[Record], None]], what: Record) -> None:
        # Not raised here: the code under test, which has caused it, might catch it.
        for listener in listeners:
            try:
                listener(what)
            except Violation as violation:
                self.broken(violation)
