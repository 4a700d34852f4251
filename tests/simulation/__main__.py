"""Replay one seed and print what happens: `make sim SEED=7 STEPS=3000`."""

import argparse
import sys
import traceback

from tests.simulation.observation import Violation
from tests.simulation.scenario import run
from tests.simulation.trace import Trace

STEPS = 1_500


def main() -> int:
    """0 if every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--steps", type=int, default=STEPS, help="how much happens before everything is mended")
    parser.add_argument("--turns", action="store_true", help="show every call of every process too")
    given = parser.parse_args()
    try:
        world = run(given.seed, given.steps, Trace(lambda line: print(line), given.turns))
    except Violation as violation:
        if violation.__cause__ is not None:
            traceback.print_exception(violation.__cause__, file=sys.stdout)
        print(f"VIOLATION: {violation}")
        return 1
    print(f"seed {given.seed}: every promise kept, {world.done} steps, {world.loop.now_s:.0f} s of their time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
