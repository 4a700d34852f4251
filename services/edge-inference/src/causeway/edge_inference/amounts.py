"""Numbers that a text names, each with what it counts, and whether two texts name others. Pure; English and Chinese.

Limits: only digits are read. "Two years" is no amount here, and 24 months are not compared with 2 years.
"""

import re
from dataclasses import dataclass

ROUNDED_FROM, ROUNDED_BY = 100.0, 0.05
"""From there on, numbers that are so near to each other may be one number, rounded. A year is never rounded."""
YEAR = "year"
_YEARS = range(1_000, 2_100)
_NUMBER = re.compile(r"(?<![0-9a-z.])([0-9]+(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?)(st|nd|rd|th)?")
_UNIT = re.compile(
    r"[\s-]*(?:个|個)?(%|°?[a-z]+|年代|世纪|世紀|月份|月|小时|小時|分钟|分鐘|公里|公斤|[万亿千百萬億]|[\u3400-\u9fff])"
)
_SAME_UNIT = {"年": YEAR, "月": "month", "月份": "month", "日": "day", "天": "day", "号": "day", "percent": "%"} | {
    "小时": "hour", "小時": "hour", "分钟": "minute", "分鐘": "minute", "人": "people", "person": "people"
}  # fmt: skip
_NO_UNIT = frozenset(
    "a an the of to in on at by for and or is are was were be from with as that which when until till".split()
)
_SPELLED = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|seventy|"
    r"eighty|ninety|half|dozen|couple|hundreds?|thousands?|twice|third|fourth|fifth)\b"
    r"|[二两兩三四五六七八九十百千半双雙]"
)
_ASKED = re.compile(
    r"\bhow (?:many|much|long|old|often|far|tall|large|high|big|deep|fast|late|early)\b|^when\b"
    r"|\b(?:what|which) (?:year|date|day|month|century|time|age|number|percent\w*|size|speed)\b"
    r"|多少|(?<!哪)几|(?<!哪)幾|何时|何時|何年|什么时候|什麼時候|哪一?年|哪一?天|多久|多长|多長|多大|多高|百分之"
)


@dataclass(frozen=True, slots=True)
class Amount:
    """A number and what it counts; `unit` is empty where nothing follows it."""

    value: float
    unit: str


def amounts_in(plain: str) -> frozenset[Amount]:
    """The amounts of a text in lower case."""
    return frozenset(_amount(found, plain) for found in _NUMBER.finditer(plain))


def spells(plain: str) -> bool:
    """Whether a number is written in words, so that what the text counts is not all known."""
    return _SPELLED.search(plain) is not None


def asks_for_amount(plain: str) -> bool:
    """Whether a question asks how many, how long, when and the like."""
    return _ASKED.search(plain) is not None


def others(one: frozenset[Amount], other: frozenset[Amount]) -> bool:
    """Whether both count the same thing and each of them otherwise; with any number in common they do not."""
    alike = [(first, second) for first in one for second in other if first.unit == second.unit]
    common = {first.value for first in one} & {second.value for second in other}
    return bool(alike) and not common and not any(_near(first, second) for first, second in alike)


def same(one: frozenset[Amount], other: frozenset[Amount]) -> bool:
    """Whether one of the two names some amounts and the other one names them all."""
    return bool(one and other) and (one <= other or other <= one)


def _near(one: Amount, other: Amount) -> bool:
    large = min(one.value, other.value) >= ROUNDED_FROM and one.unit != YEAR
    return large and abs(one.value - other.value) <= ROUNDED_BY * max(one.value, other.value)


def _amount(found: re.Match[str], plain: str) -> Amount:
    number, ordinal = found.group(1), found.group(2)
    after = _UNIT.match(plain, found.end())
    unit = after.group(1) if after is not None else ""
    unit = "" if unit in _NO_UNIT else _SAME_UNIT.get(unit, unit)
    if ordinal:
        return Amount(float(number), "th")
    # A duration in years is no year.
    if unit in (YEAR, "years"):
        unit = YEAR if _is_year(number) else "years"
    elif _is_year(number) and (not unit or unit.isascii()) and unit not in ("s", "%"):
        unit = YEAR
    elif unit.isascii() and len(unit) > 3:
        unit = unit.removesuffix("s")
    return Amount(float(number.replace(",", "")), unit)


def _is_year(number: str) -> bool:
    return number.isdigit() and len(number) == 4 and int(number) in _YEARS
