"""Measures of retrieval, answers and parsing. Pure."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

RANK_MAX = 10
_UNIT = re.compile(r"[a-z0-9]+(?:\.[0-9]+)?|[\u4e00-\u9fff]")


def normalised(text: str) -> str:
    """Letters and digits only, compatibility forms and case folded: how phrases and spans are compared."""
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())


def units(text: str) -> list[str]:
    """Latin words and numbers whole, Chinese by character: what exact match and F1 count."""
    return _UNIT.findall(unicodedata.normalize("NFKC", text).lower())


def exact_match(answer: str, golds: Iterable[str]) -> float:
    """1 when the units of the answer are those of one gold answer, else 0."""
    given = units(answer)
    return float(any(given == units(gold) for gold in golds))


def f1(answer: str, golds: Iterable[str]) -> float:
    """The best F1 of shared units over the gold answers."""
    return max((_f1(units(answer), units(gold)) for gold in golds), default=0.0)


def _f1(given: list[str], gold: list[str]) -> float:
    shared = (Counter(given) & Counter(gold)).total()
    return 2 * shared / (len(given) + len(gold)) if shared else 0.0


def holds(answer: str, golds: Iterable[str]) -> bool:
    """Whether a gold answer stands in the answer after normalisation. One without letters or digits never does."""
    text = normalised(answer)
    return any(span in text for span in map(normalised, golds) if span)


def phrase_recall(text: str, phrases: Sequence[str]) -> float:
    """The share of phrases that stand in the text after normalisation; 1 when there are none."""
    if not phrases:
        return 1.0
    body = normalised(text)
    return sum(normalised(phrase) in body for phrase in phrases) / len(phrases)


def first_is_relevant(ranked: Sequence[str], relevant: Collection[str]) -> float:
    """1 when the first document is relevant: recall at 1 where one document is relevant, success at 1 elsewhere."""
    return float(bool(ranked) and ranked[0] in relevant)


def reciprocal_rank(ranked: Sequence[str], relevant: Collection[str]) -> float:
    """1 over the rank of the first relevant document among the first ten, else 0."""
    for rank, document in enumerate(ranked[:RANK_MAX], start=1):
        if document in relevant:
            return 1 / rank
    return 0.0


def ndcg(ranked: Sequence[str], relevant: Collection[str]) -> float:
    """Discounted gain of the first ten over the best possible, each relevant document counting 1."""
    gain = sum(1 / math.log2(rank + 2) for rank, document in enumerate(ranked[:RANK_MAX]) if document in relevant)
    best = sum(1 / math.log2(rank + 2) for rank in range(min(RANK_MAX, len(relevant))))
    return gain / best if best else 0.0


def mean(values: Iterable[float]) -> float:
    """The mean, 0 of nothing."""
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else 0.0


def share(part: int, whole: int) -> float:
    """A part of a whole, 0 of nothing."""
    return part / whole if whole else 0.0
