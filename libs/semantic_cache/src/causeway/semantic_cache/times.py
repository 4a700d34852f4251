"""When a question is about: days, months, years, parts of the day, and words that say so from now."""

import re
from itertools import accumulate

import rjieba

from causeway.semantic_cache.question import Question

_SAID = {
    word: line.split()[0]
    for line in """
today 今天 今日 今晚 tonight
yesterday 昨天 昨日 昨晚
tomorrow 明天 明日 明早 明晚
day-before-yesterday 前天
day-after-tomorrow 后天
this-year 今年 本年
last-year 去年
next-year 明年
this-month 本月 这个月 当月
last-month 上月 上个月
next-month 下月 下个月
this-week 本周 这周 这个星期
last-week 上周 上个星期 上星期
next-week 下周 下个星期 下星期
morning 早上 早晨 上午 清晨 凌晨
noon 中午
afternoon 下午
evening 晚上 傍晚 夜里 夜间
weekend 周末
spring 春天 春季
summer 夏天 夏季 暑假
autumn 秋天 秋季 fall
winter 冬天 冬季 寒假
monday 周一 星期一 礼拜一 mon
tuesday 周二 星期二 礼拜二
wednesday 周三 星期三 礼拜三
thursday 周四 星期四 礼拜四
friday 周五 星期五 礼拜五
saturday 周六 星期六 礼拜六
sunday 周日 星期日 星期天 周天 礼拜天
before 之前 以前 前
after 之后 以后 后
during 期间
since 以来
until 为止
""".strip().splitlines()
    for word in line.split()
}
_MONTHS = "january february march april may june july august september october november december".split()
_EN = re.compile(
    r"(?<![a-z])((?:this|last|next|past)[ -](?:year|month|week|night|semester|quarter)|today|tonight|"
    r"yesterday|tomorrow|"
    r"morning|noon|afternoon|evening|night|weekend|spring|summer|autumn|winter|mon|tue|wed|thu|fri|sat|sun|monday|"
    r"tuesday|wednesday|thursday|friday|saturday|sunday|before|after|during|since|until|till|"
    rf"{'|'.join(month for month in _MONTHS if month != 'may')}|may(?= \d)|(?<=in )may|"
    r"jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|\d+ ?[ap]\.?m)(?![a-z])"
)
# What is another time tomorrow. "On Monday" and "the current limit" are not among them: they may mean any.
_FROM_NOW_EN = re.compile(
    r"(?<![a-z])(?:today|tonight|tonite|yesterday|tomorrow|nowadays|now|currently|presently|recently|lately|ago|so far|"
    r"at present|at the moment|these days|as of (?:today|now)|"
    r"(?:this|last|next|past|coming|previous) (?:hour|night|week|weekend|fortnight|month|quarter|semester|term|season|"
    r"year|morning|noon|afternoon|evening|spring|summer|autumn|fall|winter|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day)|"
    r"(?:last|next|past|coming) (?:\d+|few|several|couple of|two|three|four|five|six|seven|ten|twelve) "
    r"(?:minute|hour|day|week|month|quarter|year)s)(?![a-z])"
)
_FROM_NOW_ZH = re.compile(
    "|".join(
        """
今天 今日 今晚 今早 今晨 今夜 今儿 昨天 昨日 昨晚 昨夜 昨儿 前天 前晚 大前天 明天 明日 明早 明晚 明儿 后天 大后天
现在 目前 当前 眼下 如今 此刻 此时 刚才 刚刚 最近 近期 近日 近来 这几天 这两天 这阵子 前几天 前两天 过几天 待会 稍后
本周 这周 这星期 这个星期 这礼拜 这个礼拜 这一周 上周 上星期 上个星期 上礼拜 上个礼拜 上一周 下周 下星期 下个星期
下礼拜 下个礼拜 下一周 这周末 本月 这个月 这月 当月 上月 上个月 下月 下个月 本季度 这个季度 上季度 上个季度 下季度
下个季度 本学期 这学期 这个学期 上学期 上个学期 下学期 下个学期 今年 本年 本年度 去年 前年 明年 上一年度 下一年度
""".split()
    )
)
_RUN_ZH = re.compile(r"[\u4e00-\u9fff]+")
_BORN_WITH = "后天性"
_HAN_SAID = tuple(word for word in _SAID if not word.isascii() and len(word) > 1)


def times(question: Question) -> frozenset[str]:
    """What a question says of time, each in one word whatever the language. Years are numbers."""
    found = {_SAID.get(word, word.replace(" ", "-")) for word in _EN.findall(question.normal)}
    found |= {_SAID[word] for word in _HAN_SAID if word in question.normal}
    return frozenset(found)


def time(one: Question, other: Question) -> bool:
    """Refuses where a time stands in only one."""
    return times(one) != times(other)


def relative(question: Question) -> bool:
    """Whether a question says a time from now, as today and 上个月 do: its answer does not stand tomorrow."""
    if _FROM_NOW_EN.search(question.normal):
        return True
    return any(_relative_han(run) for run in _RUN_ZH.findall(question.normal))


def _relative_han(run: str) -> bool:
    """By the words that a dictionary cuts: 证明天数 has no 明天 in it. A longer word that begins so counts: 去年底."""
    words = rjieba.cut(run)
    ends = list(accumulate(len(word) for word in words))
    begun = {end - len(word): word for end, word in zip(ends, words, strict=True)}
    for found in _FROM_NOW_ZH.finditer(run):
        word = begun.get(found.start())
        if word is not None and word != _BORN_WITH and (found.end() in ends or len(word) > len(found.group())):
            return True
    return False
