"""A tombstone stays until everyone has applied it and a while longer, or until its age limit."""

import pytest

from causeway.sync_delta.tombstones import DAY_S, Limits, may_leave

NOW_MS = 1_000 * DAY_S * 1_000
LIMITS = Limits()


@pytest.mark.parametrize(
    ("age_days", "applied", "leaves"),
    [
        (0, [50], False),
        (6.9, [50], False),
        (7, [50], True),
        (7, [49], False),
        (8, [50, 49], False),
        (8, [50, 51], True),
        (8, [0], False),
        (8, [], True),
        (89.9, [49], False),
        (90, [49], True),
        (90, [0, 0], True),
        (-1, [50], False),
    ],
)
def test_age_and_watermarks_decide(age_days: float, applied: list[int], leaves: bool) -> None:
    at_ms = NOW_MS - int(age_days * DAY_S * 1_000)
    assert may_leave(at_ms, 50, applied, NOW_MS, LIMITS) is leaves
