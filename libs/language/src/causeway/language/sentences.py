"""Where the sentences of a Chinese or English text begin and end; a pure function over characters."""

import re
from dataclasses import dataclass

# A line that has no full stop ends a sentence anyway once it is followed by a line break.
_END = re.compile(r"[。！？!?；…]+[”’』」》）\"')\]]*|\.{2,}|\.[”’\"')\]]*(?=\s|$)|\.(?=[\u4e00-\u9fff])|\n+")
_LETTER_DOTS = re.compile(r"(?:^|[\s(\[“\"'])(?:[A-Za-z]\.)*[A-Za-z]$")
_LAST_WORD = re.compile(r"([A-Za-z]+)$")
_NUMBERING = re.compile(r"(?:^|\n)\s*\(?\d{1,3}$")
_NOT_AFTER = frozenset(
    "mr mrs ms dr prof sr jr st mt no nos vs etc fig figs eq eqs al ca cf ed eds vol pp dept est approx inc ltd "
    "co corp gen gov sen rep rev hon col capt lt sgt jan feb mar apr jun jul aug sep sept oct nov dec univ op "
    "cit ave blvd".split()
)


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` up to, not including, `end` of a text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """Return the characters that this span covers."""
        return text[self.start : self.end]


def sentences(text: str) -> list[Span]:
    """Return the sentences of `text` in order, trimmed of white space; together they hold every other character."""
    spans: list[Span] = []
    start = 0
    for match in _END.finditer(text):
        if match.end() > start and _ends(text, start, match):
            _keep(text, start, match.end(), spans)
            start = match.end()
    _keep(text, start, len(text), spans)
    return spans


def _keep(text: str, start: int, end: int, spans: list[Span]) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        spans.append(Span(start, end))


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    """Say whether the mark at `match` ends a sentence, or belongs to an abbreviation, an initial or a number."""
    if not match.group().startswith(".") or match.group().startswith(".."):
        return True
    before = text[start : match.start()]
    following = text[match.end() : match.end() + 2].lstrip()
    if following[:1].islower() and text[match.end() : match.end() + 1] != "\n":
        return False
    if _LETTER_DOTS.search(before) or _NUMBERING.search(before):
        return not following
    word = _LAST_WORD.search(before)
    return word is None or word.group(1).lower() not in _NOT_AFTER or not following
