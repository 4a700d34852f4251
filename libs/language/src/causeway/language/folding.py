"""Folds text to one written form for search: NFKC, lower case, Simplified characters (by OpenCC's tables)."""

import re
import unicodedata
from functools import cache

import opencc

_FIRST, _END = 0x3400, 0xA000


@cache
def _converted(profile: str) -> dict[str, str]:
    """Each unified ideograph that the profile changes, and what it becomes, one character at a time: the tables of
    phrases are not for search, where both sides of a match must fold alike whatever stands beside them."""
    characters = [chr(code) for code in range(_FIRST, _END)]
    partners = opencc.OpenCC(profile).convert("\n".join(characters)).split("\n")
    return {one: other for one, other in zip(characters, partners, strict=True) if one != other and len(other) == 1}


@cache
def _table() -> dict[int, int]:
    return {ord(traditional): ord(simplified) for traditional, simplified in _converted("t2s").items()}


@cache
def _changed() -> re.Pattern[str]:
    return re.compile(f"[{''.join(map(chr, sorted(_table())))}]")


@cache
def traditional_characters() -> frozenset[str]:
    """Characters that Simplified text does not use."""
    return frozenset(_converted("t2s"))


@cache
def simplified_characters() -> frozenset[str]:
    """Characters that Traditional text hardly uses."""
    return frozenset(_converted("s2t")) & frozenset(_converted("t2s").values()) - traditional_characters()


def fold(text: str) -> str:
    """Return `text` as NFKC, case folded, with Traditional characters as Simplified; the length may change."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    # To look for such a character is five times faster than to translate a text that has none.
    return folded.translate(_table()) if _changed().search(folded) else folded
