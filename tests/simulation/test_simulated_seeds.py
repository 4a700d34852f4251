"""Two hundred runs of a hub and two sites under faults: every promise is kept in each."""

import pytest

from tests.simulation.scenario import run

SEEDS = 200
AT_ONCE = 10
STEPS = 1_500
FOUND_LATER = (437, 504, 725, 2031)
"""A clock set forward that dropped chunks, a watermark that a crash left out, a number that nothing would publish, and
a message that was purged before its watermark."""


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_every_promise_is_kept_under_faults(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        _play(seed)


@pytest.mark.parametrize("seed", FOUND_LATER)
def test_what_longer_searches_found_stays_mended(seed: int) -> None:
    _play(seed)


def _play(seed: int) -> None:
    try:
        run(seed, STEPS)
    except AssertionError as violation:
        violation.add_note(f"make sim SEED={seed} STEPS={STEPS}")
        raise


def test_a_seed_plays_the_same_way_twice() -> None:
    one, other = run(3, 400), run(3, 400)
    logs = [
        [(entry.seq, entry.subject, entry.body) for log in world.observer.logs.values() for entry in log.entries()]
        for world in (one, other)
    ]
    assert logs[0] == logs[1]
    assert one.done == other.done
