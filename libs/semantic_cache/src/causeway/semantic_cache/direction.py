"""Who does what to whom, from where to where: the same words in another order may be another question."""

from collections.abc import Sequence

from causeway.semantic_cache.question import Question

_JOINING = frozenset("和 与 跟 同 还是 或 或者 及 以及 and or vs versus".split())
_JOINED_WORDS_MAX = 2
# From so many content words on, a text is a statement with several parts, and each may change places with another.
LONG_WORDS_MIN = 6


def direction(one: Question, other: Question) -> bool:
    """Refuses where two words took each other's place (from A to B, from B to A), and in a long text where any two
    words that it shares with the other changed their order."""
    return _exchanged(one, other) or _reordered(one, other)


def _exchanged(one: Question, other: Question) -> bool:
    """Each of two words stands in the one question beside the neighbour that the other has in the other question.
    Words that are only joined (A and B, B and A) may change places."""
    ours, theirs = one.words, other.words
    named = [word for word in _once(ours, theirs) if word in one.bearing and word in other.bearing]
    here, there = ({word: words.index(word) for word in named} for words in (ours, theirs))
    return any(
        there[first] > there[second]
        and _beside(ours, here[first]) & _beside(theirs, there[second])
        and _beside(ours, here[second]) & _beside(theirs, there[first])
        and not (_joined(ours, here[first], here[second]) and _joined(theirs, there[second], there[first]))
        for at, first in enumerate(named)
        for second in named[at + 1 :]
    )


def _reordered(one: Question, other: Question) -> bool:
    if min(len(one.content), len(other.content)) < LONG_WORDS_MIN:
        return False
    places = [other.content.index(word) for word in _once(one.content, other.content)]
    return places != sorted(places)


def _once(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """The words that stand exactly once in both, in the order of the first."""
    return [word for word in ours if ours.count(word) == 1 and theirs.count(word) == 1]


def _beside(words: Sequence[str], at: int) -> set[tuple[int, str]]:
    """The neighbours of a word, each with its side. To begin or to end a question is no place of its own."""
    return {(step, words[at + step]) for step in (-1, 1) if 0 <= at + step < len(words)}


def _joined(words: Sequence[str], first: int, second: int) -> bool:
    between = words[first + 1 : second]
    return len(between) <= _JOINED_WORDS_MAX and not _JOINING.isdisjoint(between)
