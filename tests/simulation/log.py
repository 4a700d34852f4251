"""A stream as nats-server keeps it: last per subject, sequences that never return, and a suffix that is not synced.

Readers see what is synced only, as consumers do of a server that syncs before it acknowledges. A crash loses a part of
what is not; what it had replaced is then back.
"""

import bisect
from collections.abc import Callable
from dataclasses import dataclass


class WrongLastError(Exception):
    """The subject's last sequence is not the one that the publisher expected."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored message. `source_seq` is its sequence in the stream that it was sourced from, 0 if it was published."""

    seq: int
    subject: str
    body: bytes
    at_ms: int
    source: str = ""
    source_seq: int = 0


@dataclass(frozen=True, slots=True)
class _Undo:
    entry: Entry | None
    removed: Entry | None


Watcher = Callable[[Entry | None, Entry | None], None]
"""Told of each synced change: what came, what went."""


class CompactedLog:
    """The last message per subject. `watch` is called when a change is durable, in order."""

    def __init__(self, name: str, watch: Watcher) -> None:
        self.name = name
        self._watch = watch
        self._order: list[int] = []
        self._entries: dict[int, Entry] = {}
        self._last: dict[str, int] = {}
        self._pending: list[_Undo] = []
        self._next = 1
        self.synced_seq = 0

    def append(self, entry: Entry, expected_last: int | None = None) -> int:
        """Store, not yet durable. The sequence in `entry` is replaced by the log's own.

        Raises:
            WrongLastError: the subject's last sequence is not `expected_last`.
        """
        before = self._last.get(entry.subject, 0)
        if expected_last is not None and before != expected_last:
            raise WrongLastError(entry.subject)
        stored = Entry(self._next, entry.subject, entry.body, entry.at_ms, entry.source, entry.source_seq)
        self._next += 1
        removed = self._entries.pop(before) if before else None
        self._put(stored)
        self._pending.append(_Undo(stored, removed))
        return stored.seq

    def purge(self, subject: str, below: int | None = None) -> None:
        """Remove what the subject holds, if it stands below this sequence. Not yet durable."""
        seq = self._last.get(subject, 0)
        if seq and (below is None or seq < below):
            removed = self._entries.pop(seq)
            del self._last[subject]
            self._pending.append(_Undo(None, removed))

    def sync(self) -> None:
        """Make everything durable."""
        pending, self._pending = self._pending, []
        self.synced_seq = self._next - 1
        for change in pending:
            self._watch(change.entry, change.removed)

    def crash(self, keep: int) -> int:
        """Keep only the first `keep` changes that were not synced. Returns how many are lost."""
        lost = self._pending[keep:]
        del self._pending[keep:]
        for change in reversed(lost):
            self._undo(change)
        self.sync()
        return len(lost)

    @property
    def unsynced(self) -> int:
        """How many changes a crash could lose."""
        return len(self._pending)

    def last(self, subject: str) -> Entry | None:
        """What the subject holds, synced or not."""
        seq = self._last.get(subject, 0)
        return self._entries[seq] if seq else None

    def after(self, seq: int) -> Entry | None:
        """The first synced message past a sequence."""
        index = bisect.bisect_right(self._order, seq)
        while index < len(self._order) and self._order[index] <= self.synced_seq:
            entry = self._entries.get(self._order[index])
            if entry is not None:
                return entry
            index += 1
        return None

    def entries(self) -> list[Entry]:
        """All that stands, in order."""
        return [self._entries[seq] for seq in self._order if seq in self._entries]

    def _put(self, entry: Entry) -> None:
        self._entries[entry.seq] = entry
        self._last[entry.subject] = entry.seq
        self._order.append(entry.seq)

    def _undo(self, change: _Undo) -> None:
        if change.entry is not None:
            del self._entries[change.entry.seq]
            del self._last[change.entry.subject]
            self._order.remove(change.entry.seq)
            self._next = change.entry.seq
        if change.removed is not None:
            self._entries[change.removed.seq] = change.removed
            self._last[change.removed.subject] = change.removed.seq
            if change.removed.seq not in self._order:
                bisect.insort(self._order, change.removed.seq)
