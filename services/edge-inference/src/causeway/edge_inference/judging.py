"""Whether a local answer and the cloud's say the same, as far as words can tell. Pure; English and Chinese.

Words are compared, not meaning, so the two differ only on evidence: the same thing counted otherwise, a `not` in one of
two like sentences, or an answer that rests on other documents and has hardly a word in common. A paraphrase has none of
that, and is undecided. `README.md` has how often each comes out on question sets.
"""

import enum
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from causeway.edge_inference.amounts import Amount, amounts_in, asks_for_amount, others, same, spells

CONTAINED_MIN = 0.7
"""Share of the shorter answer's words that must stand in the longer one for the two to agree."""
FOREIGN_MAX = 0.2
"""Share of the cloud's words that may stand in a local answer that rests on other documents and says something else;
of those that the question does not hold, none."""
ALIKE_MIN = 0.8
"""F1 of the words of two sentences that are the same but for a `not`."""
_MARKS = re.compile(r"\[\d+\]")
_TOKENS = re.compile(r"[0-9]+(?:[.,:/-][0-9]+)*%?|[a-z]+(?:'[a-z]+)?|[\u3400-\u9fff]")
_NUMBER = re.compile(r"^[0-9]")
# What an answer is framed in says nothing.
_FRAME = re.compile(
    r"\b(?:according to|based on) the (?:documents?|texts?|passages?|context|sources?|information)(?: provided)?\b"
    r"|\bthe (?:correct )?answer is\b|\b(?:documents?|passages?|text) (?:says?|states?|mentions?)(?: that)?\b"
    r"|(?:根据|依据|按照)(?:所给|以上|上述|提供的)?(?:资料|文档|文件|上下文|文中|原文|信息)|答案(?:应该|应)?是|应该是"
    r"|(?:资料|文档|文件|文中|原文)(?:显示|提到|指出|写道|说)"
)
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_STOP = frozenset(
    "a an the of to in on at by for and or is are was were be been it its this that with as from has have had do does "
    "did which who what when where will would can there their they he she his her".split()
) | frozenset("的了是在和与及或也就都而其之为于")
_NOT_EN = frozenset("not no never none cannot can't isn't aren't wasn't weren't don't doesn't didn't won't nor".split())
# Bounds, not negations.
_BOUND_EN = re.compile(r"\b(?:no|not) (?:more|less|fewer|later|earlier|longer|only)\b")
_NOT_ZH = re.compile(r"不(?![仅过過同断少]|超过|[低多晚迟早大小高]于)|没|無|无(?!论)|未(?!来)|禁止|勿")


class Agreement(enum.StrEnum):
    """`undecided`: nothing shows that the two say the same, and nothing that they do not."""

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


def compare(local: str, cloud: str, question: str = "", *, same_passages: bool | None = None) -> Comparison:
    """Whether the two say the same. `same_passages`: whether the cloud's answer cites a passage that the local one
    cites; None: not known. Without a question and passages, the order of the two does not matter."""
    first, second = words_of(local), words_of(cloud)
    if not first or not second:
        return Comparison(agreement=Agreement.UNDECIDED, because="nothing to compare")
    common = sum((first & second).values())
    contained = common / min(first.total(), second.total())
    f1 = 2 * common / (first.total() + second.total())
    agreement, because = _found(_Pair(local=local, cloud=cloud, question=question), contained, f1, same_passages)
    return Comparison(agreement=agreement, contained=contained, f1=f1, because=because)


def words_of(text: str) -> Counter[str]:
    """The words that carry an answer: numbers, words and Chinese characters, without citations and function words."""
    return Counter(_said(text))


def _said(text: str) -> list[str]:
    words = _TOKENS.findall(_FRAME.sub(" ", _plain(text)))
    return [word.replace(",", "") for word in words if word not in _STOP]


@dataclass(frozen=True, kw_only=True)
class _Pair:
    local: str
    cloud: str
    question: str

    def amounts(self) -> tuple[frozenset[Amount], frozenset[Amount]]:
        """Those that the question does not name itself."""
        asked = {one.value for one in amounts_in(_plain(self.question))}
        local, cloud = amounts_in(_plain(self.local)), amounts_in(_plain(self.cloud))
        return _without(local, asked), _without(cloud, asked)

    @property
    def for_amount(self) -> bool:
        return asks_for_amount(_plain(self.question))

    @property
    def spelled(self) -> bool:
        return spells(_plain(self.local)) or spells(_plain(self.cloud))


def _found(pair: _Pair, contained: float, f1: float, same_passages: bool | None) -> tuple[Agreement, str]:
    local, cloud = pair.amounts()
    if others(local, cloud) and not pair.spelled and (pair.for_amount or _alike_but_for_numbers(pair)):
        return Agreement.DIFFERS, "other numbers"
    negated = _one_negates(pair.local, pair.cloud)
    if contained >= CONTAINED_MIN:
        # The longer answer may say more; what the shorter one counts, it must count too.
        if local and cloud and not same(local, cloud):
            return Agreement.UNDECIDED, "not the same numbers"
        if negated:
            return (Agreement.DIFFERS if f1 >= ALIKE_MIN else Agreement.UNDECIDED), "one of them negates"
        return Agreement.AGREES, ""
    if pair.for_amount and same(local, cloud) and not negated:
        return Agreement.AGREES, "the same numbers"
    if same_passages is False and _says_none_of(pair):
        return Agreement.DIFFERS, "other documents and other words"
    return Agreement.UNDECIDED, "other words"


def _without(amounts: frozenset[Amount], values: set[float]) -> frozenset[Amount]:
    return frozenset(one for one in amounts if one.value not in values)


def _alike_but_for_numbers(pair: _Pair) -> bool:
    first, second = (_without_numbers(words_of(text)) for text in (pair.local, pair.cloud))
    shorter = min(first.total(), second.total())
    return shorter > 0 and sum((first & second).values()) >= CONTAINED_MIN * shorter


def _says_none_of(pair: _Pair) -> bool:
    """Whether hardly a word of the cloud's stands in the local answer, and none of them may be told otherwise there."""
    local, cloud, question = (_pieces(text) for text in (pair.local, pair.cloud, pair.question))
    added = cloud - question
    if not added or _chinese(pair.local) != _chinese(pair.cloud) or _may_be_one_amount(pair):
        return False
    return not added & local and len(cloud & local) <= FOREIGN_MAX * len(cloud)


def _pieces(text: str) -> set[str]:
    """Words and numbers, and each two Chinese characters that stand together: one alone stands in any text."""
    words = _said(text)
    pairs = {first + second for first, second in pairwise(words) if _CHINESE.match(first) and _CHINESE.match(second)}
    return pairs | {word for word in words if not _CHINESE.match(word)}


def _may_be_one_amount(pair: _Pair) -> bool:
    """In other units, or in words."""
    local, cloud = pair.amounts()
    if pair.for_amount:
        return bool(local) or spells(_plain(pair.local))
    return bool(local and spells(_plain(pair.cloud))) or bool(cloud and spells(_plain(pair.local)))


def _one_negates(one: str, other: str) -> bool:
    """Only answers of like length are compared for a `not`: in a longer one it may belong to something else."""
    long, short = sorted((len(one), len(other)), reverse=True)
    return short * 2 >= long and _negates(one) != _negates(other)


def _without_numbers(words: Counter[str]) -> Counter[str]:
    return Counter({word: count for word, count in words.items() if not _NUMBER.match(word)})


def _chinese(text: str) -> bool:
    """Whether most of it is Chinese."""
    return 2 * len(_CHINESE.findall(text)) >= len(text.split())


def _negates(text: str) -> bool:
    plain = _BOUND_EN.sub(" ", _plain(text))
    english = any(word in _NOT_EN for word in _TOKENS.findall(plain))
    # Two of them cancel out, so their number decides.
    return english or len(_NOT_ZH.findall(plain)) % 2 == 1


def _plain(text: str) -> str:
    """Lower case, without citation marks and accents."""
    letters = unicodedata.normalize("NFKD", _MARKS.sub(" ", text)).casefold().replace("’", "'")
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
