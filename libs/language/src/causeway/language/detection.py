"""Which language a text is written in, told by its script and a few function words alone."""

import re
from typing import Literal

from causeway.language.folding import simplified_characters, traditional_characters

Language = Literal["zh", "en", "ja", "ko", "und"]
Script = Literal["Hans", "Hant"]

# Detection reads the head of a text only, so that its cost does not grow with the document.
CHARACTERS_MAX = 4000

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002ffff]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HANGUL = re.compile(r"[\uac00-\ud7af\u1100-\u11ff]")
# Characters that a Chinese clause can hardly do without, and that names hardly hold.
_HAN_FUNCTION = re.compile(r"[的是了吗嗎谁誰哪怎么麼什多少几幾何为為在有和]")
_WORD = re.compile(r"[^\W\d_]+")
_LATIN_WORD = re.compile(r"[a-z\u00c0-\u024f]+(?:'[a-z]+)?")
# Function words that French, Spanish, German, Italian and Portuguese use often and English hardly ever.
_FOREIGN = frozenset(
    "le la les des une est dans pour que qui sur avec el los las del una por para con como der die das und ist nicht "
    "ein eine mit den von auf il di che della sono e o os um uma não dos é à".split()
)
_ENGLISH = frozenset(
    "the of and to in is was that for it as with be on by at this are from or an which what who when where how why did "
    "does do has have had were not but his her their its can will".split()
)


def detect(text: str) -> Language:
    """Return the language of `text`: han script counts by character, other scripts by word."""
    head = text[:CHARACTERS_MAX]
    han, kana, hangul = (len(pattern.findall(head)) for pattern in (_HAN, _KANA, _HANGUL))
    if kana and kana * 10 >= han:
        return "ja"
    words = [word for word in _WORD.findall(head.lower()) if not _HAN.search(word) and not _HANGUL.search(word)]
    if hangul > max(han, len(words)):
        return "ko"
    # A Chinese word is about two characters long; a Chinese sentence full of English names stays Chinese.
    if han and (han >= len(words) or (han >= len(words) / 2 and _HAN_FUNCTION.search(head))):
        return "zh"
    return _of_words(words)


def _of_words(words: list[str]) -> Language:
    latin = [word for word in words if _LATIN_WORD.fullmatch(word)]
    if not latin or len(latin) * 2 < len(words):
        return "und"
    foreign = sum(word in _FOREIGN for word in latin)
    english = sum(word in _ENGLISH for word in latin)
    return "und" if foreign > english and foreign * 12 >= len(latin) and len(latin) > 2 else "en"


def script(text: str) -> Script | None:
    """Return whether Chinese text is Simplified or Traditional, or None where no character tells."""
    head = text[:CHARACTERS_MAX]
    traditional = sum(character in traditional_characters() for character in head)
    simplified = sum(character in simplified_characters() for character in head)
    if traditional == simplified:
        return None
    return "Hant" if traditional > simplified else "Hans"
