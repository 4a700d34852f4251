"""Entries in memory: the last given stay, rows are used again, and what cites a document is found."""

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causeway.edge_inference.answer_index import DocumentName
from causeway.edge_inference.cache_rules import cache_key, may_be_given, outdated
from causeway.edge_inference.cached_answers import CachedAnswers
from causeway.proto.cache import AnswerCached
from causeway.proto.documents import Residency
from tests.support.answers_given import answer_of, ask_of, cited
from tests.support.knowledge_builders import DIMS, KB, unit_vector

SITE = "branch-1"
NOW_MS = 1_000


def entry(number: int, document_id: str = "d0", **more: object) -> AnswerCached:
    """An entry whose vector is that of its number."""
    values: dict[str, object] = {
        "kb": KB,
        "key": bytes([number]),
        "question": f"question {number}",
        "language": "en",
        "residency": Residency.PUBLIC,
        "model": "m",
        "vector_f16": unit_vector(number).astype(np.float16).tobytes(),
        "answer": answer_of(f"a{number}"),
        "cited": [cited(document_id, "text", 1)],
        "epoch": {},
        "at_unix_ms": 0,
        "expires_unix_ms": NOW_MS + 1,
    }
    return AnswerCached(**(values | more))  # type: ignore[arg-type]


acts = st.lists(st.tuples(st.sampled_from(["put", "remove", "used"]), st.integers(0, 9)), max_size=60)


@settings(deadline=None)
@given(acts, st.integers(1, 5))
def test_the_entries_are_those_that_were_put_or_given_last(steps: list[tuple[str, int]], most: int) -> None:
    answers, model = CachedAnswers(SITE, DIMS, most), OrderedDict[bytes, None]()
    for act, number in steps:
        key = bytes([number])
        if act == "put":
            model.pop(key, None)
            evicted = [model.popitem(last=False)[0]] if len(model) == most else []
            model[key] = None
            assert [one.message.key for one in answers.put(entry(number, f"d{number % 3}"))] == evicted
        elif act == "remove":
            assert (answers.remove(key) is not None) == (key in model)
            model.pop(key, None)
        elif key in model:
            answers.used(key)
            model.move_to_end(key)
        assert [one.message.key for one in answers] == list(model)
        for number in range(10):
            near = answers.nearest(unit_vector(number), 0.99, 1, lambda one: True)
            assert [one.message.key for _, one in near] == ([bytes([number])] if bytes([number]) in model else [])
        for document in range(3):
            found = {one.message.key for one in answers.citing(DocumentName(KB, "", f"d{document}"))}
            assert found == {held for held in model if held[0] % 3 == document}


def test_an_own_document_has_no_origin_whatever_the_citation_says() -> None:
    answers = CachedAnswers(SITE, DIMS, 2)
    answers.put(entry(1, cited=[cited("leave.md", "text", 1, origin=SITE), cited("far.md", "text", 1, origin="hub")]))
    assert len(answers.citing(DocumentName(KB, "", "leave.md"))) == 1
    assert len(answers.citing(DocumentName(KB, "hub", "far.md"))) == 1
    assert answers.citing(DocumentName(KB, SITE, "leave.md")) == []


def test_a_key_is_of_the_tenant_the_kb_and_the_words_however_they_are_written() -> None:
    key = cache_key("a", "年假怎么申请？", KB)
    assert key == cache_key("a", " 年假怎麼申請 ", KB)
    assert len({key, cache_key("b", "年假怎么申请？", KB), cache_key("a", "年假怎么申请？", "other")}) == 3
    assert cache_key("a", "b", "c") != cache_key("ab", "", "c")


@pytest.mark.parametrize("held", Residency)
@pytest.mark.parametrize("asked", Residency)
def test_an_answer_is_given_to_asks_of_its_own_label_or_a_stricter_one(held: Residency, asked: Residency) -> None:
    order = [Residency.PUBLIC, Residency.INTERNAL, Residency.RESTRICTED]
    given_ = may_be_given(entry(1, residency=held), ask_of(residency=asked), "en", NOW_MS)
    assert given_ == (order.index(asked) >= order.index(held))


def test_an_answer_is_given_only_in_its_language_to_its_tenant_and_until_it_expires() -> None:
    held = entry(1, tenant="a")
    assert may_be_given(held, ask_of(tenant="a"), "en", NOW_MS)
    assert not may_be_given(held, ask_of(tenant="a"), "zh", NOW_MS)
    assert not may_be_given(held, ask_of(tenant="b"), "en", NOW_MS)
    assert not may_be_given(held, ask_of(tenant="a"), "en", NOW_MS + 1)


def test_an_entry_of_another_model_or_of_yesterday_is_of_no_use() -> None:
    assert outdated(entry(1), "m", DIMS, NOW_MS) == ""
    assert outdated(entry(1), "n", DIMS, NOW_MS) == "other_model"
    assert outdated(entry(1), "m", DIMS + 1, NOW_MS) == "other_model"
    assert outdated(entry(1), "m", DIMS, NOW_MS + 1) == "expired"
