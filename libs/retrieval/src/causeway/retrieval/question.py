"""A question as the retrieval stages see it: its language, its search terms and the kind of answer it asks for."""

import re
from dataclasses import dataclass
from typing import Literal

from causeway.language import detect, fold, terms

AnswerKind = Literal["number", "date", "person", "place", "reason", "manner", "thing"]

# The first rule that matches decides, so that "how long ago" is told from "how long" and from "how".
_RULES: tuple[tuple[AnswerKind, str], ...] = (
    ("date", r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|decade|time)\b|how long ago|\bin what year"),
    (
        "number",
        r"\bhow (?:many|much|long|far|old|tall|high|big|large|often|fast|deep|wide|heavy)\b|\bwhat (?:percent|age)",
    ),
    (
        "number",
        r"\bwhat (?:is|was|were|are) the (?:population|number|percentage|price|cost|size|height|length|total|score)",
    ),
    ("reason", r"\bwhy\b|\bwhat (?:is|was) the reason|\bfor what reason|\bwhat caused?\b"),
    ("person", r"\bwho(?:se|m)?\b"),
    ("place", r"\bwhere\b|\b(?:what|which) (?:country|city|state|place|county|continent|river|town|region|location)\b"),
    ("manner", r"\bhow\b"),
    (
        "date",
        r"什么时候|何时|哪一?[年天月日]|几[年月日号]|哪个?(?:年代|世纪|朝代|年份|月份|时期)|时间是|多久[以之]?前|年份|日期|几时|哪[年天月日]",
    ),
    (
        "number",
        r"多少|几[个位种次名岁人部座条所天年首场层]|多[大高长远久重宽深快厚]|第几|几|百分之|数量|人口|面积|高度|长度|价格",
    ),
    ("reason", r"为什么|为何|为啥|原因|何以|怎么会|因为什么|缘何"),
    ("person", r"谁|何人|哪[位个]?人|哪[位名]|哪一?位|(?:作者|导演|创始人|发明人|主演|校长|总统|皇帝)(?:是|叫)"),
    ("place", r"哪里|哪儿|何处|何地|在哪|(?:什么|哪个?|哪一?[个座])(?:地方|国家|城市|省|州|县|市|区|洲|河)|位于"),
    ("manner", r"怎么|怎样|如何|怎么办|方法|步骤"),
)
_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _RULES)


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked. `terms` are distinct and in order; `text` is as it was typed."""

    text: str
    language: str
    terms: tuple[str, ...]
    kind: AnswerKind


def ask(text: str, language: str = "") -> Question:
    """Analyse a question; an empty `language` is detected."""
    known = language or detect(text)
    return Question(text=text, language=known, terms=tuple(dict.fromkeys(terms(text, known))), kind=answer_kind(text))


def answer_kind(text: str) -> AnswerKind:
    """Return the kind of answer a Chinese or English question asks for."""
    folded = fold(text)
    return next((kind for kind, pattern in _PATTERNS if pattern.search(folded)), "thing")
