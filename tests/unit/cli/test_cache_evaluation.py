"""`causeway eval cache` on small sets: what is read, what is counted, and what a bad folder is told."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from causeway.cli.errors import BadDataError
from causeway.cli.evaluation.cache import run_cache, vectors_of
from causeway.cli.evaluation.cache_limits import fitted_limits, keep_limits
from causeway.cli.evaluation.cache_reworded import GPTCACHE_PUBLISHED
from causeway.cli.evaluation.cache_sets import load_cache_sets
from causeway.semantic_cache import NEVER, Limit, Limits, read_kb_limits

LIMITS = Limits(
    provenance={},
    space="test/",
    budget=0.01,
    delta=0.05,
    limits={"en": Limit(same_words=0.5), "zh": Limit(same_words=0.5)},
)
PAIRS = [
    ("年假怎么申请", "请问如何申请年假", 1),
    ("年假怎么申请", "病假怎么申请", 0),
    ("可以取消吗", "不可以取消吗", 0),
    ("可以取消吗", "可以取消吗？", 0),
    ("How do I log in?", "How can I log in?", 1),
    ("Who signs the form?", "When is the form signed?", 1),
]


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """The same vector for all: what is left then is the guards' work."""
    return np.array([[1.0, 0.0]] * len(texts), np.float32)


def write(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    """A file of JSON lines, plain or packed."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def pair_rows() -> list[dict[str, object]]:
    return [
        {"id": f"p{number}", "q1": one, "q2": other, "label": label, "lang": "zh" if one > "z" else "en"}
        for number, (one, other, label) in enumerate(PAIRS)
    ]


def test_hits_false_hits_and_guards_are_counted_by_set_and_by_language(tmp_path: Path) -> None:
    write(tmp_path / "first.jsonl", pair_rows())
    write(tmp_path / "second.jsonl.gz", pair_rows()[:3])
    numbers = run_cache(load_cache_sets(tmp_path), encode, "test/int8@1", LIMITS)
    first = numbers["sets"]["first"]
    assert (first["same"], first["hits"], first["different"], first["false_hits"]) == (3, 2, 2, 0)
    assert first["identical_labelled_different"] == 1
    assert first["refused_by"] == {
        "content": {"different": 1, "same": 0},
        "kind": {"different": 0, "same": 1},
        "negation": {"different": 1, "same": 0},
    }
    assert numbers["sets"]["second"]["hits"] == 1
    assert numbers["all"]["zh"]["different"] == 4
    assert numbers["all"]["en"]["hit_rate"] == 0.5
    assert sum(half["same"] for half in first["halves"].values()) == 3


def test_a_plain_cosine_can_not_tell_pairs_of_equal_vectors_apart(tmp_path: Path) -> None:
    write(tmp_path / "first.jsonl", pair_rows())
    alone = run_cache(load_cache_sets(tmp_path), encode, "test/int8@1", LIMITS)["sets"]["first"]["cosine_alone"]
    assert alone["best_for_this_set"]["hits"] == 0
    assert alone["threshold"] > 1


def test_rewordings_are_asked_of_all_entries_and_then_without_their_own(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": "1", "origin": "The form is signed by two people.", "similar": "The form is signed by two people"},
        {"id": "2", "origin": "Lunch is at noon in the canteen.", "similar": "The canteen has lunch at noon."},
    ]
    path = write(tmp_path / "said.jsonl", rows)
    numbers = run_cache(load_cache_sets(path), encode, "test/int8@1", LIMITS)["sets"]["said"]
    assert (numbers["cached"], numbers["asked"], numbers["hits"]) == (2, 2, 2)
    assert (numbers["false_hits"], numbers["false_hits_withheld"]) == (0, 0)
    assert numbers["gptcache_rule_on_these_vectors"]["0.8"]["miss"] == 0
    published = numbers["gptcache_published"]["0.8"]
    assert (published["positive"], round(published["false_share_of_hits"], 3)) == (904, 0.092)


@pytest.mark.parametrize("threshold", GPTCACHE_PUBLISHED)
def test_the_published_figures_are_of_999_pairs(threshold: str) -> None:
    counts = GPTCACHE_PUBLISHED[threshold]
    assert sum(counts.values()) == 999


def test_a_folder_without_pairs_or_a_line_of_another_form_is_told_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="no .jsonl file"):
        load_cache_sets(tmp_path)
    write(tmp_path / "odd.jsonl", [{"question": "?"}])
    with pytest.raises(BadDataError, match=r"line 1: keys question are of no known form") as caught:
        load_cache_sets(tmp_path)
    assert "origin, similar" in caught.value.mend
    (tmp_path / "odd.jsonl").write_text("{")
    with pytest.raises(BadDataError, match="not JSON"):
        load_cache_sets(tmp_path)


def test_a_label_that_is_neither_is_refused_and_not_taken_for_different(tmp_path: Path) -> None:
    write(tmp_path / "odd.jsonl", [pair_rows()[0] | {"label": "same"}])
    with pytest.raises(BadDataError, match="line 1: label is 'same'"):
        load_cache_sets(tmp_path)


def labelled(different: int) -> list[dict[str, object]]:
    """Pairs of one kb: some that differ and are far, some that one answer does for and are near."""
    rows = [(f"生鸡蛋{number}天可以吃吗", f"臭鸡蛋{number}天可以吃吗", 0) for number in range(different)]
    rows += [(f"面条{number}天可以吃吗", f"面食{number}天可以吃吗", 1) for number in range(20)]
    return [{"id": f"p{at}", "q1": one, "q2": other, "label": label} for at, (one, other, label) in enumerate(rows)]


def apart(texts: Sequence[str]) -> NDArray[np.float32]:
    """Bad eggs are far from all else."""
    return np.array([[0.6, 0.8] if "臭" in text else [1.0, 0.0] for text in texts], np.float32)


def test_a_kb_with_enough_labelled_pairs_gets_limits_of_its_own_and_its_numbers_are_held_out(tmp_path: Path) -> None:
    sets = load_cache_sets(write(tmp_path / "pairs.jsonl", labelled(700)))
    limits = fitted_limits(sets, vectors_of(sets, apart), "test/int8@1", LIMITS)
    assert 0.6 < limits.limits["zh"].reworded < 0.61
    assert limits.limits["en"].reworded == NEVER
    assert limits.limits["zh"].same_words == LIMITS.limits["zh"].same_words
    found = limits.evidence["zh"]
    assert (found["same"], found["hits"], found["different"], found["false_hits"]) == (20, 20, 700, 0)
    assert found["false_upper"] < LIMITS.budget
    keep_limits(tmp_path / "limits.json", "handbook", limits, "test/int8@1")
    keep_limits(tmp_path / "limits.json", "manual", LIMITS, "test/int8@1")
    held = read_kb_limits((tmp_path / "limits.json").read_bytes(), "test/int8@1")
    assert held == {"handbook": limits, "manual": LIMITS}


def test_a_kb_with_too_few_labelled_pairs_gets_none(tmp_path: Path) -> None:
    sets = load_cache_sets(write(tmp_path / "pairs.jsonl", labelled(100)))
    with pytest.raises(BadDataError, match="no limit keeps false hits to 1%") as caught:
        fitted_limits(sets, vectors_of(sets, apart), "test/int8@1", LIMITS)
    assert "300" in caught.value.mend
    with pytest.raises(BadDataError, match="the encoder is other/int8@1"):
        fitted_limits(sets, vectors_of(sets, apart), "other/int8@1", LIMITS)


def test_a_file_of_something_else_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_text("[]")
    with pytest.raises(BadDataError, match="no limits by kb"):
        keep_limits(path, "handbook", LIMITS, "test/int8@1")
    assert path.read_text() == "[]"


def test_a_limit_keeps_the_first_lines(tmp_path: Path) -> None:
    write(tmp_path / "first.jsonl", pair_rows())
    assert len(load_cache_sets(tmp_path, 2)[0].pairs) == 2
