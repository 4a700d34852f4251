"""What becomes of a delivery: pure decisions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.bus.delivery import Ack, Dead, Retry
from causeway.bus.outcomes import DELIVERIES_MAX, RetryPolicy, exhausted, groups, settle

POLICY = RetryPolicy(attempts_max=3, backoff_s=(1.0, 5.0))


def test_an_acknowledgement_and_a_death_stay_what_they_are() -> None:
    assert settle(Ack(), 9, POLICY) == Ack()
    assert settle(Dead("bad"), 1, POLICY) == Dead("bad")


@pytest.mark.parametrize(("delivered", "delay_s"), [(1, 1.0), (2, 5.0)])
def test_a_retry_waits_by_the_number_of_the_attempt(delivered: int, delay_s: float) -> None:
    assert settle(Retry("later"), delivered, POLICY) == Retry("later", delay_s)


def test_the_delay_that_a_handler_asks_for_wins_even_when_it_is_none_at_all() -> None:
    assert settle(Retry("later", 0.0), 2, POLICY) == Retry("later", 0.0)


def test_the_retry_of_the_last_attempt_is_a_dead_letter_that_says_so() -> None:
    final = settle(Retry("still not"), 3, POLICY)
    assert final == Dead("still not (attempt 3 of 3)")


def test_a_retry_for_ever_never_dies() -> None:
    assert settle(Retry("wait", forever=True), 99, POLICY) == Retry("wait", 5.0, forever=True)


def test_only_a_message_that_was_handed_over_far_too_often_is_exhausted() -> None:
    assert exhausted(DELIVERIES_MAX) is None
    assert isinstance(exhausted(DELIVERIES_MAX + 1), Dead)


def test_suspects_are_handled_alone_and_in_their_place() -> None:
    assert groups([1, 1, 9, 1, 9, 9], 3) == [range(2), range(2, 3), range(3, 4), range(4, 5), range(5, 6)]
    assert groups([], 3) == []


@given(st.lists(st.integers(1, 9)), st.integers(1, 8))
def test_groups_cover_the_batch_once_and_in_order(counts: list[int], attempts_max: int) -> None:
    flat = [index for group in groups(counts, attempts_max) for index in group]
    assert flat == list(range(len(counts)))


def test_a_policy_without_attempts_or_delays_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RetryPolicy(attempts_max=0)
    with pytest.raises(ValueError, match="at least one delay"):
        RetryPolicy(backoff_s=())
