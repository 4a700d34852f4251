"""Words that stand against each other: on and off, buy and sell, before and after."""

from collections.abc import Set

from causeway.semantic_cache.difference import difference
from causeway.semantic_cache.lexicon import OPPOSITE, OPPOSITE_CHARACTERS
from causeway.semantic_cache.question import Question, is_han, stem

_PAIRS = tuple(
    tuple(frozenset(word if is_han(word) else stem(word) for word in half) for half in pair) for pair in OPPOSITE
)
# No word of a dictionary is longer.
TURNED_CHARS_MAX = 8


def opposite(one: Question, other: Question) -> bool:
    """Refuses where what only one says is the opposite of what only the other says."""
    rest = difference(one, other)
    ours, theirs = set(one.words) - set(other.words), set(other.words) - set(one.words)
    ours, theirs = ours | set(rest.one), theirs | set(rest.other)
    if any(_turned(word, theirs) for word in ours if is_han(word)):
        return True
    return any(_against(ours, theirs, left, right) or _against(theirs, ours, left, right) for left, right in _PAIRS)


def _against(ours: Set[str], theirs: Set[str], left: Set[str], right: Set[str]) -> bool:
    return not ours.isdisjoint(left) and not theirs.isdisjoint(right)


def _turned(word: str, others: Set[str]) -> bool:
    """Whether one of the others has the opposite of one of its characters, and is the same else: 入库, 出库."""
    return any(
        word[:at] + opposite + word[at + 1 :] in others
        for at, character in enumerate(word[:TURNED_CHARS_MAX])
        for opposite in OPPOSITE_CHARACTERS.get(character, "")
    )
