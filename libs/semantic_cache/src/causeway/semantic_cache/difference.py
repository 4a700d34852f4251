"""What one question says and the other does not, and what share of it that is."""

from collections import Counter
from dataclasses import dataclass

from causeway.semantic_cache.question import Question, is_han


@dataclass(frozen=True)
class Difference:
    """Content words that only one of two questions has."""

    one: tuple[str, ...]
    other: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """Of both."""
        return self.one + self.other


def difference(one: Question, other: Question) -> Difference:
    """The content words without a partner. A Chinese word whose characters all stand in the other question has one:
    dictionaries cut the same characters differently."""
    ours, theirs = Counter(one.content), Counter(other.content)
    return Difference(_unmatched(ours - theirs, one, other), _unmatched(theirs - ours, other, one))


def _unmatched(rest: Counter[str], one: Question, other: Question) -> tuple[str, ...]:
    return tuple(sorted(word for word in rest.elements() if not _covered(word, one, other)))


def _covered(word: str, one: Question, other: Question) -> bool:
    if is_han(word):
        return other.normal.count(word) >= max(1, one.normal.count(word))
    return word in other.words
