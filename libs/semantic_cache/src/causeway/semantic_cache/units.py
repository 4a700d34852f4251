"""What a question counts in."""

import re

from causeway.semantic_cache.question import Question

# Each line is one unit; Chinese names that are also common words count only beside a number or a how-many.
_ZH = {
    word: line.split()[0]
    for line in """
km 公里 千米
m 米
cm 厘米 公分
mm 毫米
inch 英寸
kg 公斤 千克
g 克
jin 斤
mg 毫克
ton 吨
l 升
ml 毫升
h 小时 钟头
min 分钟 分
s 秒 秒钟
d 天 日 号
week 周 星期 礼拜
month 月 个月
year 年
age 岁 周岁
cny 元 块 块钱 人民币 钱
usd 美元 美金
eur 欧元
hkd 港币 港元
jpy 日元
degree 度
percent 百分之 个点
page 页
times 次 回
person 人 位
gb g
""".strip().splitlines()
    for word in line.split()[1:]
}
_EN = {
    word: line.split()[0]
    for line in """
km km kilometer kilometers kilometre kilometres
mile mile miles
m meter meters metre metres
cm cm centimeter centimeters
mm mm millimeter millimeters
inch inch inches
foot feet foot ft
kg kg kilogram kilograms kgs
g gram grams
pound pound pounds lb lbs
mg mg milligram milligrams
l liter liters litre litres
ml ml milliliter milliliters
gallon gallon gallons
h hour hours hr hrs
min minute minutes mins
s second seconds secs
d day days
week week weeks
month month months
year year years
usd dollar dollars usd bucks
eur euro euros eur
inr rupee rupees rs inr lakh lakhs crore
gbp gbp quid
celsius celsius
fahrenheit fahrenheit
percent percent percentage
mb mb megabyte megabytes
gb gb gigabyte gigabytes
tb tb terabyte terabytes
mph mph
kmh kph
""".strip().splitlines()
    for word in line.split()[1:]
}
_SIGN = {"%": "percent", "$": "usd", "€": "eur", "£": "gbp", "¥": "cny", "℃": "celsius", "℉": "fahrenheit"}
_COUNTED = r"(?:\d|[零一二两三四五六七八九十百千万亿半几]|多少|每个?)"
_ZH_UNIT = re.compile(f"{_COUNTED}({'|'.join(sorted(_ZH, key=len, reverse=True))})")
_EN_UNIT = re.compile(rf"(?<![a-z])({'|'.join(sorted(_EN, key=len, reverse=True))})(?![a-z])")


def units(question: Question) -> frozenset[str]:
    """The units of a question, whatever their name in it."""
    found = {_ZH[unit] for unit in _ZH_UNIT.findall(question.normal)}
    found |= {_EN[unit] for unit in _EN_UNIT.findall(question.normal)}
    return frozenset(found | {name for sign, name in _SIGN.items() if sign in question.text})


def unit(one: Question, other: Question) -> bool:
    """Refuses where a unit stands in only one: what is asked for in metres is not answered in feet."""
    return units(one) != units(other)
