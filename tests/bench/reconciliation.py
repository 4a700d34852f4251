"""`python -m tests.bench.reconciliation`: bytes, rounds and milliseconds of a comparison, as a Markdown table."""

import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from causeway.proto import encode, link
from causeway.reconciliation import Comparison, Item, ItemSet, Reply, Span, answer

ITEMS = 100_000
DIFFERENCES = (0, 1, 10, 100, 1_000, 10_000)
SEED = 7


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one comparison took. Bytes are those of the messages of the link, without headers."""

    asked_bytes: int
    replied_bytes: int
    rounds: int
    asker_ms: float
    answerer_ms: float


def question(spans: Sequence[Span]) -> bytes:
    """The request on the wire."""
    return encode(
        link.Compare(
            kb="kb",
            spans=[
                link.Span(low=each.low, high=each.high, count=each.count, fingerprint=each.fingerprint)
                for each in spans
            ],
        )
    )


def reply_bytes(reply: Reply) -> bytes:
    """The reply on the wire."""
    spans = [
        link.Span(low=each.low, high=each.high, count=each.count, fingerprint=each.fingerprint) for each in reply.spans
    ]
    listings = [
        link.Listing(low=low, high=high, items=[link.Item(document_key=item.key, digest=item.digest) for item in items])
        for low, high, items in reply.listings
    ]
    return encode(link.Compared(kb="kb", spans=spans, listings=listings))


def measured(mine: ItemSet, theirs: ItemSet, differences: int) -> Cost:
    """Compare, and check that all differences were found."""
    comparison, found, asked, replied = Comparison(mine), 0, 0, 0
    asker_s = answerer_s = 0.0
    while True:
        started = time.perf_counter()
        spans = comparison.ask()
        asker_s += time.perf_counter() - started
        if not spans:
            break
        started = time.perf_counter()
        reply = answer(theirs, spans)
        answerer_s += time.perf_counter() - started
        asked, replied = asked + len(question(spans)), replied + len(reply_bytes(reply))
        started = time.perf_counter()
        found += len(comparison.take(reply))
        asker_s += time.perf_counter() - started
    if found != differences:
        raise AssertionError(f"{found} of {differences} differences found")
    return Cost(
        asked_bytes=asked,
        replied_bytes=replied,
        rounds=comparison.rounds,
        asker_ms=asker_s * 1_000,
        answerer_ms=answerer_s * 1_000,
    )


def main() -> None:
    """Compare sets of which some items were edited on one side."""
    source = random.Random(SEED)
    items = [Item(source.randbytes(16), source.randbytes(16)) for _ in range(ITEMS)]
    started = time.perf_counter()
    mine = ItemSet(items)
    built_ms = (time.perf_counter() - started) * 1_000
    whole = len(reply_bytes(Reply((), ((b"", b"", tuple(items)),))))
    out = sys.stdout.write
    out(f"{ITEMS:,} items, a list of all of them is {whole:,} bytes; a set is built in {built_ms:.0f} ms\n\n")
    out("| differ | asked bytes | replied bytes | of the list | rounds | asker ms | answerer ms |\n")
    out("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
    for differences in DIFFERENCES:
        edited = dict.fromkeys(source.sample(range(ITEMS), differences))
        theirs = ItemSet(
            Item(item.key, source.randbytes(16)) if place in edited else item for place, item in enumerate(items)
        )
        cost = measured(mine, theirs, differences)
        share = (cost.asked_bytes + cost.replied_bytes) / whole
        out(
            f"| {differences:,} | {cost.asked_bytes:,} | {cost.replied_bytes:,} | {share:.4f} | {cost.rounds} "
            f"| {cost.asker_ms:.1f} | {cost.answerer_ms:.1f} |\n"
        )


if __name__ == "__main__":
    main()
