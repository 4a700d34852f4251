"""Each checker finds the bug that is planted for it, within a few seeds and alone, and keeps silent without it."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulation.observation import Checker, Violation
from tests.simulation.planted import PLANTED, Plant
from tests.simulation.scenario import run

SEEDS = range(6)
STEPS = 1_000


def violations(checker: type[Checker], plant: Plant) -> Iterator[str]:
    """Of one seed after the other."""
    for seed in SEEDS:
        with plant():
            try:
                run(seed, STEPS, only=checker)
            except Violation as violation:
                found = str(violation)
            else:
                continue
        yield found


@pytest.mark.parametrize(("checker", "sentence", "plant"), PLANTED.values(), ids=list(PLANTED))
def test_a_planted_bug_is_found(checker: type[Checker], sentence: str, plant: Plant) -> None:
    others = []
    for found in violations(checker, plant):
        if found.startswith(f"{sentence}:"):
            return
        others.append(found)
    pytest.fail(f"{checker.__name__} sees nothing of it: {others}")


@pytest.mark.parametrize("checker", list(dict.fromkeys(checker for checker, _, _ in PLANTED.values())))
def test_nothing_is_found_where_nothing_is_planted(checker: type[Checker]) -> None:
    def nothing() -> Any:
        return contextlib.nullcontext()

    assert list(violations(checker, nothing)) == []
