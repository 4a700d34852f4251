"""The line of the partition tests does what its conditions say."""

import random

import pytest

from tests.support.line import Conditions, Line
from tests.support.namespaces import NUMBERS, sides


def line(**conditions: float) -> Line:
    return Line(conditions=Conditions(**conditions), rng=random.Random(7))  # type: ignore[arg-type]


def test_a_packet_arrives_after_the_delay() -> None:
    assert line(delay_s=0.05).arrival_s(10.0, 1_000) == 10.05


def test_at_a_rate_packets_wait_for_those_before_them_and_what_would_wait_too_long_is_dropped() -> None:
    slow = line(bits_per_s=8_000, queue_s=1.5)
    assert [slow.arrival_s(0.0, 1_000) for _ in range(4)] == [1.0, 2.0, None, None]
    assert slow.arrival_s(5.0, 1_000) == 6.0


def test_jitter_moves_packets_but_none_overtakes_another() -> None:
    shaky = line(delay_s=0.05, jitter_s=0.04)
    arrivals = [shaky.arrival_s(number / 1_000, 100) or 0.0 for number in range(500)]
    assert arrivals == sorted(arrivals)
    delays = [arrival - number / 1_000 for number, arrival in enumerate(arrivals)]
    assert min(delays) >= 0.01
    assert max(delays) <= 0.0901
    assert max(delays) - min(delays) > 0.02


def test_the_share_that_is_lost_is_the_one_that_was_asked_for() -> None:
    lossy = line(loss=0.03)
    lost = sum(lossy.arrival_s(float(number), 100) is None for number in range(20_000))
    assert lost / 20_000 == pytest.approx(0.03, abs=0.005)


def test_no_two_numbers_share_a_name_or_an_address() -> None:
    everything = [side for number in range(NUMBERS) for side in sides(number)]
    assert len({side.name for side in everything}) == len(everything)
    assert len({host for side in everything for host in (side.door_near, side.door_host)}) == 2 * len(everything)
    # A device's name has fifteen characters at most, and one more is appended for the line.
    assert max(len(side.door_device) for side in everything) < 15
