"""Words as data: which ones say the same, which ones say nothing, which ones stand against each other."""

from collections.abc import Iterable


def _sets(lines: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(line.split()) for line in lines.strip().splitlines())


def _canon(groups: Iterable[str]) -> dict[str, str]:
    return {word: group.split()[0] for group in groups for word in group.split()}


# The first word of a line stands for all of them.
SAME_ZH = _canon(
    """
怎么 如何 怎样 咋 怎么样才能 怎么才能 怎 咋样 咋么 怎麽
什么 啥 哪些 什麽 甚么 神马 那些 啥子
为什么 为何 为啥 为嘛 为甚么 干嘛 何故
哪里 哪儿 何处 哪 在哪 那里 哪边
谁 哪位 何人
什么时候 何时 几时 啥时候 啥时
多久 多长时间 多长 几久 多少时间
多少 几 几多
可以 能 能够 可 能否 可否 是否可以 可不可以 能不能 行 会 会不会
是 为 系 是否 是不是
有 存在 具有 有没有 拥有 具备 含有
治疗 医治 治 疗法 诊治 治好 治愈 根治
症状 病症 病状
原因 缘故 起因 病因 成因
引起 造成 引发 诱发 导致
患者 病人 病患
孩子 小孩 儿童 小朋友 宝宝 小孩子 娃 小宝宝 娃娃
妈妈 母亲 老妈 妈
爸爸 父亲 老爸 爸
需要 要 得 须 需 必须
应该 应 应当 该
喜欢 爱 喜爱
漂亮 好看 美丽 美
软件 app 应用 软体
手机 手机上
电脑 计算机
图片 照片
视频 影片
价格 价钱 价位 售价 报价
便宜 实惠
方法 办法 方式 做法 法子
区别 差别 不同 差异 分别
好处 优点 益处
坏处 缺点 弊端 害处
作用 功效 用处 用途
饮食 食物 食品
医院 诊所
传染 感染 传播
意思 含义 涵义 意义
电影 影片
歌 歌曲
学 学习
买 购买 购
钱 费用 花费
还款 还钱 还
借款 借钱 贷款
开通 开启 激活
额度 限额
取消 撤销 撤消
修改 更改 改 变更
查 查询 查看
提高 提升 增加 涨 提额
关闭 关掉 关
打开 开
电话 电话号码
名字 名称 姓名
最好 最佳
吃 食用 服用
身体 人体
老是 总是 经常 常常
严重 厉害
女生 女孩 女孩子
男生 男孩 男孩子
怀孕 妊娠
得 患 患有 得了 患上
快 尽快 赶快 迅速
目前 现在 如今 当前 这会儿
认识 了解
跟 和 与 同 以及 及
银行卡 卡 储蓄卡
减肥 瘦身
检查 检测 化验
怎么办 咋办 怎么处理 如何处理 怎么解决
糖尿病 糖尿 糖尿病人
艾滋病 艾滋 hiv aids
高血压 血压高
乙肝 乙型肝炎
""".strip().splitlines()
)

# They carry tone, politeness or grammar, and no content.
EMPTY_ZH = frozenset(
    "的 了 吗 呢 啊 呀 吧 嘛 哦 么 啦 哈 喔 噢 诶 哎 唉 嗯 地 得 着 之 所 也 就 都 又 请 请问 您好 你好 "
    "我 我们 俺 您 谢谢 麻烦 帮 帮忙 帮我 一下 这 这个 这样 那 那个 个 种 些 一个 一些 一种 一般 到底 究竟 "
    "具体 大家 知道 告诉 想 想问 问 求 问问 求助 问下 请教 想要 里 在 于 是 把 对 且 并 "
    "呗 情况 东西 比较 真的 其实 有点 会 那么 什么样 进行 出来 大概 大约 各位 急 高手 "
    "啥的 时 时候 话 的话 如果 要是 有 怎么回事 哪种 哪个 哪 哪些 什么 叫 谁 怎么 "
    "可以 需要 应该 怎么办 为什么 多少 哪里 多久 什么时候 怎么样".split()
)

SAME_EN = _canon(
    """
best good great top better ideal excellent
buy purchase
get obtain acquire gain
movie film
phone mobile cellphone smartphone
make create build
start begin
learn study
quick fast quickly rapidly
lose reduce
job career
earn money
use utilize utilise employ
improve enhance better
big large huge
difference differ different distinguish
way method
cost price
stop quit
website site
app application
increase raise
meter metre
kilometer kilometre
liter litre
mean meaning
happen occur
need require
book novel
country nation
kid child children
woman women female girl lady
man men male guy boy
company firm
university college
person people one someone anyone somebody anybody human
picture photo image
purpose aim
delete remove
fix solve resolve repair
view opinion
think believe
live life
india indian
america american us usa
help assist aid
allow enable permit let
various different diverse several
provide offer give supply
often frequently
choose select pick
show display
also additionally
easy simple easily simply
important crucial essential
main primary
contain include
""".strip().splitlines()
)

EMPTY_EN = frozenset(
    "a an the of to in on at for by with as from into about and or is are was were be been being am do does did doing "
    "done have has had having it its this that these those there here what which who whom whose when where why how i "
    "me we us can could would should will shall may might must please tell just really actually so than then if "
    "one some any get got way thing want ever my your you our s re ve ll d m im "
    "two three four five six seven eight nine ten eleven twelve twenty thirty hundred thousand million billion "
    "half second third fourth fifth twice double know give "
    "up out".split()
)

# Who something is about or asked of, each by the first word of its line.
PERSON = {
    word: line.split()[0]
    for line in """
i me
we us
you
he him
they them
我
我们 咱 咱们
你 您
你们
他 她
他们 她们
谁 哪位 何人
什么 啥
""".strip().splitlines()
    for word in line.split()
}

# Each two in a row: 入库 is the opposite of 出库, 税前 of 税后.
_CHARACTERS = (
    "入出 进出 上下 内外 前后 收付 收发 收寄 买卖 借还 借贷 甲乙 开关 左右 大小 多少 高低 长短 早晚 新旧 男女 正反 "
    "正负 加减 增减 升降 涨跌 涨降 充放 吸排 公私 东西 南北 单双 母子 冷热 快慢 来去 日夜 顺逆"
).split()
OPPOSITE_CHARACTERS = {
    character: "".join(pair.replace(character, "") for pair in _CHARACTERS if character in pair)
    for character in "".join(_CHARACTERS)
}

# Of each line, a question that has a word of the left half is not one that has a word of the right half instead.
OPPOSITE = tuple(
    tuple(frozenset(half.split()) for half in line.split("|"))
    for line in """
开 打开 开启 开通 | 关 关闭 关掉 取消 注销 停用 关了
增加 提高 提升 增长 涨 加 增 上调 | 减少 降低 下降 跌 减 降 下调
买 购买 | 卖 出售 卖出
借 借款 贷款 借钱 | 还 还款 还钱
男 男生 男人 男性 男孩 男的 男士 公 雄 | 女 女生 女人 女性 女孩 女的 女士 母 雌
大 最大 变大 | 小 最小 变小
长 最长 变长 | 短 最短 变短
高 最高 增高 | 低 最低 矮
多 最多 | 少 最少
快 最快 | 慢 最慢
早 早上 早期 | 晚 晚上 晚期
左 左边 左侧 | 右 右边 右侧
上 上面 上升 | 下 下面 下降
前 之前 以前 前面 前期 | 后 之后 以后 后面 后期
进 进入 | 出 退出 离开
好处 优点 益处 | 坏处 缺点 弊端 害处
成功 | 失败
提前 | 逾期 延期 推迟
存 存款 存入 转入 收入 | 取 取款 取出 转出 支出
收款 收钱 | 付款 付钱
安装 下载 | 卸载 删除
热 | 冷
新 新的 | 旧 老
父亲 爸爸 | 母亲 妈妈
增肥 长胖 | 减肥 瘦
开始 | 结束
连接 | 断开
白天 | 夜晚 晚上
优势 | 劣势
最好 | 最差 最坏
合法 | 违法 非法
正常 | 异常
买方 | 卖方
进口 | 出口
登录 登陆 登入 | 登出 退出 注销
上传 | 下载
入职 加入 | 离职 退出
订阅 | 退订
开户 | 销户
付费 收费 | 免费
increase raise gain grow | decrease reduce lower lose drop
buy purchase | sell
open start begin enable activate | close stop end disable deactivate
best good better pro advantage benefit | worst bad worse con disadvantage drawback
man men male boy guy husband father boyfriend | woman women female girl lady wife mother girlfriend
high highest higher tall | low lowest lower short
more most maximum max | less least fewest minimum min
big large biggest largest | small smallest smaller little tiny
before | after
legal | illegal
possible | impossible
able | unable
fast quick | slow
first | last
left | right
hot | cold
old older elder | new young younger
install download | uninstall delete remove
love | hate
import | export
upload | download
indoor | outdoor
public | private
success | failure fail
borrow | lend
win | lose
up | down
above over | below under
inside | outside
give provide offer supply send pay | get receive obtain
internal | external
valid | invalid
accept approve | reject refuse
include | exclude
connect | disconnect
lock | unlock
enter entry arrive arrival | exit leave depart departure
allow permit | forbid prohibit ban
buyer | seller
lender | borrower
landlord | tenant
creditor | debtor
early earlier | late later
deposit | withdraw withdrawal
debit | credit
hire | fire dismiss
gross | net
north northern | south southern
east eastern | west western
""".strip().splitlines()
)
