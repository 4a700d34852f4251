"""Folds text to one written form for search: NFKC, lower case, Simplified characters.

`folds.txt` holds three lines: Traditional characters, their Simplified partners in the same order, and the characters
that exist in Simplified text only. It is derived from OpenCC's TSCharacters and STCharacters (Apache-2.0).
"""

import unicodedata
from functools import cache
from importlib.resources import files


@cache
def _lines() -> tuple[str, str, str]:
    text = files("causeway.language").joinpath("folds.txt").read_text(encoding="utf-8")
    traditional, simplified, simplified_only = text.splitlines()
    return traditional, simplified, simplified_only


@cache
def _table() -> dict[int, int]:
    traditional, simplified, _ = _lines()
    return {ord(t): ord(s) for t, s in zip(traditional, simplified, strict=True)}


@cache
def traditional_characters() -> frozenset[str]:
    """Characters that Simplified text does not use."""
    return frozenset(_lines()[0])


@cache
def simplified_characters() -> frozenset[str]:
    """Characters that Traditional text does not use."""
    return frozenset(_lines()[2])


def fold(text: str) -> str:
    """Return `text` as NFKC, case folded, with Traditional characters as Simplified; the length may change."""
    return unicodedata.normalize("NFKC", text).casefold().translate(_table())
