"""All guards by name, each a symmetric function of two questions that says whether it refuses one's answer to the
other."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from causeway.semantic_cache.direction import direction
from causeway.semantic_cache.entities import content, entity
from causeway.semantic_cache.kinds import kind
from causeway.semantic_cache.modals import modal
from causeway.semantic_cache.negation import negation
from causeway.semantic_cache.numbers import number
from causeway.semantic_cache.opposites import opposite
from causeway.semantic_cache.persons import person
from causeway.semantic_cache.quantifiers import quantifier
from causeway.semantic_cache.question import Question
from causeway.semantic_cache.times import time
from causeway.semantic_cache.units import unit

Guard = Callable[[Question, Question], bool]

CONTENT = "content"
LANGUAGE = "language"


def language(one: Question, other: Question) -> bool:
    """Refuses across languages, and in languages that no guard can read."""
    return one.language != other.language or one.language not in ("zh", "en")


GUARDS: Mapping[str, Guard] = MappingProxyType(
    {
        LANGUAGE: language,
        "negation": negation,
        "number": number,
        "unit": unit,
        "time": time,
        "kind": kind,
        "quantifier": quantifier,
        "modal": modal,
        "person": person,
        "opposite": opposite,
        "direction": direction,
        "entity": entity,
        CONTENT: content,
    }
)
"""In the order in which they are asked: what is told best by its own name comes before `content`."""


def refusals(one: Question, other: Question) -> list[str]:
    """The names of all guards that refuse."""
    return [name for name, guard in GUARDS.items() if guard(one, other)]


def refusing(one: Question, other: Question) -> str:
    """The name of the first guard that refuses, or empty."""
    return next((name for name, guard in GUARDS.items() if guard(one, other)), "")
