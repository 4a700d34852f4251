"""The numbers that ship with the package: how close two questions must be, and where that was measured."""

from functools import cache
from importlib.resources import files

import msgspec

NEVER = 2.0
"""A cosine that is never reached."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """Cosines of question vectors from which an answer may be given (2: never): where both say the same words; where
    each has at least two content words that the other has not (so much is reworded that it is no change of one thing);
    and where any content word stands in only one."""

    same_words: float
    rewritten: float = NEVER
    reworded: float = NEVER

    @property
    def least(self) -> float:
        """Nothing further than this is given."""
        return min(self.same_words, self.rewritten, self.reworded)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`limits.json`: a limit by language, for the vectors of models whose id begins with `space`."""

    provenance: dict[str, str]
    space: str
    budget: float
    delta: float
    limits: dict[str, Limit]
    evidence: dict[str, dict[str, float]] = {}

    def of(self, language: str, model_id: str) -> Limit:
        """The limit of a language; where nothing was measured, only the same question in the same words will do."""
        if not model_id.startswith(self.space):
            return Limit(same_words=NEVER)
        return self.limits.get(language, Limit(same_words=NEVER))


@cache
def shipped_limits() -> Limits:
    """What `python -m libs.semantic_cache.fitting.fit` wrote."""
    text = (files("causeway.semantic_cache") / "limits.json").read_bytes()
    return msgspec.json.decode(text, type=Limits)
