"""The decision: may the answer to one question be given for another?"""

from dataclasses import dataclass

from causeway.semantic_cache.difference import difference
from causeway.semantic_cache.guards import CONTENT, GUARDS
from causeway.semantic_cache.models import Limit
from causeway.semantic_cache.question import Question

REWRITTEN_WORDS_MIN = 2


@dataclass(frozen=True)
class Verdict:
    """`hit`, or which guard refused a near one; neither where they are just not near."""

    hit: bool
    refused_by: str = ""


EXACT = Verdict(hit=True)
FAR = Verdict(hit=False)


def judge(one: Question, other: Question, cosine: float, limit: Limit) -> Verdict:
    """Symmetric. The same question in the same words always hits; another must be near enough and pass every guard.

    The limits for other words let a near enough question pass the guard `content`, and no other.
    """
    if one.normal == other.normal:
        return EXACT
    if cosine < limit.least:
        return FAR
    for name, guard in GUARDS.items():
        if name != CONTENT and guard(one, other):
            return Verdict(hit=False, refused_by=name)
    if cosine >= needed(one, other, limit):
        return EXACT
    return Verdict(hit=False, refused_by=CONTENT) if GUARDS[CONTENT](one, other) else FAR


def needed(one: Question, other: Question, limit: Limit) -> float:
    """The cosine from which a question that passes every guard but `content` may be given the other's answer."""
    rest = difference(one, other)
    if not rest.words:
        return limit.same_words
    if min(len(rest.one), len(rest.other)) >= REWRITTEN_WORDS_MIN:
        return min(limit.rewritten, limit.reworded)
    return limit.reworded
