"""The evaluation of the semantic cache: questions are encoded, judged in pairs as the service does, and counted."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causeway.cli.evaluation.cache_reworded import reworded_scores
from causeway.cli.evaluation.cache_scores import Counted, Numbers, pair_scores, rates
from causeway.cli.evaluation.cache_sets import CacheSet
from causeway.semantic_cache import Limit, Limits, Pair, judge, read

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
ENCODED_AT_ONCE = 256


def run_cache(sets: Sequence[CacheSet], encode: Encode, model_id: str, limits: Limits) -> Numbers:
    """The numbers of each set, and of all pairs of one language together."""
    vectors = vectors_of(sets, encode)
    by_set: dict[str, Any] = {}
    by_language: dict[str, list[tuple[Pair, bool]]] = {}

    def limit_of(language: str) -> Limit:
        return limits.of(language, model_id)

    for one in sets:
        if one.reworded:
            by_set[one.name] = reworded_scores(one.reworded, vectors.__getitem__, limit_of)
            continue
        cases = [Counted(case.id, _pair(case.one, case.other, vectors, case.same)) for case in one.pairs]
        by_set[one.name] = pair_scores(cases, lambda pair: limit_of(pair.one.language), limits.budget, limits.delta)
        for case, counted in zip(one.pairs, cases, strict=True):
            if case.same or not counted.identical:
                pair = counted.pair
                hit = judge(pair.one, pair.other, pair.cosine, limit_of(pair.one.language)).hit
                by_language.setdefault(case.language or pair.one.language, []).append((pair, hit))
    return {
        "model": model_id,
        "limits": {language: limit.same_words for language, limit in limits.limits.items()},
        "budget": limits.budget,
        "sets": by_set,
        "all": {language: rates(hits) for language, hits in sorted(by_language.items())},
    }


def _pair(one: str, other: str, vectors: dict[str, NDArray[np.float32]], same: bool) -> Pair:
    return Pair(read(one), read(other), float(vectors[one] @ vectors[other]), same)


def vectors_of(sets: Sequence[CacheSet], encode: Encode) -> dict[str, NDArray[np.float32]]:
    """Texts of about the same length together, because the encoder pads."""
    texts = sorted({text for one in sets for text in one.texts()}, key=lambda text: (len(text), text))
    found: dict[str, NDArray[np.float32]] = {}
    for begin in range(0, len(texts), ENCODED_AT_ONCE):
        some = texts[begin : begin + ENCODED_AT_ONCE]
        found |= dict(zip(some, encode(some), strict=True))
    return found
