"""Two answers say the same, or not, as far as their words tell: English and Chinese."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.edge_inference.judging import Agreement, compare, words_of

SAME = [
    ("Every employee has twelve days of annual leave.", "Annual leave is twelve days [1]."),
    ("The pump runs at 3,600 rpm.", "It runs at 3600 rpm"),
    ("The warranty lasts 24 months from delivery.", "24 months [2]"),
    ("员工每年享有12天年假。", "年假为12天[1]。"),
    ("服务器部署在上海数据中心。", "上海数据中心"),
    ("Le café ouvre à sept heures", "CAFE OUVRE A SEPT HEURES"),
    ("２０２４年开业", "2024年"),
]
DIFFERENT = [
    ("The warranty lasts 24 months.", "The warranty lasts 12 months.", "other numbers"),
    ("Smoking is allowed in the yard.", "Smoking is not allowed in the yard.", "one of them negates"),
    ("年假为12天。", "年假为15天。", "other numbers"),
    ("可以在院子里吸烟。", "不可以在院子里吸烟。", "one of them negates"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_says_the_same_agrees(one: str, other: str) -> None:
    assert compare(one, other).agreement is Agreement.AGREES, compare(one, other)


@pytest.mark.parametrize(("one", "other", "because"), DIFFERENT)
def test_what_says_something_else_differs_and_says_why(one: str, other: str, because: str) -> None:
    found = compare(one, other)
    assert (found.agreement, found.because) == (Agreement.DIFFERS, because)


PARAPHRASED = [
    (
        "Warsaw's first stock exchange was established in 1817 and traded until the war.",
        "It was founded in the second decade of the nineteenth century.",
        "When was Warsaw's first stock exchange established?",
    ),
    ("整机保修 24 个月，电池类配件 12 个月。", "整机的保修期是两年。", "整机保修多久？"),
    ("The warranty lasts 24 months.", "The device is covered for 2 years.", "How long is the warranty?"),
    ("Every employee has twelve days of annual leave.", "Staff may take 12 days off.", "How much leave is there?"),
    ("About 383,000 people lived there.", "It had 380,000 people.", "How many people lived in Warsaw?"),
    ("Every employee has twelve days of annual leave.", "The canteen serves lunch from noon.", ""),
]


@pytest.mark.parametrize(("local", "cloud", "question"), PARAPHRASED)
def test_other_words_alone_decide_nothing(local: str, cloud: str, question: str) -> None:
    for same_passages in (True, None):
        found = compare(local, cloud, question, same_passages=same_passages)
        assert found.agreement is Agreement.UNDECIDED, found


def test_a_number_in_other_units_or_in_words_is_no_difference_even_where_other_documents_are_cited() -> None:
    for local, cloud, question in PARAPHRASED[:4]:
        assert compare(local, cloud, question, same_passages=False).agreement is Agreement.UNDECIDED


def test_the_number_that_was_asked_for_decides_whatever_the_words() -> None:
    local, question = "Warsaw's first stock exchange was established in 1817.", "When was the exchange established?"
    assert compare(local, "It was founded in 1817.", question).agreement is Agreement.AGREES
    found = compare(local, "It was founded in 1920.", question)
    assert (found.agreement, found.because) == (Agreement.DIFFERS, "other numbers")
    assert compare(local, "It was founded in 1920.", "Who founded the exchange?").agreement is Agreement.UNDECIDED


def test_hardly_a_word_in_common_and_other_documents_cited_is_a_difference() -> None:
    local, cloud = "The canteen serves lunch from noon.", "Smoking is allowed in the yard."
    question = "Where may people smoke?"
    assert compare(local, cloud, question, same_passages=False).agreement is Agreement.DIFFERS
    assert compare("食堂中午供应午餐。", "可以在院子里吸烟。", "哪里可以吸烟？", same_passages=False).because
    for same_passages in (True, None):
        assert compare(local, cloud, question, same_passages=same_passages).agreement is Agreement.UNDECIDED
    assert compare(local, "可以在院子里吸烟。", question, same_passages=False).agreement is Agreement.UNDECIDED


def test_a_not_elsewhere_in_one_of_two_sentences_is_no_difference() -> None:
    local, cloud = "即将离任的总统布兰科没有争取连任。", "即将离任的总统是布兰科。"
    assert compare(local, cloud, "谁是总统？").agreement is Agreement.UNDECIDED
    assert compare("It takes no more than 12 days.", "It takes up to 12 days.").agreement is Agreement.AGREES


def test_what_an_answer_is_framed_in_does_not_count() -> None:
    assert compare("It was led by Momus then.", "According to the documents, the answer is Momus.").contained == 1
    assert compare("当时由张三负责。", "根据资料，答案是张三。").contained == 1


def test_a_longer_answer_may_count_more_than_the_shorter_one() -> None:
    assert compare("12 days, 15 after 10 years of service", "12 days").agreement is Agreement.AGREES


@pytest.mark.parametrize("nothing", ["", "   ", "。！？", "[1][2]", "the of 的"])
def test_nothing_is_undecided(nothing: str) -> None:
    assert compare("Twelve days.", nothing).agreement is Agreement.UNDECIDED
    assert compare(nothing, "Twelve days.").agreement is Agreement.UNDECIDED


@pytest.mark.parametrize("plain", ["不仅如此，价格也很低。", "他不过是学生。", "未来三年的计划。", "无论如何都可以。"])
def test_words_that_only_look_like_a_no_do_not_negate(plain: str) -> None:
    assert compare(plain, plain.removeprefix("不仅如此，")).agreement is Agreement.AGREES


def test_two_negations_are_none() -> None:
    assert compare("不得不付款。", "必须不得不付款。").agreement is Agreement.AGREES


TEXTS = st.text(alphabet=st.sampled_from("ab 12年假天不.,no[]"), max_size=40)


@given(one=TEXTS, other=TEXTS)
def test_the_order_does_not_matter_and_the_shares_are_shares(one: str, other: str) -> None:
    found, turned = compare(one, other), compare(other, one)
    assert (found.agreement, found.because) == (turned.agreement, turned.because)
    assert 0.0 <= found.f1 <= found.contained <= 1.0


@given(text=st.text(max_size=80))
def test_every_text_agrees_with_itself_or_says_nothing(text: str) -> None:
    expected = Agreement.AGREES if words_of(text) else Agreement.UNDECIDED
    assert compare(text, text).agreement is expected
