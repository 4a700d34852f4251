"""A comparison finds exactly what differs, between any two sets, and ends whatever the other side replies."""

import contextlib
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causeway.reconciliation import (
    FAN_OUT,
    ITEMS_MAX,
    LEAF_ITEMS_MAX,
    SPANS_MAX,
    BadReplyError,
    BadRequestError,
    Comparison,
    Finding,
    Item,
    ItemSet,
    Reply,
    Span,
    advance,
    answer,
    first,
)

Content = dict[bytes, bytes]
REPLIES_MAX = 100_000


def drawn(count: int, seed: int) -> Content:
    source = random.Random(seed)
    return {source.randbytes(16): source.randbytes(16) for _ in range(count)}


def item_set(content: Content) -> ItemSet:
    return ItemSet(Item(key, digest) for key, digest in content.items())


def differences(mine: Content, theirs: Content) -> dict[bytes, Finding]:
    return {
        key: Finding(key, mine.get(key), theirs.get(key))
        for key in mine.keys() | theirs.keys()
        if mine.get(key) != theirs.get(key)
    }


def compared(mine: ItemSet, reply_to: Callable[[tuple[Span, ...]], Reply]) -> tuple[list[Finding], Comparison]:
    comparison, findings = Comparison(mine), list[Finding]()
    while spans := comparison.ask():
        assert len(spans) <= SPANS_MAX
        assert comparison.rounds < REPLIES_MAX
        findings += comparison.take(reply_to(spans))
    return findings, comparison


def honest(content: Content) -> Callable[[tuple[Span, ...]], Reply]:
    held = item_set(content)
    return lambda spans: answer(held, spans)


@st.composite
def pairs_of_sets(draw: st.DrawFn) -> tuple[Content, Content]:
    """Sets of any overlap: evenly spread, or crowded under a few prefixes."""
    source = draw(st.randoms(use_true_random=False))
    crowded = draw(st.booleans())
    sizes = st.sampled_from([0, 1, 2, LEAF_ITEMS_MAX, LEAF_ITEMS_MAX + 1, 100, 600])

    def content(count: int) -> Content:
        heads = [bytes(12), b"\xff" * 12] if crowded else [source.randbytes(12) for _ in range(count)]
        return {source.choice(heads) + source.randbytes(4): source.randbytes(16) for _ in range(count)}

    both, here, there = (content(draw(sizes)) for _ in range(3))
    edited = {key: source.randbytes(16) for key in both if source.random() < draw(st.sampled_from([0.0, 0.02, 1.0]))}
    return both | here, both | edited | there


@given(pairs_of_sets())
@settings(max_examples=150, deadline=None)
def test_exactly_the_differences_are_found_each_once(pair: tuple[Content, Content]) -> None:
    mine, theirs = pair
    findings, _ = compared(item_set(mine), honest(theirs))
    assert {found.key: found for found in findings} == differences(mine, theirs)
    assert len(findings) == len(differences(mine, theirs))


@given(pairs_of_sets())
@settings(max_examples=50, deadline=None)
def test_the_functions_alone_without_any_state_find_the_same(pair: tuple[Content, Content]) -> None:
    mine, theirs = item_set(pair[0]), item_set(pair[1])
    pending, findings = list(first(mine)), list[Finding]()
    while pending:
        asked, pending = pending[:SPANS_MAX], pending[SPANS_MAX:]
        ask, found = advance(mine, answer(theirs, asked))
        pending, findings = [*ask, *pending], [*findings, *found]
    assert {found.key: found for found in findings} == differences(*pair)


def test_equal_sets_cost_one_question_of_one_span_and_an_empty_reply() -> None:
    content = drawn(5_000, 1)
    replies: list[Reply] = []

    def reply_to(spans: tuple[Span, ...]) -> Reply:
        replies.append(answer(item_set(content), spans))
        return replies[-1]

    findings, comparison = compared(item_set(content), reply_to)
    assert findings == []
    assert comparison.rounds == 1
    assert replies == [Reply((), ())]


def test_one_difference_among_many_takes_a_few_rounds() -> None:
    content = drawn(50_000, 2)
    edited = content | {next(iter(content)): bytes(16)}
    findings, comparison = compared(item_set(content), honest(edited))
    assert len(findings) == 1
    assert comparison.rounds <= 4


def test_an_empty_replica_gets_all_items_by_listing_them() -> None:
    content = drawn(ITEMS_MAX + 5_000, 3)
    findings, comparison = compared(item_set({}), honest(content))
    assert len(findings) == len(content)
    assert comparison.rounds <= 4
    assert len(compared(item_set(content), honest({}))[0]) == len(content)


def test_two_sets_without_a_common_item_stay_within_the_limits_of_a_message() -> None:
    held = item_set(drawn(8_000, 4))

    def reply_to(spans: tuple[Span, ...]) -> Reply:
        reply = answer(held, spans)
        assert sum(len(items) for _, _, items in reply.listings) <= ITEMS_MAX
        assert len(reply.spans) <= SPANS_MAX * FAN_OUT
        return reply

    findings, _ = compared(item_set(drawn(8_000, 5)), reply_to)
    assert len(findings) == 16_000


def test_a_side_that_changes_meanwhile_is_compared_to_the_end() -> None:
    content = drawn(3_000, 6)
    source = random.Random(7)

    def reply_to(spans: tuple[Span, ...]) -> Reply:
        content[source.randbytes(16)] = bytes(16)
        content.pop(next(iter(content)))
        return answer(item_set(content), spans)

    compared(item_set(drawn(3_000, 6)), reply_to)


SPAN = Span(b"", b"", 5, bytes(16))
GOOD = Item(b"k" * 16, bytes(16))


@pytest.mark.parametrize(
    "spans",
    [
        [SPAN] * 2,
        [replace(SPAN, low=b"b", high=b"a")],
        [replace(SPAN, low=b"a", high=b"a")],
        [replace(SPAN, low=b"b", high=b"c"), replace(SPAN, low=b"a", high=b"b")],
        [replace(SPAN, low=b"a", high=b"c"), replace(SPAN, low=b"b", high=b"d")],
        [replace(SPAN, low=bytes(17))],
        [replace(SPAN, count=-1)],
        [replace(SPAN, fingerprint=b"")],
        [replace(SPAN, low=n.to_bytes(2, "big"), high=(n + 1).to_bytes(2, "big")) for n in range(SPANS_MAX + 1)],
    ],
)
def test_a_malformed_question_is_refused_and_as_a_reply_too(spans: list[Span]) -> None:
    with pytest.raises(BadRequestError):
        answer(item_set({}), spans)
    with pytest.raises(BadReplyError):
        Comparison(item_set(drawn(100, 1))).take(Reply(tuple(spans), ()))


@pytest.mark.parametrize(
    "reply",
    [
        Reply((SPAN,), ()),
        Reply((replace(SPAN, low=b"", high=b"a", count=2**40),), ()),
        Reply((), ((b"", b"a", (GOOD,)),)),
        Reply((), ((b"l", b"", (GOOD,)),)),
        Reply((), ((b"", b"", (GOOD, GOOD)),)),
        Reply((), ((b"", b"", (Item(b"z" * 16, bytes(16)), GOOD)),)),
        Reply((), ((b"", b"", (Item(b"short", bytes(16)),)),)),
        Reply((), ((b"", b"", (Item(b"k" * 16, b""),)),)),
        Reply((), ((b"", b"", (GOOD,)), (b"", b"", (GOOD,)))),
        Reply((), ((b"", b"", tuple(Item(n.to_bytes(16, "big"), bytes(16)) for n in range(ITEMS_MAX + 1))),)),
    ],
)
def test_a_reply_that_is_none_to_what_was_asked_is_an_error(reply: Reply) -> None:
    with pytest.raises(BadReplyError):
        Comparison(item_set(drawn(100, 1))).take(reply)


def test_a_range_that_was_not_asked_about_is_an_error() -> None:
    content = drawn(2_000, 1)
    comparison = Comparison(item_set(content))
    comparison.take(answer(item_set(content | {bytes(16): b"x" * 16}), comparison.ask()))
    outside = Span(comparison.ask()[-1].high, b"", 1, b"x" * 16)
    with pytest.raises(BadReplyError, match="not asked"):
        comparison.take(Reply((outside,), ()))


def test_a_side_that_always_says_that_all_of_a_split_differs_is_cut_off() -> None:
    """It splits each span into 16 for ever, at key bounds of its own making."""

    def middle(span: Span) -> tuple[Span, ...]:
        low = int.from_bytes(span.low.ljust(16, b"\0"), "big")
        high = int.from_bytes(span.high.ljust(16, b"\0"), "big") if span.high else 2**128
        cuts = [(low + (high - low) * part // FAN_OUT).to_bytes(17, "big")[1:] for part in range(1, FAN_OUT)]
        ends = list(zip([span.low, *cuts], [*cuts, span.high], strict=True))
        return tuple(Span(start, end, 40, bytes(16)) for start, end in ends)

    def reply_to(spans: tuple[Span, ...]) -> Reply:
        return Reply(tuple(each for span in spans for each in middle(span)), ())

    with pytest.raises(BadReplyError, match="no end"):
        compared(item_set(drawn(500, 1)), reply_to)


def test_a_side_that_narrows_one_span_for_ever_is_cut_off() -> None:
    def reply_to(spans: tuple[Span, ...]) -> Reply:
        narrower = spans[0].low.ljust(len(spans[0].low) + 1, b"\0")
        return Reply((Span(narrower, spans[0].high, 1, bytes(16)),), ())

    with pytest.raises(BadReplyError):
        compared(item_set({}), reply_to)


def test_the_same_question_is_asked_again_until_its_reply_was_taken() -> None:
    comparison = Comparison(item_set(drawn(100, 1)))
    assert comparison.ask() == comparison.ask()
    comparison.take(Reply((), ()))
    assert comparison.ask() == ()
    with pytest.raises(BadReplyError, match="nothing"):
        comparison.take(Reply((), ()))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_reply_at_all_leads_to_an_end_or_an_error(data: st.DataObject) -> None:
    bound = st.binary(max_size=3)
    spans = st.builds(Span, bound, bound, st.integers(0, 100), st.just(bytes(16)))
    listings = st.tuples(bound, bound, st.just(()))
    mine = item_set(drawn(100, 1))

    def reply_to(_: tuple[Span, ...]) -> Reply:
        chosen = sorted(data.draw(st.lists(spans, max_size=4)), key=lambda span: span.low)
        return Reply(tuple(chosen), tuple(sorted(data.draw(st.lists(listings, max_size=2)))))

    with contextlib.suppress(BadReplyError):
        assert compared(mine, reply_to)[1].ask() == ()
