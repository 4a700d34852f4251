"""Whether a question is about what is, was, would be, should, must or may be, and about whom."""

import re

from causeway.semantic_cache.question import Question

_EN = tuple(
    (name, re.compile(rf"(?<![a-z])(?:{pattern})(?![a-z])"))
    for name, pattern in (
        ("past", r"did|was|were|had|been|used to"),
        ("would", r"would|if i|if you|if we"),
        ("should", r"should|ought|supposed"),
        ("must", r"must"),
        ("will", r"will|going to"),
    )
)
_ZH = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("past", r"过(?!年|敏|期|程|度|关|户|分|来|去|节|生|滤|程|大|多|高|低|长|户)|已经|曾"),
        ("should", r"应该|应当|必须|必需|一定要"),
        ("will", r"将来|将会|以后会"),
        ("you", r"你|您(?!好)"),
    )
)
# What one must is not what one may. Beside a question with none of these they say little: how can I, how do I.
_DUTIES = {
    "must": frozenset("需要 需 要 得 须 须要 必须 必需 应 应该 应当 该 务必 shall must should".split()),
    "may": frozenset("可以 可 可否 允许 准 may might".split()),
    "can": frozenset("能 能够 能否 can could".split()),
    "will": frozenset({"会"}),
}
# In both languages people ask for a leave as they ask for an ability.
_ALIKE = frozenset({frozenset({"may", "can"}), frozenset({"can", "will"})})
_SAID = {
    "must": re.compile(r"(?<![a-z])(?:have|has|need|needs|required|obliged|supposed|forced) to(?![a-z])|须(?!知)"),
    "may": re.compile(r"(?<![a-z])(?:allowed|permitted|free) to(?![a-z])"),
}


def modals(question: Question) -> frozenset[str]:
    """The moods and tenses of a question."""
    table = _ZH if question.language == "zh" else _EN
    return frozenset(name for name, pattern in table if pattern.search(question.normal))


def modal(one: Question, other: Question) -> bool:
    """Refuses where a mood or tense stands in only one, and where one says must and the other may or will."""
    duties = frozenset({_duty(one), _duty(other)} - {""})
    return modals(one) != modals(other) or (len(duties) > 1 and duties not in _ALIKE)


def _duty(question: Question) -> str:
    """Must, may or will, where a question says one of them only."""
    words = set(question.words)
    said = {name for name, those in _DUTIES.items() if not words.isdisjoint(those)}
    said |= {name for name, pattern in _SAID.items() if pattern.search(question.normal)}
    return said.pop() if len(said) == 1 else ""
