"""English words for a way or a part in something: in, out, to, from, by. They say nothing by themselves, and turn what
others say."""

import re
from collections import Counter

from causeway.semantic_cache.difference import difference
from causeway.semantic_cache.lexicon import PERSON
from causeway.semantic_cache.question import Question

# A question with one more of the left half is not one with one more of the right half instead.
_AGAINST = tuple(
    tuple(frozenset(half.split()) for half in line.split("|"))
    for line in """
in into inside onto on | out off outside
up | down in out off
to into onto | from
""".strip().splitlines()
)
_PART = {
    word: line.split()[0]
    for line in """
to into onto
for
from
by
with
as
about
in at on
""".strip().splitlines()
    for word in line.split()
}
# To learn is the same as for learning.
_TO_DO = re.compile(r"(?<![a-z])for [a-z]+ing(?![a-z])")
# A school to do an MBA is one for an MBA.
_VERBS = frozenset("do be get have give".split())


def turned(one: Question, other: Question) -> bool:
    """Whether the one says in where the other says out, or a word that both have has another part: to the client, by
    the client."""
    if not one.language == other.language == "en":
        return False
    ours, theirs = Counter(one.words), Counter(other.words)
    more, less = set(ours - theirs), set(theirs - ours)
    against = any((more & left and less & right) or (more & right and less & left) for left, right in _AGAINST)
    return against or _parts_differ(one, other)


def _parts_differ(one: Question, other: Question) -> bool:
    if difference(one, other).words:
        # A small word hangs on its verb: utilized on, applied to.
        return False
    ours, theirs = _parts(one), _parts(other)
    alike = {"to", "for"} if any(_TO_DO.search(question.normal) for question in (one, other)) else set()
    parts = [{ours[word], theirs[word]} for word in ours.keys() & theirs.keys()]
    return any(len(pair) > 1 and pair != alike for pair in parts)


def _parts(question: Question) -> dict[str, str]:
    """The part of each word that says something or who, has a part and stands there once: by the word of `_PART` before
    it, with nothing between but words that say nothing."""
    parts, part = {}, ""
    for word in question.words:
        part = "" if word in _VERBS else _PART.get(word, part)
        if word in question.bearing or word in PERSON:
            if part and question.words.count(word) == 1:
                parts[word] = part
            part = ""
    return parts
