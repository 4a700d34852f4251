"""Who does what to whom, from where to where: the same words in another order may be another question."""

import re
from collections import Counter
from collections.abc import Sequence

from causeway.semantic_cache.lexicon import PERSON
from causeway.semantic_cache.particles import turned
from causeway.semantic_cache.question import Question
from causeway.semantic_cache.voices import suffered, voice

_JOINING = frozenset("和 与 跟 同 还是 或 或者 及 以及 and or vs versus".split())
_JOINED_WORDS_MAX = 2
# From so many content words on, a text is a statement with several parts, and each may change places with another.
LONG_WORDS_MIN = 6
# Who can sue the company is not whom the company can sue.
_ASKS_WHO = re.compile(r"(?<![a-z])(?:who|whom|what|which|how many)(?![a-z])")
_DOES = re.compile(
    r"(?<![a-z])(?:who|whom|(?:what|which|how many).* (?:do|does|did|can|could|may|must|should|will|shall))(?![a-z])"
)
_PERSONS = frozenset(PERSON.values())
# Who is the director is the same as the director is who.
_ASKED_FOR, _IS = frozenset("谁 什么".split()), frozenset("是 为 叫 指".split())


def direction(one: Question, other: Question) -> bool:
    """Refuses where two words took each other's place (from A to B, from B to A; A owes B, B owes A), where a small
    word turned (in, out), and where any two words that both have changed their order, if the texts are long or ask in
    English who, what or how many."""
    return _exchanged(one, other) or turned(one, other) or voice(one, other) or _reordered(one, other)


class _Row:
    """Words in their order, and where each stands first."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = [PERSON.get(word, word) for word in words]
        self.at = {word: at for at, word in reversed(list(enumerate(self.words)))}

    def beside(self, word: str) -> set[tuple[int, str]]:
        """The neighbours of a word, each with its side. To begin or to end a question is no place of its own."""
        at = self.at[word]
        return {(step, self.words[at + step]) for step in (-1, 1) if 0 <= at + step < len(self.words)}

    def joined(self, first: str, second: str) -> bool:
        """Whether hardly more than an and stands between."""
        begin, end = self.at[first] + 1, self.at[second]
        return end - begin <= _JOINED_WORDS_MAX and not _JOINING.isdisjoint(self.words[begin:end])


def _exchanged(one: Question, other: Question) -> bool:
    """Each of two words stands in the one question beside the neighbour that the other has in the other question.
    Words that are only joined (A and B, B and A) may change places."""
    ours, theirs = _Row(one.words), _Row(other.words)
    named = [word for word in _once(ours.words, theirs.words) if _named(word, one, other)]
    said = _Row(_said(one)), _Row(_said(other))
    english = one.language == other.language == "en"
    return any(
        theirs.at[first] > theirs.at[second]
        and (_places_taken(ours, theirs, first, second) or (english and _around(*said, first, second)))
        and not (ours.joined(first, second) and theirs.joined(second, first))
        for at, first in enumerate(named)
        for second in named[at + 1 :]
    )


def _named(word: str, one: Question, other: Question) -> bool:
    """Why I can not is why can I not: what is negated has a guard of its own."""
    return word in _PERSONS or (word in one.bearing and word in other.bearing and word != "not")


def _said(question: Question) -> list[str]:
    """The words that say something, and who they are about."""
    return [PERSON.get(word, word) for word in question.words if word in question.bearing or word in PERSON]


def _places_taken(ours: _Row, theirs: _Row, first: str, second: str) -> bool:
    asked_for = not _ASKED_FOR.isdisjoint((first, second))
    if asked_for and _apart(ours, theirs, first, second) < 2:
        return False
    left = ours.beside(first) & theirs.beside(second)
    right = ours.beside(second) & theirs.beside(first)
    if asked_for and any(word in _IS for _, word in left | right):
        return False
    return bool(left and right)


def _around(ours: _Row, theirs: _Row, first: str, second: str) -> bool:
    """The same of the words that say something, where another of them stands between: employees owe the company."""
    return _apart(ours, theirs, first, second) > 1 and _places_taken(ours, theirs, first, second)


def _apart(ours: _Row, theirs: _Row, first: str, second: str) -> int:
    return min(ours.at[second] - ours.at[first], theirs.at[first] - theirs.at[second])


def _reordered(one: Question, other: Question) -> bool:
    if _about_parties(one, other):
        return _shared(_said(one), _said(other)) != _shared(_said(other), _said(one))
    if min(len(one.content), len(other.content)) < LONG_WORDS_MIN:
        return False
    return _once(one.content, other.content) != _once(other.content, one.content)


def _about_parties(one: Question, other: Question) -> bool:
    """Whether both ask in English who, what or how many do something, or to whom it is done. Where only one of them is
    in the passive, another order says the same."""
    if not one.language == other.language == "en":
        return False
    asked = all(_ASKS_WHO.search(question.normal) for question in (one, other))
    done = any(_DOES.search(question.normal) for question in (one, other))
    return asked and (done or bool(suffered(one))) and suffered(one) == suffered(other)


def _shared(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """Of the first, in its order, the words that stand as often in both."""
    here, there = Counter(ours), Counter(theirs)
    return [word for word in ours if here[word] == there[word]]


def _once(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """The words that stand exactly once in both, in the order of the first."""
    here, there = Counter(ours), Counter(theirs)
    return [word for word in ours if here[word] == there[word] == 1]
