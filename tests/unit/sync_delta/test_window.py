"""Edits go before imports, imports never starve, and no more is under way than the link carries in its window."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from causeway.sync_delta.window import (
    UNKNOWN,
    Class,
    Policy,
    Rate,
    Sample,
    Waiting,
    choose,
    class_of,
    may_send,
    observe,
    window_bytes,
)

POLICY = Policy()
NOW_MS = 1_000_000


def waiting(since_ms: int, bytes_out: int) -> Waiting:
    return Waiting(kb="kb", document_key=b"k", since_ms=since_ms, chunks_new=1, bytes_out=bytes_out)


EDIT = waiting(NOW_MS - 1, 4_000)
IMPORT = waiting(NOW_MS - 5_000, 400_000)
OVERDUE = waiting(NOW_MS - 60_000, 400_000)


def test_a_document_is_bulk_by_its_new_chunks_or_its_bytes() -> None:
    assert class_of(16, 65_536, POLICY) is Class.INTERACTIVE
    assert class_of(17, 1_000, POLICY) is Class.BULK
    assert class_of(1, 65_537, POLICY) is Class.BULK


def test_an_edit_goes_before_an_import_that_came_earlier() -> None:
    choice = choose(EDIT, IMPORT, 0, NOW_MS, POLICY)
    assert choice is not None
    assert choice.waiting == EDIT


def test_an_import_goes_at_once_when_nothing_else_waits_and_owes_nothing() -> None:
    choice = choose(None, IMPORT, 123, NOW_MS, POLICY)
    assert choice is not None
    assert (choice.waiting, choice.debt_bytes) == (IMPORT, 0)
    assert choose(None, None, 0, NOW_MS, POLICY) is None


def test_an_import_that_has_waited_long_goes_before_an_edit_and_then_owes_its_bytes() -> None:
    first = choose(EDIT, OVERDUE, 0, NOW_MS, POLICY)
    assert first is not None
    assert (first.class_, first.debt_bytes) == (Class.BULK, OVERDUE.bytes_out)
    second = choose(EDIT, OVERDUE, first.debt_bytes, NOW_MS, POLICY)
    assert second is not None
    assert second.class_ is Class.INTERACTIVE
    assert second.debt_bytes < first.debt_bytes


@given(st.lists(st.integers(100, 60_000), min_size=1, max_size=50), st.integers(65_000, 2_000_000))
def test_between_two_overdue_imports_edits_get_their_share_and_no_more(edits: list[int], import_bytes: int) -> None:
    debt, between = import_bytes, [0, 0]
    for turn in range(2_000):
        choice = choose(
            waiting(NOW_MS, edits[turn % len(edits)]), replace(OVERDUE, bytes_out=import_bytes), debt, NOW_MS, POLICY
        )
        assert choice is not None
        debt = choice.debt_bytes
        if choice.class_ is Class.BULK:
            assert between[0] >= 3 * import_bytes
            between = [0, 0]
            continue
        # The last edit may repay too much, and each repays up to a byte too little.
        between = [between[0] + choice.waiting.bytes_out, between[1] + 1]
        assert between[0] <= 3 * import_bytes + 60_000 + 3 * between[1]


def test_a_document_larger_than_the_window_goes_alone() -> None:
    assert may_send(10_000, 0, 1_000)
    assert not may_send(10_000, 1, 1_000)
    assert may_send(500, 500, 1_000)
    assert not may_send(501, 500, 1_000)


def test_the_window_is_what_the_link_carries_in_its_time_between_floor_and_ceiling() -> None:
    assert window_bytes(UNKNOWN, POLICY) == POLICY.floor_bytes
    assert window_bytes(Rate(500_000.0, None), POLICY) == int(500_000 * POLICY.window_s)
    assert window_bytes(Rate(1e12, None), POLICY) == POLICY.ceiling_bytes


def measured(samples: list[Sample]) -> float:
    rate = UNKNOWN
    for sample in samples:
        rate = observe(rate, sample, POLICY)
    return rate.bytes_per_s


def test_idle_time_does_not_make_a_link_slow() -> None:
    busy = [Sample(second * 1_000, second * 50_000, True) for second in range(10)]
    idle = [Sample((10 + second) * 1_000, 450_000, False) for second in range(100)]
    assert measured(busy + idle) == measured(busy) == 50_000


def test_a_link_that_gets_slow_is_believed_after_a_few_halflives() -> None:
    fast = [Sample(second * 1_000, second * 1_000_000, True) for second in range(60)]
    slow = [Sample((60 + second) * 1_000, 59_000_000 + second * 10_000, True) for second in range(1, 120)]
    assert measured(fast) == 1_000_000
    assert 10_000 <= measured(fast + slow) < 30_000


def test_a_link_that_is_there_again_after_hours_is_believed_within_seconds() -> None:
    fast = [Sample(second * 1_000, second * 1_000_000, True) for second in range(60)]
    cut = Sample(10_000_000, 59_000_000, True)
    again = [Sample(10_000_000 + tenth * 100, 59_000_000 + tenth * 100_000, True) for tenth in range(1, 101)]
    assert measured([*fast, cut]) < 1_000
    assert measured([*fast, cut, *again]) > 900_000


def test_a_link_that_stands_still_closes_the_window_to_its_floor() -> None:
    fast = [Sample(second * 1_000, second * 1_000_000, True) for second in range(60)]
    dead = [Sample((60 + second) * 1_000, 59_000_000, True) for second in range(1, 200)]
    assert window_bytes(Rate(measured(fast + dead), None), POLICY) == POLICY.floor_bytes


@given(st.lists(st.tuples(st.integers(-5_000, 5_000), st.integers(-(10**6), 10**7), st.booleans()), max_size=40))
def test_reports_in_any_order_never_give_a_rate_below_nothing(steps: list[tuple[int, int, bool]]) -> None:
    rate, at_ms, applied = UNKNOWN, 0, 0
    for elapsed_ms, more, busy in steps:
        at_ms, applied = at_ms + elapsed_ms, applied + more
        rate = observe(rate, Sample(at_ms, applied, busy), POLICY)
        assert rate.bytes_per_s >= 0
        assert POLICY.floor_bytes <= window_bytes(rate, POLICY) <= POLICY.ceiling_bytes
