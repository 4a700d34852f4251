"""The decision as a whole: symmetric, certain of the same question, and never across a negation."""

from hypothesis import given, settings
from hypothesis import strategies as st

from causeway.semantic_cache import (
    GUARDS,
    NEVER,
    Limit,
    Pair,
    calibrated,
    judge,
    lower,
    normalised,
    read,
    refusals,
    shipped_limits,
    threshold,
    upper,
)

LIMIT = Limit(same_words=0.98)
SUBJECTS_ZH, ACTS_ZH = ["我", "员工", "客户", "新来的同事"], ["取消订单", "报销车费", "休年假", "修改密码"]
ASKED_ZH = ["{s}可以{a}吗", "{s}怎么{a}", "为什么{s}要{a}", "{s}什么时候能{a}"]
SUBJECTS_EN, ACTS_EN = ["I", "an employee", "a customer"], ["cancel the order", "claim the fare", "change the password"]
ASKED_EN = ["can {s} {a}?", "how does {s} {a}?", "why should {s} {a}?", "when may {s} {a}?"]
zh = st.builds(
    lambda form, s, a: (form.format(s=s, a=a), form.format(s=s, a="不" + a)),
    st.sampled_from(ASKED_ZH),
    st.sampled_from(SUBJECTS_ZH),
    st.sampled_from(ACTS_ZH),
)
en = st.builds(
    lambda form, s, a: (form.format(s=s, a=a), form.format(s=s, a="not " + a)),
    st.sampled_from(ASKED_EN),
    st.sampled_from(SUBJECTS_EN),
    st.sampled_from(ACTS_EN),
)
words = st.sampled_from("年假 报销 怎么 不 三 天 谁 从 到 北京 how many not C++ 3 kg leave the before 最 ，".split())
texts = st.one_of(
    st.text(max_size=40), st.lists(words, max_size=12).map(" ".join), st.lists(words, max_size=12).map("".join)
)
cosines = st.floats(-1, 1)


@settings(deadline=None)
@given(texts, texts, cosines)
def test_the_verdict_does_not_depend_on_which_question_came_first(one: str, other: str, cosine: float) -> None:
    limit = Limit(same_words=0.5, rewritten=0.7, reworded=0.9)
    assert judge(read(one), read(other), cosine, limit) == judge(read(other), read(one), cosine, limit)
    assert refusals(read(one), read(other)) == refusals(read(other), read(one))


@settings(deadline=None)
@given(texts, cosines)
def test_the_same_question_always_hits_whatever_its_vector(text: str, cosine: float) -> None:
    assert judge(read(text), read(text), cosine, Limit(same_words=NEVER)).hit
    assert judge(read(text), read(f"  {text} ?"), cosine, Limit(same_words=NEVER)).hit


@settings(deadline=None)
@given(texts)
def test_a_question_is_refused_to_itself_by_no_guard_but_that_of_language(text: str) -> None:
    assert set(refusals(read(text), read(text))) <= {"language"}


@settings(deadline=None)
@given(zh | en, st.sampled_from([LIMIT, Limit(same_words=0.0, reworded=0.0)]))
def test_a_question_with_a_negation_added_never_hits(pair: tuple[str, str], limit: Limit) -> None:
    verdict = judge(read(pair[0]), read(pair[1]), 1.0, limit)
    assert not verdict.hit
    assert verdict.refused_by == "negation"


@settings(deadline=None)
@given(texts)
def test_to_normalise_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


def test_a_near_reworded_question_is_kept_back_unless_the_kb_is_calibrated_for_it() -> None:
    one, other = read("生鸡蛋可以吃吗"), read("臭鸡蛋可以吃吗")
    assert judge(one, other, 0.99, LIMIT).refused_by == "content"
    assert judge(one, other, 0.99, Limit(same_words=0.98, reworded=0.985)).hit
    assert not judge(one, other, 0.97, Limit(same_words=0.98, reworded=0.985)).hit


def test_a_question_rewritten_throughout_has_a_limit_of_its_own() -> None:
    one = read("Sharding is a technique used in libraries when a dataset is made of many files")
    other = read("Sharding is a method employed in libraries when a dataset consists of many files")
    limit = Limit(same_words=0.97, rewritten=0.975)
    assert judge(one, other, 0.98, limit).hit
    assert judge(one, other, 0.972, limit).refused_by == "content"
    assert judge(one, other, 0.98, Limit(same_words=0.97)).refused_by == "content"
    once = read("Sharding is a technique used in libraries when a dataset is made of many folders")
    assert judge(one, once, 0.98, limit).refused_by == "content"


def test_no_limit_lets_a_question_pass_another_guard_than_content() -> None:
    everything = Limit(same_words=0.0, rewritten=0.0, reworded=0.0)
    assert judge(read("借1万元"), read("借2万元"), 1.0, everything).refused_by == "number"


def test_what_is_just_far_names_no_guard() -> None:
    verdict = judge(read("可以取消订单吗"), read("不可以取消订单吗"), 0.5, LIMIT)
    assert (verdict.hit, verdict.refused_by) == (False, "")


def test_a_model_that_nothing_was_measured_with_gives_only_the_same_words() -> None:
    limit = shipped_limits().of("zh", "another-model/fp32@0123")
    assert judge(read("年假怎么申请？"), read("请问如何申请年假"), 1.0, limit).hit is False
    assert judge(read("年假怎么申请？"), read("年假怎么申请"), 0.0, limit).hit is True


def test_the_shipped_limits_are_of_both_languages_and_say_where_they_come_from() -> None:
    limits = shipped_limits()
    assert set(limits.limits) == {"zh", "en"}
    assert all(0.9 < limit.same_words < 1 for limit in limits.limits.values())
    assert limits.provenance
    assert all(numbers["false_upper"] <= limits.budget for numbers in limits.evidence.values() if numbers["different"])


def test_the_bound_is_that_of_clopper_and_pearson() -> None:
    assert upper(0, 300, 0.05) == 1 - 0.05 ** (1 / 300) or abs(upper(0, 300, 0.05) - (1 - 0.05 ** (1 / 300))) < 1e-9
    assert abs(upper(3, 100, 0.05) - 0.0757) < 1e-3
    assert abs(lower(97, 100, 0.05) - (1 - 0.0757)) < 1e-3
    assert upper(5, 5, 0.05) == 1.0
    assert lower(0, 5, 0.05) == 0.0


@settings(deadline=None)
@given(st.lists(st.floats(0, 0.99), min_size=1, max_size=400))
def test_from_the_threshold_on_false_hits_keep_to_their_budget(scores: list[float]) -> None:
    found = threshold(scores, 0.05, 0.05)
    false = sum(score >= found for score in scores)
    assert found >= 1 or upper(false, len(scores), 0.05) <= 0.05


def test_a_kb_is_calibrated_only_by_enough_pairs_that_differ() -> None:
    near, far = (read("生鸡蛋可以吃吗"), read("臭鸡蛋可以吃吗")), (read("蛋糕怎么做"), read("面包怎么做"))
    same = Pair(read("鸡蛋怎么煮"), read("鸡蛋如何煮"), 0.99, same=True)
    few = [Pair(*far, 0.9, same=False)] * 100
    many = [Pair(*far, 0.9, same=False)] * 400
    assert calibrated([same, *few], LIMIT, 0.01, 0.05).reworded == NEVER
    assert calibrated([same, *many], LIMIT, 0.01, 0.05).reworded <= 0.91
    worse = [Pair(*near, 0.995, same=False)] * 10
    assert calibrated([same, *many, *worse], LIMIT, 0.01, 0.05).reworded > 0.995


def test_every_guard_is_named_once_and_content_comes_last() -> None:
    assert list(GUARDS)[-1] == "content"
    assert len(GUARDS) == 13
