"""A question as the cache reads it: its words, what they say, and what is left when those that say nothing are gone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import rjieba

from causeway.language import detect, fold, terms
from causeway.semantic_cache.lexicon import EMPTY_EN, EMPTY_ZH, SAME_EN, SAME_ZH

READ_KEPT_MAX = 8_192
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_HAN}]+|\d+(?:[.:]\d+)*%?|[^\W\d_{_HAN}][^\W_{_HAN}+#]*(?:[-'.&][^\W_{_HAN}]+)*[+#]*|[$€£¥%]")
_IS_HAN = re.compile(rf"[{_HAN}]")
GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
"""The comma of 1,500."""
_SPACE = re.compile(r"\s+")
_SPACE_AT_HAN = re.compile(rf"(?<=[{_HAN}，。？！])\s+|\s+(?=[{_HAN}，。？！])")
# A dictionary finds 方向 in 甲方向乙方.
_PARTY = re.compile(r"([甲乙丙丁买卖借贷]方)(?=向)")
# 能不能 asks what 能 asks.
_ASKING = re.compile(rf"([{_HAN}]{{1,2}})[不没]\1")
_NUMERALS = "零〇一二两俩三四五六七八九十百千万亿"
_NUMERAL = re.compile(rf"[{_NUMERALS}]+|\d+(?:\.\d+)?%?")
_AGENT = ("er", "ers")
_CLOSING = " \t\n.。?？!！,，;；、~…"
# .5 and .NET begin with a point.
_OPENING = _CLOSING.replace(".", "")
_CLITICS = (
    (re.compile(r"\b(can)(?:no|')t\b"), r"\1 not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(what|who|where|how|when|why|that|there|it|he|she)'s\b"), r"\1 is"),
    (re.compile(r"'s\b"), ""),
    (re.compile(r"'(re|ve|ll|d|m)\b"), r" \1"),
)


def normalised(text: str) -> str:
    """The one written form of a question: folded, without double spaces and closing marks. Nothing that could matter
    inside is dropped, so that C++ and C stay two questions."""
    folded = _SPACE.sub(" ", fold(text)).rstrip(_CLOSING).lstrip(_OPENING)
    return _SPACE_AT_HAN.sub("", folded)


@dataclass(frozen=True)
class Question:
    """What was asked. `words` in order; Latin ones are stems, Chinese ones as a dictionary cuts them."""

    text: str
    normal: str
    language: str
    words: tuple[str, ...]
    names: frozenset[str]
    """Words that stand with a capital, a digit or a sign inside, where a common word would not."""

    @cached_property
    def content(self) -> tuple[str, ...]:
        """The words that say something, each as the one that stands for all of its meaning."""
        return tuple(_content(self.words))

    @cached_property
    def bearing(self) -> frozenset[str]:
        """The words, as they stand, that say something; A too, where it is a name."""
        return frozenset(word for word in self.words if any(_content((word,)))) | ({"a"} & self.names)


@lru_cache(maxsize=READ_KEPT_MAX)
def read(text: str) -> Question:
    """Read a question; the same text is read once."""
    normal = normalised(text)
    language = detect(text)
    read_as = language if language in ("zh", "en") else "und"
    return Question(text, normal, read_as, tuple(_words(normal)), frozenset(_names(text, read_as)))


def _words(normal: str) -> Iterator[str]:
    text = _ASKING.sub(r"\1", GROUPED.sub("", normal.replace("’", "'")))
    for pattern, plain in _CLITICS:
        text = pattern.sub(plain, text)
    for run in _TOKEN.findall(text):
        if _IS_HAN.match(run):
            for part in filter(None, _PARTY.split(run)):
                yield from rjieba.cut(part)
        else:
            yield stem(run)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The stem that search uses too, except that who insures stays another than who is insured."""
    if not word.isalpha():
        return word
    found = (terms(word, "en") or [word])[0]
    return f"{found}er" if word.endswith(_AGENT) and not found.endswith("er") else found


def _content(words: tuple[str, ...]) -> Iterator[str]:
    """Numbers are left to their own guard."""
    for word in words:
        if _NUMERAL.fullmatch(word):
            continue
        if _IS_HAN.match(word):
            same = SAME_ZH.get(word, word)
            if word not in EMPTY_ZH and same not in EMPTY_ZH:
                yield same.lstrip(_NUMERALS) or same
        elif word not in _EMPTY_STEMS:
            yield _SAME_STEMS.get(word, word)


_EMPTY_STEMS = EMPTY_EN | {stem(word) for word in EMPTY_EN}
_SAME_STEMS = {stem(word): stem(same) for word, same in SAME_EN.items()}
_CAPITAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9&.+#_-]*")


def _names(text: str, language: str) -> Iterator[str]:
    # English begins with a capital anyway.
    first = language == "en"
    for match in _CAPITAL.finditer(text):
        word = match.group().strip(".-")
        inner = any(char.isupper() for char in word[1:]) or any(char.isdigit() for char in word)
        if word and (inner or (word[:1].isupper() and not first)):
            yield stem(fold(word))
        first = False


def is_han(word: str) -> bool:
    """Whether a word is written in Chinese characters."""
    return bool(_IS_HAN.match(word))
