"""When a question is about: days, months, years, parts of the day, and words that say so from now."""

import re

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
_HAN_SAID = tuple(word for word in _SAID if not word.isascii() and len(word) > 1)


def times(question: Question) -> frozenset[str]:
    """What a question says of time, each in one word whatever the language. Years are numbers."""
    found = {_SAID.get(word, word.replace(" ", "-")) for word in _EN.findall(question.normal)}
    found |= {_SAID[word] for word in _HAN_SAID if word in question.normal}
    return frozenset(found)


def time(one: Question, other: Question) -> bool:
    """Refuses where a time stands in only one."""
    return times(one) != times(other)
