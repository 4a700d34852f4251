"""How often a question says no, and to what."""

import re

from causeway.semantic_cache.question import Question, stem

# Words with a character of negation that do not negate.
_ZH_PLAIN = re.compile(
    r"不同|不过|不但|不仅|不管|不论|不止|不断|不久|不少|不错|不好意思|不如|差不多|对不起|了不起|不锈|不动产|不由|不知道|不明白|不懂怎|"
    r"无论|无线|无锡|无花果|无人机|无穷|未来|未婚夫|未婚妻|未必|别人|别的|别墅|别克|特别|分别|区别|级别|性别|识别|告别|类别|个别|鉴别|辨别|"
    r"差别|派别|离别|莫斯科|莫言|莫名|非常|非洲|非得|非要|是非|南非|东非|西非|北非|非典|否则|是否|能否|可否|要不然|要不是|不然|不妨|"
    r"免费|并非洲|没准|不一会|动不动|忍不住|不得不"
)
_ZH_ASKING = (
    (re.compile(r"([\u4e00-\u9fff]{1,2})[不没]\1"), r"\1"),
    (re.compile(r"有没有"), "有"),
    (re.compile(r"([\u4e00-\u9fff])(?:不|没有?|否)$"), r"\1"),
)
_ZH_NO = re.compile(r"不能|不会|不了|不到|不可|不出|没有|不|没|无|未|非|别|勿|莫|禁止|禁|拒|失败|无法")
_EN_NO = frozenset(
    stem(word)
    for word in "not no never without cannot nobody none neither nor nothing nowhere unable non isnt dont cant".split()
)


def negations(question: Question) -> int:
    """How many words of a question negate; A-not-A questions ask and do not."""
    return _zh(question.normal) + sum(word in _EN_NO for word in question.words)


def _zh(normal: str) -> int:
    text = _ZH_PLAIN.sub("", normal)
    for asking, asked in _ZH_ASKING:
        text = asking.sub(asked, text)
    return len(_ZH_NO.findall(text))


def negation(one: Question, other: Question) -> bool:
    """Refuses where one says no more often than the other, or to another word."""
    if negations(one) != negations(other):
        return True
    return _negated(one) != _negated(other)


def _negated(question: Question) -> list[str]:
    """In English, the word that each no bears on: `not be ill and eat` is not `be ill and not eat`."""
    words, negated = question.words, []
    for at, word in enumerate(words):
        if word in _EN_NO:
            negated.append(next((after for after in words[at + 1 :] if after in question.bearing), ""))
    return sorted(negated)
