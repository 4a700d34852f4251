"""Which number each shared chunk of one (origin, kb) has: given once, never again, retired when no document names it.

References are counted by number, not by chunk: a chunk that is sent again for a repair has two numbers for a while.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from causeway.proto.chunks import Manifest
from causeway.proto.outbox import Run
from causeway.sync_delta import runs as runs_

# A numbering that has lost its state begins above all that it gave out before, unless it gave more than this a
# millisecond ever since it began.
NUMBERS_PER_MS = 16


class TombstoneWithPlacesError(ValueError):
    """A tombstone names no chunks: share what `residency.leaving` returns."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """A chunk under its number."""

    number: int
    chunk_id: bytes


class Numbers(Protocol):
    """The numbering as it stands, wherever it is kept."""

    @property
    def next_number(self) -> int:
        """The smallest number that was never given."""

    def current(self, chunk_ids: Collection[bytes]) -> Mapping[bytes, int]:
        """The highest live number of each of these chunks that has one."""

    def documents(self, numbers: Collection[int]) -> Mapping[int, int]:
        """How many shared documents name each of these numbers that is live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """What sharing one revision takes: `send` before the document, `retired` after it.

    `counts` are the rows that change (number -> documents that name it), those of `send` among them; the rows of
    `retired` go.
    """

    runs: tuple[Run, ...]
    send: tuple[Assigned, ...]
    retired: tuple[int, ...]
    counts: Mapping[int, int]
    next_number: int


def first_number(now_ms: int) -> int:
    """Where a numbering without a past begins, so that a lost one does not come back (unix milliseconds)."""
    return max(1, now_ms * NUMBERS_PER_MS)


def share(manifest: Manifest, before: Sequence[Run], numbers: Numbers, again: bool = False) -> Sharing:
    """Share `manifest` in place of what its outbox message named `before`. With `again`, all its chunks are sent anew.

    A number that is not live is taken as retired already, so that the same step may be worked out twice.

    Raises:
        BadRunsError: the document has too many chunks, or `before` can not be runs.
        TombstoneWithPlacesError: the manifest is deleted and names chunks.
    """
    if manifest.deleted and manifest.places:
        raise TombstoneWithPlacesError(f"{manifest.document_id!r}: {TombstoneWithPlacesError.__doc__}")
    chunk_ids = list(dict.fromkeys(place.chunk_id for place in manifest.places))
    known = {} if again else numbers.current(chunk_ids)
    fresh = [chunk_id for chunk_id in chunk_ids if chunk_id not in known]
    first = numbers.next_number
    send = tuple(Assigned(first + place, chunk_id) for place, chunk_id in enumerate(fresh))
    number_of = {**{each.chunk_id: each.number for each in send}, **known}
    counts, retired = _counted(
        set(number_of.values()), set(runs_.numbers_of(before)), {each.number for each in send}, numbers
    )
    return Sharing(
        runs=tuple(runs_.runs_of(manifest.places, number_of)),
        send=send,
        retired=retired,
        counts=counts,
        next_number=first + len(send),
    )


def _counted(
    now: set[int], before: set[int], fresh: set[int], numbers: Numbers
) -> tuple[dict[int, int], tuple[int, ...]]:
    """The new counts of the numbers that one document takes up and lets go, and those that nobody names any more."""
    live = numbers.documents((now ^ before) - fresh)
    counts = {number: live[number] + (1 if number in now else -1) for number in live}
    counts |= dict.fromkeys(fresh, 1)
    retired = tuple(sorted(number for number, documents in counts.items() if documents < 1))
    return {number: counts[number] for number in sorted(counts.keys() - set(retired))}, retired


@dataclass(frozen=True, slots=True)
class Row:
    """A live number."""

    chunk_id: bytes
    documents: int


@dataclass(frozen=True, slots=True)
class Numbering:
    """A numbering in memory, as a value."""

    next_number: int
    rows: Mapping[int, Row] = field(default_factory=dict)

    @classmethod
    def empty(cls, first: int) -> "Numbering":
        """A numbering that has given nothing yet and begins at `first`."""
        return cls(first)

    def current(self, chunk_ids: Collection[bytes]) -> Mapping[bytes, int]:
        """See `Numbers`."""
        wanted = set(chunk_ids)
        return {
            self.rows[number].chunk_id: number for number in sorted(self.rows) if self.rows[number].chunk_id in wanted
        }

    def documents(self, numbers: Collection[int]) -> Mapping[int, int]:
        """See `Numbers`."""
        return {number: self.rows[number].documents for number in numbers if number in self.rows}

    def after(self, sharing: Sharing) -> "Numbering":
        """The numbering once `sharing` has taken place."""
        chunk_of = {each.number: each.chunk_id for each in sharing.send}
        changed = {
            number: Row(chunk_of.get(number) or self.rows[number].chunk_id, documents)
            for number, documents in sharing.counts.items()
        }
        gone = set(sharing.retired)
        return Numbering(sharing.next_number, {n: row for n, row in {**self.rows, **changed}.items() if n not in gone})
