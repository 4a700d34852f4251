"""Whether a question is about what is, was, would be, should be or may be, and about whom."""

import re

from causeway.semantic_cache.question import Question

_EN = tuple(
    (name, re.compile(rf"(?<![a-z])(?:{pattern})(?![a-z])"))
    for name, pattern in (
        ("past", r"did|was|were|had|been|used to"),
        ("would", r"would|if i|if you|if we"),
        ("should", r"should|must|ought|supposed"),
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


def modals(question: Question) -> frozenset[str]:
    """The moods and tenses of a question."""
    table = _ZH if question.language == "zh" else _EN
    return frozenset(name for name, pattern in table if pattern.search(question.normal))


def modal(one: Question, other: Question) -> bool:
    """Refuses where a mood or tense stands in only one."""
    return modals(one) != modals(other)
