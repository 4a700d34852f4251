"""How much of something a question is about: all, some, only, most, first, at least."""

import re

from causeway.semantic_cache.question import Question

_ZH = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("all", r"全部|所有|一切|全都|任何|任意|每个|每一|每天|每年|每月|每次|整个|全国|全家"),
        ("some", r"一部分|部分|某些|某个|有些|有的"),
        ("only", r"只(?!要|有)|仅|唯一|单独|光是|只有"),
        ("most", r"最(?!近|终|后|初)"),
        ("mostly", r"大多|大部分|多数|主要"),
        ("at-least", r"至少|起码|最少|最低"),
        ("at-most", r"至多|最多|最高|不超过|以内|上限"),
        ("more", r"更|越来越|以上|超过|多于"),
        ("less", r"少于|不足|以下|低于"),
        ("again", r"重新|再次|又一次|第二次"),
        ("last", r"最后|最终|最近"),
        ("first", r"最初|首次|第一次|首先|第一"),
        ("almost", r"几乎|差点|差不多"),
        ("other", r"另|其他|其它|其余|别的|还有"),
        ("too", r"太(?![阳空平太原])|过于"),
    )
)
_EN = tuple(
    (name, re.compile(rf"(?<![a-z])(?:{pattern})(?![a-z])"))
    for name, pattern in (
        ("all", r"all|every|each|always|entire|whole|everyone|everything|everybody"),
        ("any", r"either"),
        ("some", r"part of|partly|certain"),
        ("only", r"only|solely|exclusively|alone"),
        (
            "most",
            r"most|worst|(?!best|interest|request|suggest|invest|forest|honest|protest|contest|digest|harvest)\w{3,}est",
        ),
        ("at-least", r"at least|minimum|least"),
        ("at-most", r"at most|maximum|up to|limit"),
        ("more", r"more|over|than|further"),
        ("less", r"less|fewer|under"),
        ("both", r"both"),
        ("few", r"(?<!a )few"),
        ("first", r"first"),
        ("last", r"last|final|latest"),
        ("almost", r"almost|nearly"),
        ("too", r"too much|too many"),
        ("else", r"other than|except|besides|apart from"),
        ("other", r"other|another|others|else"),
        ("same", r"same"),
    )
)


def quantifiers(question: Question) -> frozenset[str]:
    """The quantifiers of a question."""
    table = _ZH if question.language == "zh" else _EN
    return frozenset(name for name, pattern in table if pattern.search(question.normal))


def quantifier(one: Question, other: Question) -> bool:
    """Refuses where a quantifier stands in only one."""
    return quantifiers(one) != quantifiers(other)
