"""Questions of a business that differ by one small word, by the order of their words, or by how a number is written:
each has its own answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causeway.semantic_cache import Limit, judge, normalised, read, refusals, relative

APART = {
    "number": """
What applies under clause 4.10 of the security policy? / What applies under clause 4.1 of the security policy?
Is version 2.10 supported? / Is version 2.1 supported?
What is the status of order 00123? / What is the status of order 123?
May the valve be opened at -20 degrees? / May the valve be opened at 20 degrees?
May the valve be opened at minus 20 degrees? / May the valve be opened at 20 degrees?
Is the range -5 to 5 degrees? / Is the range 5 to -5 degrees?
Is the limit .5 bar? / Is the limit 5 bar?
Who uses rooms 3,4? / Who uses rooms 34?
Is half of the fee due? / Is twice the fee due?
Is tank one for pump two? / Is tank two for pump one?
信息安全制度第4.10条规定了什么？ / 信息安全制度第4.1条规定了什么？
阀门可以在-20度打开吗？ / 阀门可以在20度打开吗？
阀门可以在零下20度打开吗？ / 阀门可以在20度打开吗？
负5度可以施工吗 / 5度可以施工吗
订单00123的状态是什么 / 订单123的状态是什么
第三、四条规定了什么 / 第三十四条规定了什么
编号〇〇五的设备在哪 / 编号五的设备在哪
""",
    "modal": """
May contractors attend the annual training? / Must contractors attend the annual training?
Can contractors attend the annual training? / Do contractors have to attend the annual training?
Can contractors attend the annual training? / Do contractors need to attend the annual training?
Are employees allowed to sign? / Are employees obliged to sign?
Must I sign the form? / Should I sign the form?
外包员工可以参加每年的安全培训吗 / 外包员工需要参加每年的安全培训吗
外包员工能参加每年的安全培训吗 / 外包员工要参加每年的安全培训吗
外包员工可以参加每年的安全培训吗 / 外包员工得参加每年的安全培训吗
外包员工可以参加每年的安全培训吗 / 外包员工必须参加每年的安全培训吗
员工可以加班吗 / 员工应加班吗
员工会被辞退吗 / 员工可以被辞退吗
谁需要参加培训 / 谁可以参加培训
员工需不需要加班 / 员工可不可以加班
""",
    "opposite": """
Does the supplier give the customer a discount? / Does the supplier get the customer a discount?
Which documents does the customer give the bank? / Which documents does the customer get from the bank?
May employees lend the equipment? / May employees borrow the equipment?
What does the buyer pay? / What does the seller pay?
Who does the internal audit? / Who does the external audit?
What duty is there on import? / What duty is there on export?
How do I open an account? / How do I close an account?
How do I lock the door? / How do I unlock the door?
How do I increase the quota? / How do I decrease the quota?
Is tax included? / Is tax excluded?
提前还款怎么增加额度 / 提前还款怎么减少额度
买方承担运费吗 / 卖方承担运费吗
进口水泵要交税吗 / 出口水泵要交税吗
甲方要承担什么责任 / 乙方要承担什么责任
内部审计由谁负责 / 外部审计由谁负责
公司向客户收多少押金 / 公司向客户付多少押金
怎么登录系统 / 怎么登出系统
怎么登录系统 / 怎么退出系统
货物入库怎么办理 / 货物出库怎么办理
上班打卡几点 / 下班打卡几点
上传文件怎么做 / 下载文件怎么做
收款人是谁 / 付款人是谁
国内出差补贴 / 国外出差补贴
税前工资是多少 / 税后工资是多少
输入电压是多少 / 输出电压是多少
""",
    "direction": """
How do employees log in to the portal from home? / How do employees log out of the portal from home?
How do I sign in? / How do I sign out?
How do I sign up? / How do I sign in?
How do I switch the pump on? / How do I switch the pump off?
How is the report handed in? / How is the report handed out?
Is the pump in order? / Is the pump out of order?
What is the fee for a transfer to a foreign account? / What is the fee for a transfer from a foreign account?
How do I move files from the server to the laptop? / How do I move files to the server from the laptop?
What is the limit for transfers into the account? / What is the limit for transfers out of the account?
What is paid by the insurer? / What is paid to the insurer?
What can be sent to the client by mail? / What can be sent by the client by mail?
What is the notice period by the employer? / What is the notice period for the employer?
Who has power of attorney for the director? / Who has power of attorney from the director?
How do I send mail to my manager? / How do I send mail as my manager?
Is the shipment at the port? / Is the shipment to the port?
What do employees owe the company? / What does the company owe employees?
Who can sue the company? / Who can the company sue?
Who reports to the manager? / Who does the manager report to?
Who do I report to? / Who reports to me?
Whom does the firm supply? / Who supplies the firm?
Which suppliers can the company exclude? / Which suppliers can exclude the company?
When can I sue the company? / When can the company sue me?
Can I fire my manager? / Can my manager fire me?
Can you pay me? / Can I pay you?
Does A include B? / Does B include A?
How long may the company suspend the supplier? / How long may the supplier suspend the company?
Does the tenant pay the landlord a deposit? / Does the landlord pay the tenant a deposit?
Who employs the guard? / Who is employed by the guard?
Can staff be monitored? / Can staff monitor?
When is the company taxed? / When does the company tax?
Are we audited? / Do we audit?
What causes leaks? / What do leaks cause?
What depends on the valve? / What does the valve depend on?
Which team reviews the design team? / Which team does the design team review?
How many employees report injuries? / How many injuries do employees report?
What affects me? / What do I affect?
What is the licence needed for? / What is needed for the licence?
Is the room booked for me? / Is the room booked by me?
Who is responsible for the audit? / Who is responsible to the audit?
Does the company provide insurance to employees? / Do employees provide insurance to the company?
Is the pump heavier than the motor? / Is the motor heavier than the pump?
Does the supplier have to be informed? / Does the supplier have to inform?
甲方向乙方支付违约金吗 / 乙方向甲方支付违约金吗
卖方向买方收多少钱 / 买方向卖方收多少钱
公司欠员工什么 / 员工欠公司什么
我可以起诉公司吗 / 公司可以起诉我吗
我欠银行多少钱 / 银行欠我多少钱
客户让我们退款吗 / 我们让客户退款吗
客户向供应商退货 / 供应商向客户退货
什么控制水泵 / 水泵控制什么
谁欠公司钱 / 公司欠谁钱
经理向谁汇报 / 谁向经理汇报
我帮他请假可以吗 / 他帮我请假可以吗
A包含B吗 / B包含A吗
把A换成B怎么做 / 把B换成A怎么做
""",
    "kind": """
Who can see my data? / Whose data can I see?
谁可以起诉公司 / 公司可以起诉谁
员工可以投诉谁 / 谁可以投诉员工
""",
    "time": """
What must be filed before the audit? / What must be filed after the audit?
Is the office open on Monday? / Is the office open on Tuesday?
签字之前要做什么 / 签字之后要做什么
周一开会吗 / 周二开会吗
""",
    "quantifier": """
What is the minimum deposit? / What is the maximum deposit?
What happens after the first warning? / What happens after the second warning?
年满18岁以上可以申请吗 / 年满18岁以下可以申请吗
Do few employees work here? / Do a few employees work here?
最低押金是多少 / 最高押金是多少
""",
    "negation": """
Can I travel with a visa? / Can I travel without a visa?
不带发票可以报销吗 / 带发票可以报销吗
""",
    "content": """
入职要准备什么材料 / 离职要准备什么材料
转入账户的手续费是多少 / 转出账户的手续费是多少
员工能带电脑回家吗 / 员工须带电脑回家吗
What does the insurer pay after a fire? / What does the insured pay after a fire?
Who is the employer? / Who is the employee?
对公转账手续费 / 对私转账手续费
我可以借钱给同事吗 / 我可以向同事借钱吗
""",
}
TOGETHER = """
How can I get to the office? / How do I get to the office?
What is the best way to learn welding? / What is the best way for learning welding?
How do I travel to Rome from Paris? / How do I travel from Paris to Rome?
Can I take aspirin and ibuprofen together? / Can I take ibuprofen and aspirin together?
Which book is the best for the exam? / What is the best book for the exam?
How do I find a doctor for my child? / How can I find a doctor for my child?
What is the best school to do an MBA? / What is the best school for an MBA?
What is cheese called? / What do you call cheese?
What are some of the best accredited colleges? / What are the best accredited colleges?
Why can't I sign in? / Why can I not sign in?
What is the price of 1,000 pumps? / What is the price of 1000 pumps?
怎么可以提前还款 / 怎么提前还款
员工可以报销吗 / 员工能报销吗
员工需要签字吗 / 员工要签字吗
年假我怎么申请 / 我怎么申请年假
三十天年假怎么算 / 30天年假怎么算
公司和客户签合同吗 / 客户和公司签合同吗
主管是谁 / 谁是主管
夜市小吃什么最火 / 夜市什么小吃最火
什么刘海适合鹅蛋脸 / 鹅蛋脸适合什么刘海
先付款还是先发货 / 先发货还是先付款
"""
EVERYTHING = Limit(same_words=0.0, rewritten=0.0)


def rows(lines: str) -> list[tuple[str, str]]:
    """The pairs of a table."""
    found = [line.split(" / ") for line in lines.strip().splitlines()]
    return [(one, other) for one, other in found]


@pytest.mark.parametrize(
    ("name", "one", "other"), [(name, *pair) for name, lines in APART.items() for pair in rows(lines)]
)
def test_one_small_word_keeps_two_questions_apart(name: str, one: str, other: str) -> None:
    assert name in refusals(read(one), read(other))
    assert not judge(read(one), read(other), 1.0, EVERYTHING).hit


@pytest.mark.parametrize(("one", "other"), rows(TOGETHER))
def test_a_common_rewording_is_not_kept_apart(one: str, other: str) -> None:
    assert refusals(read(one), read(other)) == []


def test_a_point_before_a_number_is_part_of_it() -> None:
    assert normalised(".5 mm drills?") != normalised("5 mm drills?")


odd = st.text(st.sampled_from("零〇一二两俩三四五六七八九十百千万亿点负0123456789.,-−½²٣ \n"), max_size=500)


@settings(deadline=None)
@given(odd | st.text(max_size=200))
def test_no_text_makes_a_guard_raise(text: str) -> None:
    question, plain = read(text), read("阀门可以在20度打开吗")
    refusals(question, plain)
    refusals(question, question)
    relative(question)


@pytest.mark.parametrize(
    "text", ["九" * 400, "亿" * 60, "万" * 5_000, "9" * 5_000, f"1.{'0' * 5_000}", "三点" + "五" * 5_000]
)
def test_a_number_of_any_length_is_read(text: str) -> None:
    assert set(refusals(read(f"{text}元"), read(f"{text}元"))) <= {"language"}
    assert "number" in refusals(read(f"{text}元"), read(f"{text}9元"))
