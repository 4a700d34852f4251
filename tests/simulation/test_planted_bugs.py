"""Each checker finds the bug that is planted for it, within a few seeds and alone, and keeps silent without it."""

import contextlib
from typing import Any

import pytest

from tests.simulation.observation import Checker, Violation
from tests.simulation.planted import PLANTED, Plant
from tests.simulation.scenario import run

SEEDS = range(6)
STEPS = 1_000


def violations(checker: type[Checker], plant: Plant) -> list[str]:
    found = []
    for seed in SEEDS:
        with plant():
            try:
                run(seed, STEPS, only=checker)
            except Violation as violation:
                found.append(str(violation))
    return found


@pytest.mark.parametrize(("checker", "sentence", "plant"), PLANTED.values(), ids=list(PLANTED))
def test_a_planted_bug_is_found(checker: type[Checker], sentence: str, plant: Plant) -> None:
    found = violations(checker, plant)
    assert [each for each in found if each.startswith(f"{sentence}:")], found or f"{checker.__name__} sees nothing"


@pytest.mark.parametrize("checker", list(dict.fromkeys(checker for checker, _, _ in PLANTED.values())))
def test_nothing_is_found_where_nothing_is_planted(checker: type[Checker]) -> None:
    def nothing() -> Any:
        return contextlib.nullcontext()

    assert violations(checker, nothing) == []
