"""The decision: may the answer to one question be given for another?"""

from dataclasses import dataclass

from causeway.semantic_cache.guards import CONTENT, GUARDS
from causeway.semantic_cache.models import Limit
from causeway.semantic_cache.question import Question


@dataclass(frozen=True)
class Verdict:
    """`hit`, or which guard refused a near one; neither where they are just not near."""

    hit: bool
    refused_by: str = ""


EXACT = Verdict(hit=True)
FAR = Verdict(hit=False)


def judge(one: Question, other: Question, cosine: float, limit: Limit) -> Verdict:
    """Symmetric. The same question in the same words always hits; another must be near enough and pass every guard.

    A kb with a calibrated `reworded` limit lets a near enough question pass the guard `content`, and no other.
    """
    if one.normal == other.normal:
        return EXACT
    if cosine < min(limit.same_words, limit.reworded):
        return FAR
    for name, guard in GUARDS.items():
        if name != CONTENT and guard(one, other):
            return Verdict(hit=False, refused_by=name)
    if not GUARDS[CONTENT](one, other):
        return EXACT if cosine >= limit.same_words else FAR
    if cosine >= limit.reworded:
        return EXACT
    return Verdict(hit=False, refused_by=CONTENT) if cosine >= limit.same_words else FAR
