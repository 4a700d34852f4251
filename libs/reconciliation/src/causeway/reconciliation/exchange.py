"""One round of a comparison: what is asked, what the answer is, and what follows from it. Nobody keeps any state."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from causeway.reconciliation.item_set import (
    DIGEST_BYTES,
    FINGERPRINT_BYTES,
    KEY_BYTES,
    UNBOUNDED,
    Item,
    ItemSet,
)

FAN_OUT = 16
LEAF_ITEMS_MAX = 32
SPANS_MAX = 512
"""Spans in one request."""
ITEMS_MAX = SPANS_MAX * LEAF_ITEMS_MAX
"""Items in one reply; it has at most `SPANS_MAX * FAN_OUT` spans beside them."""


class BadRequestError(ValueError):
    """What was asked is no comparison: it needs at most 512 ranges in order, each with a count and a fingerprint."""


class BadReplyError(ValueError):
    """What came back is no answer to what was asked: the other side is damaged, hostile or of another version."""


@dataclass(frozen=True, slots=True)
class Span:
    """The items with low <= key < high of whoever says so (an empty `high`: no bound)."""

    low: bytes
    high: bytes
    count: int
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """Of the spans asked that differ: finer spans to compare, and (low, high, all items) of those that are small."""

    spans: tuple[Span, ...]
    listings: tuple[tuple[bytes, bytes, tuple[Item, ...]], ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A key on which the two differ, with both digests; None where the item is not there."""

    key: bytes
    mine: bytes | None
    theirs: bytes | None


def first(mine: ItemSet) -> tuple[Span, ...]:
    """The beginning: one span over everything. Equal sets need no more than this."""
    return (_span(mine, UNBOUNDED, UNBOUNDED),)


def answer(mine: ItemSet, spans: Sequence[Span]) -> Reply:
    """The answering side: nothing about spans that are equal, the items of small ones, a split of the others.

    Raises:
        BadRequestError: too many spans, out of order, or of wrong sizes.
    """
    try:
        checked(spans, SPANS_MAX)
    except BadReplyError as error:
        raise BadRequestError(f"{error.args[0]}: {BadRequestError.__doc__}") from error
    finer: list[Span] = []
    listings: list[tuple[bytes, bytes, tuple[Item, ...]]] = []
    room = ITEMS_MAX - LEAF_ITEMS_MAX * len(spans)
    for span in spans:
        count = mine.count(span.low, span.high)
        if _same(mine, span):
            continue
        if count > LEAF_ITEMS_MAX and not (span.count == 0 and count <= room):
            finer += _split(mine, span.low, span.high)
            continue
        # Whoever has nothing in a span needs all of it: a listing saves the rounds of finding that out.
        room -= max(0, count - LEAF_ITEMS_MAX)
        listings.append((span.low, span.high, mine.items(span.low, span.high)))
    return Reply(tuple(finer), tuple(listings))


def advance(mine: ItemSet, reply: Reply) -> tuple[tuple[Span, ...], tuple[Finding, ...]]:
    """The asking side: what to ask next (any number of spans: ask `SPANS_MAX` at a time), and what has been found.

    Raises:
        BadReplyError: spans or listings out of order or of wrong sizes.
    """
    checked(reply.spans, SPANS_MAX * FAN_OUT)
    checked_listings(reply)
    findings = [found for listing in reply.listings for found in _compared(mine, *listing)]
    ask: list[Span] = []
    for theirs in reply.spans:
        if _same(mine, theirs):
            continue
        count = mine.count(theirs.low, theirs.high)
        if theirs.count == 0:
            findings += (Finding(item.key, item.digest, None) for item in mine.items(theirs.low, theirs.high))
        elif min(count, theirs.count) <= LEAF_ITEMS_MAX:
            ask.append(_span(mine, theirs.low, theirs.high))
        else:
            ask += _split(mine, theirs.low, theirs.high)
    return tuple(ask), tuple(findings)


def checked(spans: Sequence[Span], spans_max: int) -> None:
    """Raises: BadReplyError: too many spans, overlapping or out of order, or with fields of wrong sizes."""
    if len(spans) > spans_max:
        raise BadReplyError(f"{len(spans)} spans, at most {spans_max}: {BadReplyError.__doc__}")
    if any(span.count < 0 or len(span.fingerprint) != FINGERPRINT_BYTES for span in spans):
        raise BadReplyError(f"a span without a count or a fingerprint: {BadReplyError.__doc__}")
    _check_ranges([(span.low, span.high) for span in spans])


def checked_listings(reply: Reply) -> None:
    """Raises: BadReplyError: listings that overlap, or items that are too many, out of order or of wrong sizes."""
    _check_ranges([(low, high) for low, high, _ in reply.listings])
    if sum(len(items) for _, _, items in reply.listings) > ITEMS_MAX:
        raise BadReplyError(f"more than {ITEMS_MAX} items: {BadReplyError.__doc__}")
    for low, high, items in reply.listings:
        keys = [item.key for item in items]
        inside = all(low <= key and (high == UNBOUNDED or key < high) for key in keys)
        sizes = all(len(item.key) == KEY_BYTES and len(item.digest) == DIGEST_BYTES for item in items)
        if not inside or not sizes or any(a >= b for a, b in pairwise(keys)):
            raise BadReplyError(f"a listing of other items than its range has: {BadReplyError.__doc__}")


def _check_ranges(ranges: Sequence[tuple[bytes, bytes]]) -> None:
    end: bytes | None = b""
    for low, high in ranges:
        if max(len(low), len(high)) > KEY_BYTES or end is None or low < end or (high != UNBOUNDED and high <= low):
            raise BadReplyError(f"ranges that are empty, overlap or are out of order: {BadReplyError.__doc__}")
        end = None if high == UNBOUNDED else high


def _span(mine: ItemSet, low: bytes, high: bytes) -> Span:
    return Span(low, high, mine.count(low, high), mine.fingerprint(low, high))


def _split(mine: ItemSet, low: bytes, high: bytes) -> Iterator[Span]:
    return (_span(mine, *part) for part in mine.cut(low, high, FAN_OUT))


def _same(mine: ItemSet, span: Span) -> bool:
    return span.count == mine.count(span.low, span.high) and span.fingerprint == mine.fingerprint(span.low, span.high)


def _compared(mine: ItemSet, low: bytes, high: bytes, items: tuple[Item, ...]) -> Iterator[Finding]:
    here = {item.key: item.digest for item in mine.items(low, high)}
    there = {item.key: item.digest for item in items}
    for key in sorted(here.keys() | there.keys()):
        if here.get(key) != there.get(key):
            yield Finding(key, here.get(key), there.get(key))
