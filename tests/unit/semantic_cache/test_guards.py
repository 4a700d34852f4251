"""Each guard by itself: what it refuses and what it lets pass, in Chinese and in English."""

import pytest

from causeway.semantic_cache import GUARDS, read, refusing
from causeway.semantic_cache.negation import negations
from causeway.semantic_cache.numbers import numbers

REFUSED = {
    "language": [("什么是年假？", "What is annual leave?"), ("年次休暇とは何ですか？", "年次休暇は何ですか？")],
    "negation": [
        ("可以取消订单吗", "不可以取消订单吗"),
        ("为什么我能还款", "为什么我不能还款"),
        ("密码没有修改怎么登录", "密码修改怎么登录"),
        ("Can I carry leave over?", "Can't I carry leave over?"),
        ("Is it possible to be ill and not be insane?", "Is it possible to not be ill and be insane?"),
        ("How do I work with a contract?", "How do I work without a contract?"),
    ],
    "number": [
        ("三十厘米等于多少毫米", "二十厘米等于多少毫米"),
        ("小学2年级语文", "小学3年级语文"),
        ("借1万元的利息", "借10万元的利息"),
        ("Is castor oil safe at 37 weeks?", "Is castor oil safe at 35 weeks?"),
        ("What happens after two warnings?", "What happens after three warnings?"),
        ("2026年3号楼的5号门在哪里", "2026年5号楼的3号门在哪里"),
        ("How large is 1,500 kg?", "How large is 15,000 kg?"),
    ],
    "unit": [
        ("包裹最多多少公斤", "包裹最多多少斤"),
        ("工资是多少美元", "工资是多少欧元"),
        ("What is the limit in kilometres?", "What is the limit in miles?"),
        ("How many hours of leave?", "How many days of leave?"),
    ],
    "time": [
        ("明天的会议在哪里", "昨天的会议在哪里"),
        ("下周一放假吗", "下周二放假吗"),
        ("上午营业吗", "下午营业吗"),
        ("What is due this month?", "What is due next month?"),
        ("Is the office open on Monday?", "Is the office open on Friday?"),
        ("What must be signed before the visit?", "What must be signed after the visit?"),
    ],
    "kind": [
        ("谁批准了年假", "为什么批准了年假"),
        ("什么时候批准年假", "怎么批准年假"),
        ("年假有多少", "年假有吗"),
        ("Who approves leave?", "When is leave approved?"),
        ("Why does the pump stop?", "How does the pump stop?"),
        ("How many pumps are there?", "Where are the pumps?"),
    ],
    "quantifier": [
        ("所有员工有年假吗", "员工有年假吗"),
        ("哪个水泵最大", "哪个水泵大"),
        ("只有经理可以报销吗", "经理可以报销吗"),
        ("Do all employees get leave?", "Do employees get leave?"),
        ("Why do women only shave their legs?", "Why do women shave their legs?"),
        ("Name one algorithm for it.", "Name another algorithm for it."),
    ],
    "modal": [
        ("你应该几点到", "你几点到"),
        ("How did you react to it?", "How would you react to it?"),
        ("What should I sign?", "What did I sign?"),
    ],
    "person": [
        ("你今年多大了", "我今年多大了"),
        ("我很愿意听你说话", "你很愿意听我说话"),
        ("Where is my contract?", "Where is your contract?"),
    ],
    "opposite": [
        ("怎么打开自动续费", "怎么关闭自动续费"),
        ("男生适合什么发型", "女生适合什么发型"),
        ("How do I enable the alarm?", "How do I disable the alarm?"),
        ("What does it cost to buy a pump?", "What does it cost to sell a pump?"),
    ],
    "direction": [
        ("从北京到上海怎么走", "从上海到北京怎么走"),
        ("把欧元兑换为美元怎么算", "把美元兑换为欧元怎么算"),
        ("How do I travel from Paris to Rome?", "How do I travel from Rome to Paris?"),
        ("What percentage of terrorists are Muslim?", "What percentage of Muslims are terrorists?"),
    ],
    "entity": [
        ("OPPO手机怎么充电", "华为手机怎么充电"),
        ("R17怎么充电", "R15怎么充电"),
        ("Is a PhD from UIUC worth it?", "Is a PhD from UCLA worth it?"),
        ("How do I find a C++ mentor?", "How do I find a C mentor?"),
    ],
    "content": [
        ("生鸡蛋可以吃吗", "臭鸡蛋可以吃吗"),
        ("一尘不染什么意思", "一尘不染的染是什么意思"),
        ("What was the population of the city?", "What was the white population of the city?"),
        ("Are mushrooms a vegetable?", "Are beans a vegetable?"),
    ],
}
PASSED = [
    ("年假怎么申请？", "请问如何申请年假"),
    ("有什么电视剧搞笑", "有什么搞笑的电视剧"),
    ("哪个奥特曼最帅？", "奥特曼哪个最帅"),
    ("能不能取消订单", "可以取消订单吗"),
    ("格力空调与美的空调哪个好", "美的空调和格力空调哪个好"),
    ("電腦怎麼重啟", "电脑怎么重启"),
    ("三十天年假怎么算", "30天年假怎么算"),
    ("What is the best book for exam preparation?", "Which is the best book for the preparation of exams?"),
    ("How can I earn money fast online?", "How can I earn money online fast?"),
    ("What's the annual leave?", "What is the annual leave"),
    ("How do I get 1,500 dollars?", "How do I get 1500 dollars?"),
    ("Why can't I log in?", "Why can I not log in?"),
    ("How long is it, two metres?", "How long is it, 2 meters?"),
]
CASES = [(name, one, other) for name, pairs in REFUSED.items() for one, other in pairs]


@pytest.mark.parametrize(("name", "one", "other"), CASES)
def test_a_guard_refuses_what_it_is_named_for_and_in_both_directions(name: str, one: str, other: str) -> None:
    guard = GUARDS[name]
    assert guard(read(one), read(other))
    assert guard(read(other), read(one))


@pytest.mark.parametrize(("one", "other"), PASSED)
def test_the_same_question_in_other_words_passes_every_guard(one: str, other: str) -> None:
    assert [name for name, guard in GUARDS.items() if guard(read(one), read(other))] == []


@pytest.mark.parametrize("name", GUARDS)
def test_every_guard_has_a_case_in_chinese_and_one_in_english(name: str) -> None:
    languages = {read(one).language for one, _ in REFUSED[name]}
    assert {"zh", "en"} <= languages or name == "language"


def test_the_first_guard_that_refuses_names_itself() -> None:
    assert refusing(read("可以取消订单吗"), read("不可以取消订单吗")) == "negation"
    assert refusing(read("年假怎么申请"), read("如何申请年假")) == ""


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("有没有年假", 0),
        ("能不能报销", 0),
        ("这个能用不", 0),
        ("特别的区别是什么", 0),
        ("不能报销", 1),
        ("没有发票不能报销", 2),
        ("I can't and won't", 2),
        ("nothing works", 1),
    ],
)
def test_asking_by_a_not_a_does_not_negate(text: str, count: int) -> None:
    assert negations(read(text)) == count


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("一万二千三百五十元", ["12350"]),
        ("三点五公斤", ["3.5"]),
        ("二〇二六年", ["2026"]),
        ("一般来说一样", []),
        ("twenty-one pumps", ["20", "1"]),
        ("one pump", []),
        ("1,200.5 kg", ["1200.5"]),
        ("1,234,567 pumps", ["1234567"]),
        ("rooms 3,4", ["3", "4"]),
        ("clause 4.10", ["4.10"]),
        ("clause 4.1.10", ["4.1.10"]),
        ("order 00123", ["00123"]),
        ("a drill of .5 mm", [".5"]),
        ("at -20 degrees", ["-20"]),
        ("at minus twenty degrees", ["-20"]),
        ("零下二十度", ["-20"]),
        ("在-20度", ["-20"]),
        ("负20度", ["-20"]),
        ("负责5个项目", ["5"]),
        ("rooms 5-10", ["5", "10"]),
        ("on 2026-01-02", ["2026", "01", "02"]),
        ("COVID-19", ["19"]),
    ],
)
def test_numbers_are_compared_as_they_are_written_with_their_sign(text: str, values: list[str]) -> None:
    assert numbers(read(text)) == values
