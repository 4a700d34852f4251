"""When a tombstone may leave the outbox: all have applied it for a while, or it is too old for anyone to wait for."""

from collections.abc import Iterable
from dataclasses import dataclass

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Ages of a tombstone. Past `age_max_s` a comparison tells who was away longer that the document is gone."""

    age_min_s: int = 7 * DAY_S
    age_max_s: int = 90 * DAY_S


def may_leave(at_ms: int, outbox_seq: int, applied_seqs: Iterable[int], now_ms: int, limits: Limits) -> bool:
    """Whether a tombstone of `at_ms` at `outbox_seq` may go.

    `applied_seqs` are the watermarks of all replicas that take this outbox: one that never reported counts as 0, and
    where there are none, nobody waits.
    """
    age_s = (now_ms - at_ms) / 1_000
    if age_s >= limits.age_max_s:
        return True
    return age_s >= limits.age_min_s and all(applied >= outbox_seq for applied in applied_seqs)
