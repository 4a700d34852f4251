"""The numbers that ship with the package: how close two questions must be, and where that was measured."""

from functools import cache
from importlib.resources import files

import msgspec

NEVER = 2.0
"""A cosine that is never reached."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """Cosines of question vectors from which an answer may be given: where both say the same words, and where a content
    word stands in only one (2: never)."""

    same_words: float
    reworded: float = NEVER


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
