"""A cache of sentences that is asked rewordings of them: right hits, hits on another entry, and with the right entry
withheld. Beside it, the rule and the figures of GPTCache."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causeway.cli.evaluation.cache_scores import interval
from causeway.cli.evaluation.cache_sets import RewordedCase
from causeway.semantic_cache import Limit, Question, judge, read

Vectors = NDArray[np.float32]
Numbers = dict[str, Any]
CANDIDATES_MAX = 4
WITHHELD = -2.0
GPTCACHE_THRESHOLDS = (0.8, 0.9, 0.95)
# examples/README.md of zilliztech/GPTCache at 01491b7, "Benchmark": SQLite, Faiss, ONNX embedding; 999 pairs.
GPTCACHE_PUBLISHED: dict[str, dict[str, int]] = {
    "0.95": {"positive": 425, "negative": 25, "miss": 549},
    "0.9": {"positive": 804, "negative": 77, "miss": 118},
    "0.8": {"positive": 904, "negative": 92, "miss": 3},
}
GPTCACHE_SOURCE = "github.com/zilliztech/GPTCache, examples/README.md at 01491b7, all 999 pairs of mock_data.json"


def reworded_scores(
    cases: Sequence[RewordedCase], vector: Callable[[str], NDArray[np.float32]], limit_of: Callable[[str], Limit]
) -> Numbers:
    """All numbers of one set. `false_hits_withheld`: of those whose own entry is not there, how many hit another."""
    cached = sorted({case.cached for case in cases})
    rows = np.array([vector(text) for text in cached])
    asked = np.array([vector(case.asked) for case in cases])
    cosines = asked @ rows.T
    questions = [read(text) for text in cached]
    places = {question.normal: at for at, question in enumerate(questions)}
    own = [places[read(case.cached).normal] for case in cases]
    given = [_given(read(case.asked), cosines[at], questions, limit_of) for at, case in enumerate(cases)]
    withheld = [
        _given(read(case.asked), _without(cosines[at], own[at]), questions, limit_of) for at, case in enumerate(cases)
    ]
    right = sum(one == mine for one, mine in zip(given, own, strict=True))
    false, without = sum(one >= 0 for one in given) - right, sum(one >= 0 for one in withheld)
    count = len(cases)
    return {
        "cached": len(cached),
        "asked": count,
        "hits": right,
        "hit_rate": right / count,
        "false_hits": false,
        "false_hit_rate": false / count,
        "false_hit_rate_95": interval(false, count),
        "false_hits_withheld": without,
        "false_hit_rate_withheld": without / count,
        "false_hit_rate_withheld_95": interval(without, count),
        "cosine_alone": _cosine_alone(cosines, own),
        "gptcache_rule_on_these_vectors": {str(t): _gptcache_rule(cosines, own, t) for t in GPTCACHE_THRESHOLDS},
        "gptcache_published": {
            "source": GPTCACHE_SOURCE,
            **{name: _published(numbers) for name, numbers in GPTCACHE_PUBLISHED.items()},
        },
    }


def _given(asked: Question, cosines: Vectors, questions: Sequence[Question], limit_of: Callable[[str], Limit]) -> int:
    """The entry that is given, as the service does it; -1 for none."""
    limit = limit_of(asked.language)
    for at in np.argsort(-cosines)[:CANDIDATES_MAX]:
        if cosines[at] > WITHHELD and judge(asked, questions[at], float(cosines[at]), limit).hit:
            return int(at)
    return -1


def _without(cosines: Vectors, own: int) -> Vectors:
    left = cosines.copy()
    left[own] = WITHHELD
    return left


def _cosine_alone(cosines: Vectors, own: Sequence[int]) -> Numbers:
    """The best hit rate of a plain threshold with at most 1% false hits once the own entry is withheld."""
    mine = cosines[np.arange(len(own)), own]
    others = cosines.copy()
    others[np.arange(len(own)), own] = -1.0
    nearest = np.sort(others.max(axis=1))[::-1]
    threshold = float(nearest[int(0.01 * len(own))]) + 1e-6
    hits = int(((mine >= threshold) & (mine >= others.max(axis=1))).sum())
    return {"threshold": threshold, "hits": hits, "hit_rate": hits / len(own)}


def _gptcache_rule(cosines: Vectors, own: Sequence[int], threshold: float) -> Numbers:
    """The nearest entry, if 4 less the squared distance is at least 4 times the threshold: cosine >= 2t - 1."""
    nearest = cosines.argmax(axis=1)
    hit = cosines.max(axis=1) >= 2 * threshold - 1
    right = int((hit & (nearest == np.array(own))).sum())
    return _published({"positive": right, "negative": int(hit.sum()) - right, "miss": int((~hit).sum())})


def _published(numbers: dict[str, int]) -> Numbers:
    total = sum(numbers.values())
    hits = numbers["positive"] + numbers["negative"]
    return {
        **numbers,
        "hit_rate": numbers["positive"] / total if total else 0.0,
        "false_hit_rate": numbers["negative"] / total if total else 0.0,
        "false_share_of_hits": numbers["negative"] / hits if hits else 0.0,
    }
