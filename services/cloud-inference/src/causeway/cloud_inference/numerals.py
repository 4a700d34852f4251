"""The numbers in a text: in digits, and as English or Chinese words say them. Pure."""

import re

from causeway.language import fold

_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DIGITS = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"[a-z]+")
_HAN = re.compile(r"[零〇一二两三四五六七八九十百千万]+")
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
_ENGLISH = {word: number for number, word in enumerate(f"{_UNITS} eighteen nineteen".split())}
_ENGLISH |= {word: 10 * number for number, word in enumerate("twenty thirty forty fifty sixty".split(), start=2)}
_ENGLISH |= {"seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1_000}
_ENGLISH |= {
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "once": 1,
    "twice": 2,
    "half": 2,
    "quarter": 4,
}
_MONTHS = "january february march april may june july august september october november december".split()
_ENGLISH |= {month: number for number, month in enumerate(_MONTHS, start=1)}
_FIGURES = {figure: number for number, figure in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_STEPS = {"十": 10, "百": 100, "千": 1_000, "万": 10_000}


def numbers(text: str, *, words: bool = False) -> set[str]:
    """The numbers written in digits, without leading noughts; with `words` also those that words say."""
    folded = fold(text)
    found = {_plain(number) for number in _DIGITS.findall(_GROUPED.sub("", folded))}
    if words:
        found |= {str(_ENGLISH[word]) for word in _WORD.findall(folded) if word in _ENGLISH}
        found |= {str(of_han(run)) for run in _HAN.findall(folded)}
    return found


def of_han(run: str) -> int:
    """The number that a run of Chinese figures says: by places (二〇二六) or by steps (三百一十五)."""
    if not any(figure in _STEPS for figure in run):
        return int("".join(str(_FIGURES[figure]) for figure in run))
    total, part, figure = 0, 0, 0
    for sign in run:
        if sign == "万":
            total, part, figure = total + max(1, part + figure) * _STEPS[sign], 0, 0
        elif sign in _STEPS:
            part, figure = part + (figure or 1) * _STEPS[sign], 0
        else:
            figure = _FIGURES[sign]
    return total + part + figure


def _plain(number: str) -> str:
    whole, _, fraction = number.partition(".")
    whole = whole.lstrip("0") or "0"
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole
