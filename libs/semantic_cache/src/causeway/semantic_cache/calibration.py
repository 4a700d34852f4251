"""Limits from labelled pairs: how near a reworded question must be, so that false hits keep to a budget."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from causeway.semantic_cache.bounds import threshold
from causeway.semantic_cache.guards import CONTENT, refusals
from causeway.semantic_cache.judging import needed
from causeway.semantic_cache.models import NEVER, Limit
from causeway.semantic_cache.question import Question

_ALWAYS, _NEVER_NEAR = 1.0, -1.0


@dataclass(frozen=True)
class Pair:
    """Two questions with the cosine of their vectors; `same`: one answer does for both."""

    one: Question
    other: Question
    cosine: float
    same: bool


def calibrated(pairs: Sequence[Pair], base: Limit, budget: float, delta: float) -> Limit:
    """`base` with the lowest `reworded` limit at which, of pairs like these that differ, at most `budget` hit at all,
    with confidence 1 - `delta`.

    Pairs that the guards refuse count as pairs that no limit lets through. Some 300 different pairs are the least for
    1% at .05; with fewer, or with too many false hits among the same words, it says never (2).
    """
    different = [_nearness(pair, base) for pair in pairs if not pair.same and pair.one.normal != pair.other.normal]
    found = threshold(different, budget, delta)
    return msgspec.structs.replace(base, reworded=NEVER if found >= 1 else max(0.0, round(found + 5e-5, 4)))


def _nearness(pair: Pair, base: Limit) -> float:
    refused = refusals(pair.one, pair.other)
    if refused not in ([], [CONTENT]):
        return _NEVER_NEAR
    if pair.cosine >= needed(pair.one, pair.other, base):
        return _ALWAYS
    return pair.cosine if refused else _NEVER_NEAR
