"""Whether what a verb says is done or suffered: who audits, who is audited."""

import re

from causeway.semantic_cache.question import Question, stem

_BE = r"(?:be|been|being|is|are|was|were|am|get|gets|got)"
_PARTICIPLE = (
    r"[a-z]+ed|[a-z]{2,}(?:tt|v|k|w|s)en|(?:kn|gr|thr|dr|fl|sh)own|paid|laid|made|built|sent|spent|lent|bent|lost|kept|"
    r"left|held|told|sold|(?:b|br|c|t|f|s|th)(?:ou|au)ght|put|cut|set|met|done|run|hit|hurt|led|fed|found|heard|read|won"
)
# The subject may stand between: is the company taxed.
_PASSIVE = re.compile(rf"(?<![a-z]){_BE} (?:[a-z]+ ){{0,4}}?({_PARTICIPLE})(?![a-z])")


def suffered(question: Question) -> frozenset[str]:
    """The English verbs of a question that stand in the passive."""
    if question.language != "en":
        return frozenset()
    return frozenset(stem(word) for word in _PASSIVE.findall(question.normal))


def voice(one: Question, other: Question) -> bool:
    """Whether a verb of both is in the passive in one of them only, and nothing that both say changed its place."""
    ours, theirs = suffered(one), suffered(other)
    turned = (ours - theirs) & set(other.words) | (theirs - ours) & set(one.words)
    return bool(turned) and _common(one, other) == _common(other, one)


def _common(one: Question, other: Question) -> list[str]:
    return [word for word in one.content if word in other.content]
