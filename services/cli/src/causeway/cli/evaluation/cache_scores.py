"""Hits and false hits of the cache on labelled pairs, with their bounds, beside a plain cosine. Pure."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causeway.semantic_cache import NEVER, Limit, Pair, Verdict, calibrated, judge, lower, upper

Numbers = dict[str, Any]
INTERVAL_DELTA = 0.05
Decide = Callable[[Pair], bool]


@dataclass(frozen=True)
class Counted:
    """A pair of a set under its id."""

    id: str
    pair: Pair

    @property
    def identical(self) -> bool:
        """Whether both have the same words, so that no cache could tell them apart."""
        return self.pair.one.normal == self.pair.other.normal

    @property
    def half(self) -> int:
        """0 or 1, the same for the same id."""
        return hashlib.blake2b(self.id.encode(), digest_size=1).digest()[0] & 1


def counted_of(cases: Sequence[Counted]) -> list[Counted]:
    """Without pairs of the same words that are labelled as different."""
    return [case for case in cases if case.pair.same or not case.identical]


def pair_scores(cases: Sequence[Counted], limit_of: Callable[[Pair], Limit], budget: float, delta: float) -> Numbers:
    """All numbers of one set. Pairs of the same words that are labelled as different are counted apart."""
    counted = counted_of(cases)
    verdicts = {id(case): _judged(case.pair, limit_of(case.pair)) for case in counted}
    found = rates([(case.pair, verdicts[id(case)].hit) for case in counted])
    halves = {
        f"half_{half}": rates([(case.pair, verdicts[id(case)].hit) for case in counted if case.half == half])
        for half in (0, 1)
    }
    return {
        "pairs": len(cases),
        "identical_labelled_different": len(cases) - len(counted),
        "identical_labelled_same": sum(case.identical for case in counted),
        **found,
        "refused_by": refused_counts((case.pair, verdicts[id(case)]) for case in counted),
        "halves": halves,
        "cosine_alone": cosine_scores(counted, budget),
        "calibrated": calibrated_scores(counted, limit_of, budget, delta),
    }


def _judged(pair: Pair, limit: Limit) -> Verdict:
    return judge(pair.one, pair.other, pair.cosine, limit)


def rates(hits: Sequence[tuple[Pair, bool]]) -> Numbers:
    """Hits of pairs that are the same, false hits of pairs that are not, with a two-sided 95% interval."""
    same = [hit for pair, hit in hits if pair.same]
    different = [hit for pair, hit in hits if not pair.same]
    false = sum(different)
    return {
        "same": len(same),
        "different": len(different),
        "hits": sum(same),
        "hit_rate": _share(sum(same), len(same)),
        "false_hits": false,
        "false_hit_rate": _share(false, len(different)),
        "false_hit_rate_95": interval(false, len(different)),
        "false_share_of_hits": _share(false, false + sum(same)),
    }


def interval(false: int, trials: int) -> list[float]:
    """Clopper and Pearson's two-sided interval at 95%."""
    each = INTERVAL_DELTA / 2
    return [lower(false, trials, each), upper(false, trials, each)]


def refused_counts(judged: Iterable[tuple[Pair, Verdict]]) -> dict[str, dict[str, int]]:
    """By guard, how many near pairs it refused: rightly (`different`) and for nothing (`same`)."""
    counts: dict[str, dict[str, int]] = {}
    for pair, verdict in judged:
        if verdict.refused_by:
            of = counts.setdefault(verdict.refused_by, {"different": 0, "same": 0})
            of["same" if pair.same else "different"] += 1
    return dict(sorted(counts.items()))


def cosine_scores(cases: Sequence[Counted], budget: float) -> Numbers:
    """A plain threshold on the cosine: the best for this very set, and one chosen on either half for the other."""
    whole = best_cosine(cases, budget)
    held: list[tuple[Pair, bool]] = []
    for half in (0, 1):
        chosen = best_cosine([case for case in cases if case.half != half], budget)
        held += [(case.pair, case.pair.cosine >= chosen) for case in cases if case.half == half]
    return {
        "threshold": whole,
        "best_for_this_set": _brief(rates([(case.pair, case.pair.cosine >= whole) for case in cases])),
        "chosen_on_the_other_half": _brief(rates(held)),
    }


def best_cosine(cases: Sequence[Counted], budget: float) -> float:
    """The lowest cosine from which at most `budget` of the pairs that differ lie."""
    different = sorted((case.pair.cosine for case in cases if not case.pair.same), reverse=True)
    allowed = int(budget * len(different))
    return different[allowed] + 1e-6 if allowed < len(different) else 0.0


def calibrated_scores(
    cases: Sequence[Counted], limit_of: Callable[[Pair], Limit], budget: float, delta: float
) -> Numbers:
    """With the limit for reworded questions fitted on either half and measured on the other, as for a kb of its own."""
    held, limits = held_out(cases, limit_of, budget, delta)
    return {"reworded_limits": [limit if limit < NEVER else None for limit in limits], **_brief(rates(held))}


def held_out(
    cases: Sequence[Counted], limit_of: Callable[[Pair], Limit], budget: float, delta: float
) -> tuple[list[tuple[Pair, bool]], list[float]]:
    """Each pair with whether it hits under the limit that the other half gives; and the two limits."""
    held: list[tuple[Pair, bool]] = []
    limits = []
    for half in (0, 1):
        fitted = [case.pair for case in cases if case.half != half]
        if not fitted:
            continue
        limit = calibrated(fitted, limit_of(fitted[0]), budget, delta)
        limits.append(limit.reworded)
        held += [(case.pair, _judged(case.pair, limit).hit) for case in cases if case.half == half]
    return held, limits


def _brief(numbers: Mapping[str, Any]) -> Numbers:
    return {key: numbers[key] for key in ("hits", "hit_rate", "false_hits", "false_hit_rate", "false_hit_rate_95")}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
