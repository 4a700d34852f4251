"""Cuts and SIGKILLs while two sites write: nothing is lost, nothing applied twice, nothing restricted leaves."""

from pathlib import Path

import pytest

from tests.faults.__main__ import text_of
from tests.faults.run import Outcome, Plan, run


async def outcome_of(plan: Plan, folder: Path) -> Outcome:
    outcome = await run(plan, folder, lambda *_: None)
    print(text_of(outcome))
    assert outcome.well, text_of(outcome)
    assert outcome.faults.total() == plan.faults
    return outcome


@pytest.mark.timeout(400)
async def test_a_short_run_under_fire_loses_nothing_and_applies_nothing_twice(tmp_path: Path) -> None:
    outcome = await outcome_of(Plan(seed=11, revisions=800, faults=8, documents=80), tmp_path)
    assert outcome.effects_seen > 80


@pytest.mark.slow
@pytest.mark.timeout(2_400)
async def test_ten_thousand_revisions_under_fifty_faults_lose_nothing(tmp_path: Path) -> None:
    await outcome_of(Plan(seed=12, revisions=10_000, faults=50), tmp_path)
