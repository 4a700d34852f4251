"""Two hundred runs of a hub and two sites under faults: every promise is kept in each."""

import pytest

from tests.simulation.scenario import run

SEEDS = 200
AT_ONCE = 10
STEPS = 1_500


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_every_promise_is_kept_under_faults(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
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
