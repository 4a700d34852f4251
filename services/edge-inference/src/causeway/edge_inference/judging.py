"""Whether two answers to one question say the same, as far as words can tell. Pure; English and Chinese.

Limits: words are compared, not meaning. A paraphrase without common words counts as disagreement, a sentence that
repeats the words of another with the roles exchanged as agreement. So the rate that audits measure is an estimate with
an error of its own; `README.md` has it as measured on question sets.
"""

import enum
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

CONTAINED_MIN = 0.7
"""Share of the shorter answer's words that must stand in the longer one. On XQuAD and CMRC 2018, of sentences that
hold the gold answer 99.6 to 100% agree with it, of other sentences of its passage 1.8% (en) and 2.2 to 3.7% (zh)."""
_MARKS = re.compile(r"\[\d+\]")
_TOKENS = re.compile(r"[0-9]+(?:[.,:/-][0-9]+)*%?|[a-z]+(?:'[a-z]+)?|[\u3400-\u9fff]")
_NUMBER = re.compile(r"^[0-9]")
_STOP = frozenset(
    "a an the of to in on at by for and or is are was were be been it its this that with as from has have had do does "
    "did which who what when where will would can there their they he she his her".split()
) | frozenset("的了是在和与及或也就都而其之为于")
_NOT_EN = frozenset("not no never none cannot can't isn't aren't wasn't weren't don't doesn't didn't won't nor".split())
_NOT_ZH = re.compile(r"不(?![仅過过同断少])|没|無|无(?!论)|未(?!来)|禁止|勿")


class Agreement(enum.StrEnum):
    """`undecided`: at least one of the two says nothing that could be compared."""

    AGREES = "agrees"
    DIFFERS = "differs"
    UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was found. `contained`: of the shorter answer's words; `f1`: of both answers' words; each 0 to 1."""

    agreement: Agreement
    contained: float = 0.0
    f1: float = 0.0
    because: str = ""


def compare(one: str, other: str) -> Comparison:
    """Whether the two say the same. The order of the two does not matter."""
    first, second = words_of(one), words_of(other)
    if not first or not second:
        return Comparison(agreement=Agreement.UNDECIDED, because="nothing to compare")
    common = sum((first & second).values())
    shorter = min(first.total(), second.total())
    contained, f1 = common / shorter, 2 * common / (first.total() + second.total())
    because = _against(first, second, contained) or _against_sense(one, other)
    agreement = Agreement.DIFFERS if because else Agreement.AGREES
    return Comparison(agreement=agreement, contained=contained, f1=f1, because=because)


def words_of(text: str) -> Counter[str]:
    """The words that carry an answer: numbers, words and Chinese characters, without citations and function words."""
    return Counter(token.replace(",", "") for token in _TOKENS.findall(_plain(text)) if token not in _STOP)


def _against(first: Counter[str], second: Counter[str], contained: float) -> str:
    numbers, others = _numbers(first), _numbers(second)
    # The longer answer may say more; what the shorter one counts, it must count too.
    if numbers and others and not (numbers <= others or others <= numbers):
        return "other numbers"
    return "other words" if contained < CONTAINED_MIN else ""


def _against_sense(one: str, other: str) -> str:
    """Only answers of like length are compared for a `not`: in a longer one it may belong to something else."""
    long, short = sorted((len(one), len(other)), reverse=True)
    alike = short * 2 >= long
    return "one of them negates" if alike and _negates(one) != _negates(other) else ""


def _numbers(words: Counter[str]) -> set[str]:
    return {word for word in words if _NUMBER.match(word)}


def _negates(text: str) -> bool:
    plain = _plain(text)
    english = any(word in _NOT_EN for word in _TOKENS.findall(plain))
    # Two of them cancel out, so their number decides.
    return english or len(_NOT_ZH.findall(plain)) % 2 == 1


def _plain(text: str) -> str:
    """Lower case, without citation marks and accents."""
    letters = unicodedata.normalize("NFKD", _MARKS.sub(" ", text)).casefold().replace("’", "'")
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
