"""Who does what to whom, from where to where: the same words in another order may be another question."""

import re
from collections import Counter
from collections.abc import Sequence

from causeway.semantic_cache.particles import turned
from causeway.semantic_cache.question import Question
from causeway.semantic_cache.voices import voice

_JOINING = frozenset("和 与 跟 同 还是 或 或者 及 以及 and or vs versus".split())
_JOINED_WORDS_MAX = 2
# From so many content words on, a text is a statement with several parts, and each may change places with another.
LONG_WORDS_MIN = 6
# Who can sue the company is not whom the company can sue.
_ABOUT_PARTIES = re.compile(
    r"(?<![a-z])(?:who|whom|(?:what|which).* (?:do|does|did|can|could|may|must|should|will|shall))(?![a-z])"
)

_PERSON = {
    word: line.split()[0]
    for line in """
i me
we us
you
he him
they them
我
我们 咱 咱们
你 您
你们
他 她
他们 她们
""".strip().splitlines()
    for word in line.split()
}
_PERSONS = frozenset(_PERSON.values())


def direction(one: Question, other: Question) -> bool:
    """Refuses where two words took each other's place (from A to B, from B to A; A owes B, B owes A), where a small
    word turned (in, out), and where any two words that both have changed their order, if the texts are long or ask in
    English who or what."""
    return _exchanged(one, other) or turned(one, other) or voice(one, other) or _reordered(one, other)


def _exchanged(one: Question, other: Question) -> bool:
    """Each of two words stands in the one question beside the neighbour that the other has in the other question.
    Words that are only joined (A and B, B and A) may change places."""
    ours, theirs = _with_persons(one.words), _with_persons(other.words)
    named = [word for word in _once(ours, theirs) if _named(word, one, other)]
    here, there = ({word: words.index(word) for word in named} for words in (ours, theirs))
    english = one.language == other.language == "en"
    said = _said(one), _said(other)
    return any(
        there[first] > there[second]
        and (_places_taken(ours, theirs, first, second) or (english and _around(*said, first, second)))
        and not (_joined(ours, here[first], here[second]) and _joined(theirs, there[second], there[first]))
        for at, first in enumerate(named)
        for second in named[at + 1 :]
    )


def _with_persons(words: Sequence[str]) -> list[str]:
    return [_PERSON.get(word, word) for word in words]


def _named(word: str, one: Question, other: Question) -> bool:
    """Why I can not is why can I not: what is negated has a guard of its own."""
    return word in _PERSONS or (word in one.bearing and word in other.bearing and word != "not")


def _said(question: Question) -> list[str]:
    """The words that say something, and who they are about."""
    return [_PERSON.get(word, word) for word in question.words if word in question.bearing or word in _PERSON]


def _places_taken(ours: Sequence[str], theirs: Sequence[str], first: str, second: str) -> bool:
    return bool(
        _beside(ours, ours.index(first)) & _beside(theirs, theirs.index(second))
        and _beside(ours, ours.index(second)) & _beside(theirs, theirs.index(first))
    )


def _around(ours: Sequence[str], theirs: Sequence[str], first: str, second: str) -> bool:
    """The same of the words that say something, where another of them stands between: employees owe the company."""
    apart = min(ours.index(second) - ours.index(first), theirs.index(first) - theirs.index(second)) > 1
    return apart and _places_taken(ours, theirs, first, second)


def _reordered(one: Question, other: Question) -> bool:
    if _about_parties(one) and _about_parties(other):
        return _shared(_said(one), _said(other)) != _shared(_said(other), _said(one))
    if min(len(one.content), len(other.content)) < LONG_WORDS_MIN:
        return False
    places = [other.content.index(word) for word in _once(one.content, other.content)]
    return places != sorted(places)


def _about_parties(question: Question) -> bool:
    return question.language == "en" and bool(_ABOUT_PARTIES.search(question.normal))


def _shared(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """Of the first, in its order, the words that stand as often in both."""
    here, there = Counter(ours), Counter(theirs)
    return [word for word in ours if here[word] == there[word]]


def _once(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """The words that stand exactly once in both, in the order of the first."""
    return [word for word in ours if ours.count(word) == 1 and theirs.count(word) == 1]


def _beside(words: Sequence[str], at: int) -> set[tuple[int, str]]:
    """The neighbours of a word, each with its side. To begin or to end a question is no place of its own."""
    return {(step, words[at + step]) for step in (-1, 1) if 0 <= at + step < len(words)}


def _joined(words: Sequence[str], first: int, second: int) -> bool:
    between = words[first + 1 : second]
    return len(between) <= _JOINED_WORDS_MAX and not _JOINING.isdisjoint(between)
