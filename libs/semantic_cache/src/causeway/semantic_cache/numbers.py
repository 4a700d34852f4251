"""The numbers that a question names, as they are written: digits, Chinese numerals and English words are the same, but
4.10 is not 4.1, 00123 not 123, and -20 not 20."""

import re

from causeway.semantic_cache.question import GROUPED, Question

SCALED_CHARS_MAX = 32
"""A longer run of Chinese numerals with a scale in it is no amount, and is compared as it stands."""

_DIGIT = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "俩": 2}
_SCALE = {"十": 10, "百": 100, "千": 1_000, "万": 10_000, "亿": 100_000_000}
_HAN_NUMBER = re.compile(r"[零〇一二两俩三四五六七八九十百千万亿]+(?:点[零〇一二三四五六七八九]+)?")
# Numerals that count nothing.
_IDIOM = re.compile(
    r"一般|一样|一下|一起|一直|一定|一些|一点(?!钟|半|[零一二三四五六七八九十])|一会|一旦|一切|一向|一律|一致|一共|一边|一方|一味|一步步|万一|"
    r"统一|唯一|第一次|专一|单一|同一|十分(?!钟|之)|千万(?![元块人])|百度|万能|万科|三星|两性|二手|百合|五官|四肢|九寨|"
    r"六味|二维|三七|八卦|七夕|百货|百家|三明治|四川|万达|一[个种款份张位名家件只条](?!月|小时)|一道|一手|双十一|二胎|三生三世"
)
_LATIN = re.compile(r"(?<![\w.])\.\d+|\d+(?:\.\d+)*")
# Of 5-10, 2026-01-02 and A-5 the mark joins.
_BELOW_ZERO = re.compile(r"(?:(?<![a-z0-9_.)\]%])[-\u2212\u2013]|负|(?<![a-z])(?:minus|negative) )$")
_SIGN_CHARS_MAX = 9
_WORDS = {
    **{
        word: str(value)
        for value, word in enumerate(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen twenty".split()
        )
    },
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "hundred": "100",
    "thousand": "1000",
    "million": "1000000",
    "second": "2",
    "third": "3",
    "fourth": "4",
    "fifth": "5",
    "half": "0.5",
    "twice": "2",
    "double": "2",
    "billion": "1000000000",
}
_ENGLISH = re.compile(r"[a-z]+")


def numbers(question: Question) -> list[str]:
    """Every number of a question, in its order. `one` without another number and 一个 are articles."""
    text = _IDIOM.sub(lambda idiom: " " * len(idiom.group()), GROUPED.sub("", question.normal))
    text = text.replace("零下", "负")
    found = [(match.start(), match.group()) for match in _LATIN.finditer(text)]
    found += [(match.start(), _value(match.group())) for match in _HAN_NUMBER.finditer(text)]
    if question.language == "en":
        words = ((match.start(), match.group()) for match in _ENGLISH.finditer(text))
        said = [(at, word) for at, word in words if word in _WORDS]
        counted = bool(found) or any(word != "one" for _, word in said)
        found += [(at, _WORDS[word]) for at, word in said if counted or word != "one"]
    return [_signed(text, at, value) for at, value in sorted(found)]


def _signed(text: str, at: int, value: str) -> str:
    return f"-{value}" if _BELOW_ZERO.search(text, max(0, at - _SIGN_CHARS_MAX), at) else value


def _value(run: str) -> str:
    whole, _, part = run.partition("点")
    decimals = "".join(str(_DIGIT[char]) for char in part)
    return f"{_whole(whole)}.{decimals}" if decimals else _whole(whole)


def _whole(run: str) -> str:
    if not any(char in _SCALE for char in run):
        return "".join(str(_DIGIT[char]) for char in run)
    if len(run) > SCALED_CHARS_MAX:
        return run
    total = section = digit = 0
    for char in run:
        if char in _DIGIT:
            digit = _DIGIT[char]
        elif _SCALE[char] >= 10_000:
            total = (total + section + digit or 1) * _SCALE[char]
            section = digit = 0
        else:
            section += (digit or 1) * _SCALE[char]
            digit = 0
    return str(total + section + digit)


def number(one: Question, other: Question) -> bool:
    """Refuses where a number stands in only one, or they stand in another order."""
    return numbers(one) != numbers(other)
