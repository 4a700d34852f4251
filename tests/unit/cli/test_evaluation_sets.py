"""Evaluation folders in their formats."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from causeway.cli.errors import BadDataError
from causeway.cli.evaluation.sets import Fields, load_parse_cases, load_questions, load_set


def lines(path: Path, *rows: dict[str, Any]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")


def test_passages_and_questions_by_pid(tmp_path: Path) -> None:
    lines(tmp_path / "passages.jsonl", {"pid": "p1", "title": "T", "text": "body"})
    lines(tmp_path / "questions.jsonl", {"qid": "q1", "pid": "p1", "question": "who?", "answers": ["me"]})
    loaded = load_set(tmp_path, Fields())
    assert [(one.id, one.title, one.text) for one in loaded.passages] == [("p1", "T", "body")]
    assert [(one.text, one.relevant, one.answers) for one in loaded.questions] == [("who?", frozenset(["p1"]), ("me",))]


def test_a_set_in_two_languages_takes_the_answers_of_the_passages_language(tmp_path: Path) -> None:
    lines(tmp_path / "passages.jsonl", {"pid": "p", "title": "", "en": "english", "zh": "中文"})
    lines(
        tmp_path / "questions.jsonl", {"qid": 1, "pid": "p", "q_en": "?", "q_zh": "？", "a_en": ["e"], "a_zh": ["中"]}
    )
    loaded = load_set(tmp_path, Fields(question="q_zh", passage="en"))
    assert loaded.passages[0].text == "english"
    assert (loaded.questions[0].text, loaded.questions[0].answers) == ("？", ("e",))


def test_queries_with_graded_documents_count_every_code_above_zero(tmp_path: Path) -> None:
    lines(tmp_path / "corpus.jsonl", {"doc_id": 1, "title": "t", "text": "a"})
    lines(tmp_path / "queries.jsonl", {"qid": 1, "question": "?", "qrels": {"1": 4, "2": 1, "3": -1}})
    assert load_set(tmp_path, Fields()).questions[0].relevant == {"1", "2"}


def test_claims_are_scored_on_the_validation_part_when_there_is_one(tmp_path: Path) -> None:
    lines(tmp_path / "corpus.jsonl.gz", {"doc_id": 7, "title": "t", "text": "a"})
    lines(
        tmp_path / "claims.jsonl",
        {"qid": 1, "claim": "no", "cited": [7], "src": "train"},
        {"qid": 2, "claim": "yes", "cited": [7, 8], "src": "validation"},
    )
    assert [(one.text, one.relevant) for one in load_set(tmp_path, Fields()).questions] == [
        ("yes", frozenset(["7", "8"]))
    ]


def test_a_limit_is_of_questions_and_keeps_all_passages(tmp_path: Path) -> None:
    lines(tmp_path / "corpus.jsonl", *({"doc_id": n, "title": "", "text": "a"} for n in range(3)))
    lines(tmp_path / "queries.jsonl", *({"qid": n, "question": "?", "qrels": {"1": 1}} for n in range(3)))
    loaded = load_set(tmp_path, Fields(), limit=2)
    assert len(loaded.passages) == 3
    assert [question.id for question in loaded.questions] == ["0", "1"]
    assert [question.id for question in load_set(tmp_path, Fields(), limit=1).questions] == ["0"]
    assert len(load_set(tmp_path, Fields(), limit=9).questions) == 3


def test_a_folder_of_another_kind_is_answered_with_the_files_that_are_expected(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="is not an evaluation set") as caught:
        load_set(tmp_path, Fields())
    assert "passages.jsonl (pid, title, text) with questions.jsonl" in caught.value.mend
    with pytest.raises(BadDataError, match="is not a folder"):
        load_set(tmp_path / "missing", Fields())


def test_a_missing_key_is_answered_with_the_line_and_the_keys_that_are_there(tmp_path: Path) -> None:
    lines(tmp_path / "passages.jsonl", {"pid": "p", "en": "a", "zh": "b"})
    lines(tmp_path / "questions.jsonl", {"qid": 1, "pid": "p", "question": "?", "answers": []})
    with pytest.raises(BadDataError, match=r"passages\.jsonl, line 1: no key 'text'") as caught:
        load_set(tmp_path, Fields())
    assert "en, pid, zh" in caught.value.mend


def test_a_line_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text("{\n")
    with pytest.raises(BadDataError, match="line 1: not JSON"):
        load_parse_cases(tmp_path)


def test_a_manifest_names_its_files_phrases_and_needs(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    lines(tmp_path / "manifest.jsonl", {"file": "a.pdf", "must_contain": ["x"], "needs": "ocr"})
    case = load_parse_cases(tmp_path)[0]
    assert (case.path.name, case.phrases, case.needs) == ("a.pdf", ("x",), "ocr")
    (tmp_path / "a.pdf").unlink()
    with pytest.raises(BadDataError, match="not there"):
        load_parse_cases(tmp_path)


def test_a_question_without_text_is_left_out_and_counted(tmp_path: Path) -> None:
    lines(tmp_path / "passages.jsonl", {"pid": "p", "title": "", "text": "body"})
    blank = {"qid": 1, "pid": "p", "question": " ", "answers": ["a"]}
    lines(tmp_path / "questions.jsonl", blank, blank | {"qid": 2, "question": "who?"})
    loaded = load_set(tmp_path, Fields())
    assert ([one.text for one in loaded.questions], loaded.blank) == (["who?"], 1)


def test_a_passage_without_text_is_left_out_and_counted(tmp_path: Path) -> None:
    lines(
        tmp_path / "passages.jsonl", {"pid": "p", "title": "", "text": "body"}, {"pid": "e", "title": "t", "text": ""}
    )
    lines(tmp_path / "questions.jsonl", {"qid": 1, "pid": "p", "question": "who?", "answers": ["a"]})
    loaded = load_set(tmp_path, Fields())
    assert ([one.id for one in loaded.passages], loaded.blank_passages) == (["p"], 1)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (b'["qid"]', "line 1: not a JSON object"),
        (b'\n{"qid": 1, "pid": "p", "question": "?", "answers": "twelve"}', "line 2: answers is not a list"),
        (b'{"qid": 1, "pid": "p", "question": "?", "answers": null}', "line 1: answers is not a list"),
        (b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_question_that_can_not_be_read_is_named_with_its_line(tmp_path: Path, written: bytes, says: str) -> None:
    (tmp_path / "questions.jsonl").write_bytes(written)
    with pytest.raises(BadDataError, match=says) as caught:
        load_questions(tmp_path, Fields())
    assert caught.value.mend


def test_a_file_that_is_not_the_gz_that_it_is_called_is_refused(tmp_path: Path) -> None:
    (tmp_path / "questions.jsonl.gz").write_bytes(b"plain")
    with pytest.raises(BadDataError, match="can not be read"):
        load_questions(tmp_path, Fields())
    (tmp_path / "questions.jsonl.gz").write_bytes(gzip.compress(b"{}" * 99)[:-9])
    with pytest.raises(BadDataError, match="can not be read"):
        load_questions(tmp_path, Fields())


def test_a_set_without_questions_or_passages_is_refused_and_not_measured(tmp_path: Path) -> None:
    lines(tmp_path / "passages.jsonl", {"pid": "p", "title": "", "text": "body"})
    lines(tmp_path / "questions.jsonl")
    with pytest.raises(BadDataError, match="has no questions"):
        load_set(tmp_path, Fields())
    lines(tmp_path / "passages.jsonl")
    lines(tmp_path / "questions.jsonl", {"qid": 1, "pid": "p", "question": "?", "answers": []})
    with pytest.raises(BadDataError, match="has no passages"):
        load_set(tmp_path, Fields())
