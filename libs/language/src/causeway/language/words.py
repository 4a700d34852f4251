"""Search terms: the words of a text as a lexical index stores them and as a question asks for them."""

import re
import unicodedata
from functools import lru_cache

import rjieba

from causeway.language.folding import fold

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002ffff"
_RUN = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+(?:['’][^\W_{_HAN}]+)*")
_FIRST_HAN = re.compile(rf"[{_HAN}]")
_GROUPED_DIGITS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_VOWELS = frozenset("aeiouy")
# Some 10 MB at most. Stemming is half of what cutting English into terms costs, and texts repeat their words.
_STEMS_KEPT_MAX = 1 << 16


def terms(text: str, language: str = "und") -> list[str]:
    """Return the search terms of `text` in order, repeats kept; a term of one language never equals one of another.

    Chinese runs give their characters, their bigrams and their dictionary words of three characters or more, Latin runs
    their stem. Measured best or level on four Chinese sets (README of causeway.retrieval); `language` is a hint for
    stemming only, since a Chinese text may hold English names and the other way round.
    """
    stems = language in ("en", "zh", "und")
    found: list[str] = []
    for run in _RUN.findall(_GROUPED_DIGITS.sub("", fold(text))):
        if not run.isascii() and _FIRST_HAN.match(run):
            found += _han_terms(run)
        else:
            found.append(stem(run) if stems else run)
    return found


def _han_terms(run: str) -> list[str]:
    bigrams = [run[at : at + 2] for at in range(len(run) - 1)]
    words = [word for word in rjieba.cut_for_search(run) if len(word) > 2] if len(run) > 2 else []
    return [*run, *bigrams, *words]


@lru_cache(maxsize=_STEMS_KEPT_MAX)
def stem(word: str) -> str:
    """Return the light stem of a lower-case English word: without accents, plural, -ing, -ed, -ly or final -e."""
    word = word.replace("’", "'").removesuffix("'s").replace("'", "")
    if not word.isascii():
        word = "".join(mark for mark in unicodedata.normalize("NFD", word) if not unicodedata.combining(mark))
    if not word.isascii() or not word.isalpha():
        return word
    word = _past(_plural(word))
    if len(word) > 4 and word.endswith("ly"):
        word = word[:-2]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def _plural(word: str) -> str:
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "ches", "shes", "xes")) else word[:-1]


def _past(word: str) -> str:
    for suffix in ("ing", "ed"):
        root = word.removesuffix(suffix)
        if root != word and len(root) > 2 and not _VOWELS.isdisjoint(root):
            doubled = root[-1] == root[-2] and root[-1] not in "lsz"
            return root[:-1] if doubled else root
    return word
