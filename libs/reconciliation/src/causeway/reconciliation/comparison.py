"""A whole comparison from the asking side: bounded in rounds, spans and memory whatever the other side replies."""

from collections.abc import Sequence

from causeway.reconciliation.exchange import (
    FAN_OUT,
    SPANS_MAX,
    BadReplyError,
    Finding,
    Reply,
    Span,
    advance,
    first,
)
from causeway.reconciliation.item_set import UNBOUNDED, ItemSet

DEPTH_MAX = 24
"""Replies on the way from all items to one: an honest side with 2**40 of them needs 12."""
ASKED_PER_ITEM_MAX = 4
"""Spans asked per item of both sides together: an honest side makes us ask less than 1.2."""
THEIRS_MAX = 4_194_304
"""Items that the other side may claim to have, as long as nobody says otherwise."""
_ASKED_MIN = 1_024


class Comparison:
    """`ask`, hand the reply to `take`, until there is nothing to ask. The other side may change meanwhile: then what
    is found is what differed at some moment, and whoever acts on it looks again."""

    def __init__(self, mine: ItemSet, theirs_max: int = THEIRS_MAX) -> None:
        self._mine = mine
        self._theirs_max = theirs_max
        self._pending: list[tuple[int, Span]] = [(0, span) for span in first(mine)]
        self._asked = 0
        self._asked_max = _ASKED_MIN
        self.rounds = 0

    def ask(self) -> tuple[Span, ...]:
        """The next request, the same until its reply was taken; empty when the comparison is done."""
        return tuple(span for _, span in self._batch())

    def take(self, reply: Reply) -> tuple[Finding, ...]:
        """What the reply to `ask` shows.

        Raises:
            BadReplyError: it is no answer to that, or the replies do not come to an end. The comparison is over then.
        """
        batch = self._batch()
        if not batch:
            raise BadReplyError(f"a reply to nothing: {BadReplyError.__doc__}")
        ask, findings = advance(self._mine, reply)
        _check_progress([span for _, span in batch], reply)
        if self.rounds == 0:
            self._asked_max += ASKED_PER_ITEM_MAX * (len(self._mine) + self._claimed(reply))
        self.rounds += 1
        self._asked += len(batch)
        depth = batch[0][0] + 1
        if ask and (depth > DEPTH_MAX or self._asked + len(ask) > self._asked_max):
            raise BadReplyError(f"{self._asked} spans asked, depth {depth}, and no end: {BadReplyError.__doc__}")
        # The newest go first, in their order: so there is never more pending than one reply a level.
        self._pending = [*((depth, span) for span in ask), *self._pending[len(batch) :]]
        return findings

    def _batch(self) -> list[tuple[int, Span]]:
        """The first pending spans of one depth, as far as they are in order of their ranges."""
        batch = self._pending[:SPANS_MAX]
        return [each for each in batch if each[0] == batch[0][0]]

    def _claimed(self, reply: Reply) -> int:
        claimed = sum(span.count for span in reply.spans) + sum(len(items) for _, _, items in reply.listings)
        if claimed > self._theirs_max:
            raise BadReplyError(f"{claimed} items, at most {self._theirs_max}: {BadReplyError.__doc__}")
        return claimed


def _check_progress(asked: Sequence[Span], reply: Reply) -> None:
    """Raises: BadReplyError: a range that was not asked about, one that is as wide as it was, or more than a split."""
    ranges = [(span.low, span.high, True) for span in reply.spans]
    ranges += [(low, high, False) for low, high, _ in reply.listings]
    ranges.sort(key=lambda each: each[0])
    place, splits = 0, 0
    for low, high, split in ranges:
        while place < len(asked) and not _within(low, high, asked[place]):
            place, splits = place + 1, 0
        if place == len(asked):
            raise BadReplyError(f"a range that was not asked about: {BadReplyError.__doc__}")
        splits += split
        if splits > FAN_OUT or (split and (low, high) == (asked[place].low, asked[place].high)):
            raise BadReplyError(f"a range that is not finer than what was asked: {BadReplyError.__doc__}")


def _within(low: bytes, high: bytes, outer: Span) -> bool:
    below = outer.high == UNBOUNDED or (high != UNBOUNDED and high <= outer.high)
    return outer.low <= low and below
