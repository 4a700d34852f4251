"""What kind of answer a question wants: a person, a time, a place, a reason, a way, an amount, yes or no."""

import re

from causeway.semantic_cache.question import Question

# The first that fits wins, so that 为什么 is not 什么 and "how many" is not "how".
_ZH = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "why",
            r"为什么|为何|为啥|为嘛|干嘛|何故|怎么会|怎么不|怎么没|怎么还|怎么又|怎么就|怎么老|怎么总|什么原因|原因是|咋会|怎么回事|咋回事|咋不|咋没",
        ),
        ("meaning", r"什么意思|啥意思|含义|意思是|什么叫|何谓|是什么[？?]?$|是啥$"),
        ("blank", r"什么[的地]\S|[（(]\s*[）)]|怎么造句|造句"),
        ("when", r"什么时候|何时|几时|啥时|几点|哪年|哪一年|哪天|几号|几月|星期几"),
        ("how-long", r"多久|多长时间|几天|几年|几个月|几个小时|多少天|多少年|多少时间|几久"),
        ("amount", r"多少|几个|几种|几次|几岁|多大|多高|多重|多远|几[位名人家部集]|几率"),
        ("who", r"谁|哪位|何人|哪个人"),
        ("where", r"哪里|哪儿|在哪|何处|什么地方|去哪|哪有|到哪|从哪|那里[有找]"),
        ("like", r"怎么样|怎样[？?]?$|咋样|如何[？?]?$|好不好|好吗"),
        ("remedy", r"怎么办|咋办|怎么处理|如何处理|怎么解决|怎么弄"),
        ("how", r"怎么|如何|怎样|咋|怎麽|方法|办法|做法"),
        ("which", r"哪些|哪个|哪种|哪款|哪家|哪一|哪|什么|啥|甚么|有何"),
        ("whether", r"吗|么$|(.{1,2})[不没]\1|能否|是否|可否|有没有|没有$|不$|没$|嘛$"),
    )
)
_EN = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "amount",
            r"\bhow (?:much|many|old|tall|big|far|large|high|deep|heavy|big)\b|\bwhat (?:number|percent\w*|amount)\b",
        ),
        ("how-long", r"\bhow long\b"),
        ("how-often", r"\bhow (?:often|frequently)\b"),
        ("why", r"\bwhy\b|\bwhat (?:is|are|was) the (?:reason|cause)s?\b|\bhow come\b"),
        ("whose", r"\bwhose\b"),
        ("who", r"\bwhom?\b"),
        ("when", r"\bwhen\b|\bwhat (?:time|year|date|day)\b"),
        ("where", r"\bwhere\b"),
        ("like", r"\bhow (?:is|are|was|were|good)\b"),
        ("how", r"\bhow\b|\bways?\b"),
        ("which", r"\bwhich\b|\bwhat\b"),
        ("whether", r"^(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|had|am|may|must|shall)\b"),
    )
)
# Who knows, and why (at the end), are said beside the question.
_ASIDE = re.compile(r"谁(?:知道|有|能|可以|会|给|帮)|有谁|[,.?!&]? ?(?:and|&)? ?why$|有木有")
# Asked for in either way, the answer is the same.
_ALIKE = frozenset({frozenset({"how", "remedy"}), frozenset({"which", "meaning"})})


def kind_of(question: Question) -> str:
    """The kind of answer that is wanted; empty where nothing tells."""
    table = _ZH if question.language == "zh" else _EN
    asked = _ASIDE.sub("", question.normal)
    return next((kind for kind, pattern in table if pattern.search(asked)), "")


def kind(one: Question, other: Question) -> bool:
    """Refuses where the two want different kinds of answer."""
    kinds = frozenset({kind_of(one), kind_of(other)})
    return len(kinds) > 1 and kinds not in _ALIKE
