"""Rankings into one, and a ranking by words for servers that have none. Pure."""

import math
import re
from collections import Counter
from collections.abc import Sequence

RRF_K = 60
_K1, _B = 1.2, 0.75
_WORDS = re.compile(r"[a-z0-9]+|[\u3400-\u9fff]+")


def reciprocal_ranks(*rankings: Sequence[str]) -> list[tuple[str, float]]:
    """Ids of all rankings by the sum of 1 / (60 + rank), best first (Cormack, Clarke and Buettcher 2009)."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, identity in enumerate(ranking, start=1):
            scores[identity] = scores.get(identity, 0.0) + 1.0 / (RRF_K + rank)
    return sorted(scores.items(), key=lambda scored: (-scored[1], scored[0]))


def terms(text: str) -> list[str]:
    """Lower-case words of Latin text, pairs of characters of Chinese text."""
    found: list[str] = []
    for run in _WORDS.findall(text.lower()):
        if run[0] < "\u3400" or len(run) == 1:
            found.append(run)
        else:
            found += [run[at : at + 2] for at in range(len(run) - 1)]
    return found


def by_words(question: str, texts: Sequence[tuple[str, str]]) -> list[str]:
    """Ids of the (id, text) that share words with the question, by BM25 among themselves, best first."""
    bags = {identity: Counter(terms(text)) for identity, text in texts}
    if not bags:
        return []
    length_mean = sum(bag.total() for bag in bags.values()) / len(bags) or 1.0
    frequency = Counter(term for bag in bags.values() for term in bag)
    scores: dict[str, float] = {}
    for term in dict.fromkeys(terms(question)):
        weight = math.log(1 + (len(bags) - frequency[term] + 0.5) / (frequency[term] + 0.5))
        for identity, bag in bags.items():
            if count := bag[term]:
                norm = _K1 * (1 - _B + _B * bag.total() / length_mean)
                scores[identity] = scores.get(identity, 0.0) + weight * count * (_K1 + 1) / (count + norm)
    return sorted(scores, key=lambda identity: (-scores[identity], identity))
