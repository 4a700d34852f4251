"""Names and things: what one question is about must be what the other is about."""

from causeway.semantic_cache.difference import difference
from causeway.semantic_cache.question import Question, is_han


def entity(one: Question, other: Question) -> bool:
    """Refuses where a name, a word with a digit or a sign, or a Latin word of a Chinese question stands in only one."""
    named = one.names | other.names
    latin = not one.language == other.language == "en"
    return any(
        word in named or (not is_han(word) and (latin or not word.isalpha())) for word in difference(one, other).words
    )


def content(one: Question, other: Question) -> bool:
    """Refuses where any word that says something stands in only one, unless the other says the same by another word
    of the lexicon. A cosine does not see it: see DESIGN.md."""
    return bool(difference(one, other).words)
