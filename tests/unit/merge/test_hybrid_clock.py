"""The hybrid clock rises under any wall clock."""

from hypothesis import given
from hypothesis import strategies as st

from causeway.merge import ZERO, Timestamp, tick, witness

HOURS_MS = 3_600_000
walls = st.integers(min_value=0, max_value=2**42)
stamps = st.builds(Timestamp, walls, st.integers(0, 9), st.sampled_from(["a", "b", "hub"]))


@given(stamps, walls)
def test_a_tick_is_after_the_last_stamp_and_not_before_the_wall(last: Timestamp, now_ms: int) -> None:
    ticked = tick(last, now_ms, "a")
    assert ticked > last
    assert ticked.wall_ms >= now_ms
    assert ticked.origin == "a"


@given(st.lists(st.tuples(walls, st.one_of(st.none(), stamps)), max_size=50))
def test_stamps_of_a_place_rise_whatever_the_wall_does_and_whatever_it_hears(
    steps: list[tuple[int, Timestamp | None]],
) -> None:
    last, given_out = ZERO, [ZERO]
    for now_ms, heard in steps:
        last = tick(witness(last, heard) if heard else last, now_ms, "a")
        assert heard is None or last > heard
        given_out.append(last)
    assert given_out == sorted(set(given_out))


@given(stamps, stamps, stamps)
def test_witnessing_is_a_maximum(one: Timestamp, other: Timestamp, third: Timestamp) -> None:
    assert witness(one, other) == witness(other, one) == max(one, other)
    assert witness(witness(one, other), third) == witness(one, witness(other, third))
    assert witness(one, one) == one


def test_a_clock_set_back_by_hours_is_counted_on_until_the_wall_has_passed() -> None:
    last = tick(ZERO, 5 * HOURS_MS, "a")
    set_back = tick(last, HOURS_MS, "a")
    assert set_back == Timestamp(5 * HOURS_MS, 1, "a")
    assert tick(set_back, 5 * HOURS_MS + 1, "a") == Timestamp(5 * HOURS_MS + 1, 0, "a")
