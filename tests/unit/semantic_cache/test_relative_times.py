"""Which questions say a time from now, in Chinese and in English, and which only have such letters in them."""

import pytest

from causeway.semantic_cache import read, relative

FROM_NOW = [
    "Who is on shift today?",
    "What are TODAY’S specials?",
    "Who is on call tonight?",
    "What did we ship yesterday?",
    "Is the office open tomorrow?",
    "Which pump is running now?",
    "Who currently approves leave?",
    "What was sold last month?",
    "What is due this week?",
    "Which budget is for next  year?",
    "Who worked last Friday?",
    "What failed in the past 30 days?",
    "What was changed two weeks ago?",
    "今天谁值班？",
    "今日菜单是什么",
    "昨天的产量是多少",
    "明天放假吗",
    "我们明天放假吗",
    "现在谁是经理？",
    "目前库存多少",
    "本周谁值班",
    "这周谁值班",
    "上周的会议在哪里开的",
    "下周一谁值班",
    "本月的销量",
    "这个月卖了多少",
    "上个月的销量",
    "上個月的銷量",
    "今年的预算是多少",
    "去年底的库存",
    "明年涨价吗",
    "刚才说的是什么",
    "最近有什么变化",
    "昨天晚上谁值班",
    "VPN 今天能用吗",
]
AT_ANY_TIME = [
    "How many days of annual leave does an employee have?",
    "Which door leads nowhere?",
    "What must a new colleague know?",
    "How much snow can the roof bear?",
    "Is it known who approves leave?",
    "What is the last step of the procedure?",
    "What is the next form to sign?",
    "Is this weekly report public?",
    "Who is on shift on Mondays?",
    "Where is the agora?",
    "年假有多少天？",
    "证明天数怎么算",
    "注明日期了吗",
    "体现在哪里",
    "失去年假吗",
    "以上月薪怎么算",
    "成本月报在哪里",
    "样本周期是多久",
    "提前天数是多少",
    "产后天数怎么算",
    "后天性心脏病怎么治",
    "说明天气的文件在哪里",
    "出现在屏幕上的是什么",
]


@pytest.mark.parametrize("text", FROM_NOW)
def test_a_time_from_now_is_seen(text: str) -> None:
    assert relative(read(text))


@pytest.mark.parametrize("text", AT_ANY_TIME)
def test_what_only_looks_like_one_is_not(text: str) -> None:
    assert not relative(read(text))
