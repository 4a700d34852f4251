"""Evaluation sets on disk: which files a folder must have, and what they say."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causeway.cli.errors import BadDataError
from causeway.cli.evaluation.json_lines import json_lines

FORMATS = """A folder of one of these forms, each file one JSON object a line, plain or .gz:
  passages.jsonl (pid, title, text) with questions.jsonl (qid, pid, question, answers)
  corpus.jsonl (doc_id, title, text) with queries.jsonl (qid, question, qrels {doc: code, above 0 is relevant})
  corpus.jsonl with claims.jsonl (qid, claim, cited: doc_ids; of src=validation, if there is one)
  manifest.jsonl (file, must_contain, needs) beside the files that it names, for `eval parse`"""

_FORMS: dict[type, str] = {
    list: 'a list, such as ["twelve days"], or [] where nothing answers',
    dict: "an object of documents",
}


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A document to publish."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question, the documents that answer it, and the gold answers, if there are any."""

    id: str
    text: str
    relevant: frozenset[str]
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EvaluationSet:
    """Passages and the questions about them. `blank` questions and `blank_passages` have no text and are left out."""

    name: str
    passages: tuple[Passage, ...]
    questions: tuple[Question, ...]
    blank: int = 0
    blank_passages: int = 0


@dataclass(frozen=True, kw_only=True)
class Fields:
    """Which keys of the lines are read, where a set has more than one."""

    question: str = "question"
    passage: str = "text"
    answers: str = ""


@dataclass(frozen=True, kw_only=True)
class ParseCase:
    """A file and the phrases that its text must contain. `needs` names what plain parsing can not do, such as ocr."""

    path: Path
    phrases: tuple[str, ...]
    needs: str


def load_set(folder: Path, fields: Fields, limit: int = 0) -> EvaluationSet:
    """The set in `folder`, with `limit` of its questions (0: all), evenly spaced, and all its passages.

    Raises:
        BadDataError: a file is missing or empty, or a line lacks a key; the text says which files are expected.
    """
    passages_file, corpus_file = _file(folder, "passages.jsonl"), _file(folder, "corpus.jsonl")
    questions_file = _file(folder, "questions.jsonl")
    if passages_file and questions_file:
        passages = [_passage(row, "pid", fields) for row in _rows(passages_file)]
        questions = [_pid_question(row, fields) for row in _rows(questions_file)]
    elif corpus_file and (queries_file := _file(folder, "queries.jsonl")):
        passages = [_passage(row, "doc_id", fields) for row in _rows(corpus_file)]
        questions = [_qrels_question(row, fields) for row in _rows(queries_file)]
    elif corpus_file and (claims_file := _file(folder, "claims.jsonl")):
        passages = [_passage(row, "doc_id", fields) for row in _rows(corpus_file)]
        questions = [_claim(row) for row in _scored_claims(_rows(claims_file))]
    else:
        raise _missing(folder)
    asked = [question for question in questions if question.text.strip()]
    # Evenly spaced, because neighbours ask about the same passage.
    count = min(limit or len(asked), len(asked))
    kept = tuple(asked[number * len(asked) // count] for number in range(count))
    blank = len(questions) - len(asked)
    if not asked or not passages:
        raise BadDataError(f"{folder} has no {'passages' if asked else 'questions'}", f"--data takes:\n{FORMATS}")
    shown = tuple(passage for passage in passages if passage.text.strip())
    return EvaluationSet(
        name=folder.resolve().name,
        passages=shown,
        questions=kept,
        blank=blank,
        blank_passages=len(passages) - len(shown),
    )


def load_questions(folder: Path, fields: Fields) -> list[Question]:
    """The questions alone, where the passages are in a knowledge base already.

    Raises:
        BadDataError: there is no questions.jsonl, or a line lacks a key.
    """
    file = _file(folder, "questions.jsonl")
    if file is None:
        problem = f"{folder} has no questions.jsonl" if folder.is_dir() else f"{folder} is not a folder"
        mend = (
            "--data takes a folder with questions.jsonl: for each question a line with qid, pid, question and answers."
        )
        raise BadDataError(problem, mend)
    return [question for row in _rows(file) if (question := _pid_question(row, fields)).text.strip()]


def load_parse_cases(folder: Path) -> list[ParseCase]:
    """The files that `manifest.jsonl` names, all of them there.

    Raises:
        BadDataError: no manifest, or a file that it names is missing.
    """
    manifest = _file(folder, "manifest.jsonl")
    if manifest is None:
        raise _missing(folder)
    cases = []
    for row in _rows(manifest):
        path = folder / str(_get(row, "file"))
        if not path.is_file():
            raise BadDataError(
                f"{manifest} names {path.name}, which is not there", "Restore the file, or drop its line."
            )
        cases.append(
            ParseCase(path=path, phrases=tuple(row.get("must_contain") or ()), needs=str(row.get("needs") or ""))
        )
    return cases


def _missing(folder: Path) -> BadDataError:
    problem = f"{folder} is not an evaluation set" if folder.is_dir() else f"{folder} is not a folder"
    return BadDataError(problem, f"--data takes:\n{FORMATS}")


def _file(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for number, row in json_lines(path):
        yield {"": f"{path}, line {number}"} | row


def _get(row: dict[str, Any], key: str, kind: type = object) -> Any:
    if key not in row:
        keys = ", ".join(sorted(name for name in row if name))
        raise BadDataError(
            f"{row['']}: no key {key!r}",
            f"The keys there are {keys}; choose with --question-field, --passage-field, --answer-field.",
        )
    if not isinstance(row[key], kind):
        raise BadDataError(f"{row['']}: {key} is not {_FORMS[kind]}", "Mend or drop the line.")
    return row[key]


def _passage(row: dict[str, Any], key: str, fields: Fields) -> Passage:
    return Passage(id=str(_get(row, key)), title=str(row.get("title") or ""), text=str(_get(row, fields.passage)))


def _pid_question(row: dict[str, Any], fields: Fields) -> Question:
    return Question(
        id=str(_get(row, "qid")),
        text=str(_get(row, fields.question)),
        relevant=frozenset([str(_get(row, "pid"))]),
        answers=tuple(str(answer) for answer in _get(row, answer_field(fields), list)),
    )


def answer_field(fields: Fields) -> str:
    """The key of the gold answers: named, or `answers`, or beside `q_LANG` the `a_LANG` of the passage's language."""
    if fields.answers:
        return fields.answers
    return f"a_{fields.passage}" if fields.question.startswith("q_") else "answers"


def _qrels_question(row: dict[str, Any], fields: Fields) -> Question:
    relevant = frozenset(str(document) for document, code in _get(row, "qrels", dict).items() if code > 0)
    return Question(id=str(_get(row, "qid")), text=str(_get(row, fields.question)), relevant=relevant)


def _scored_claims(rows: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    every = list(rows)
    return [row for row in every if row.get("src") == "validation"] or every


def _claim(row: dict[str, Any]) -> Question:
    cited = frozenset(str(document) for document in _get(row, "cited", list))
    return Question(id=str(_get(row, "qid")), text=str(_get(row, "claim")), relevant=cited)
