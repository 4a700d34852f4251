"""Who speaks of whom: I like you is not you like me."""

import re

from causeway.semantic_cache.question import Question

_ZH = re.compile(r"我们|你们|他们|她们|咱|我(?!的世界)|你(?!好)|您(?!好)|他|她")
_SAME = {"我们": "我", "咱": "我", "你们": "你", "您": "你", "他们": "他", "她们": "她"}
_EN = re.compile(r"\b(my|your|his|her|their|our|yours|mine)\b")


def persons(question: Question) -> tuple[str, ...]:
    """The persons of a question in their order; in English those that own something, since `I` and `you` both mean
    anybody there."""
    pattern = _ZH if question.language == "zh" else _EN
    return tuple(_SAME.get(found, found) for found in pattern.findall(question.normal))


def person(one: Question, other: Question) -> bool:
    """Refuses where other persons stand, or the same in another order. Not where only one question names any."""
    ours, theirs = persons(one), persons(other)
    if not ours or not theirs:
        return False
    return set(ours) != set(theirs) or (len(set(ours)) > 1 and ours != theirs)
