"""Texts to compare encoders on: a folder with passages.jsonl and questions.jsonl, or the bundled bilingual one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from causeway.models.errors import ModelError

PASSAGE_FIELDS = ("text", "zh", "en")
QUESTION_FIELDS = ("question", "q_zh", "q_en")


@dataclass(frozen=True)
class DevQuestion:
    """A question and the indices of the passages that answer it, in any language."""

    text: str
    answers: frozenset[int]


@dataclass(frozen=True)
class DevSet:
    """Passages and the questions asked of them."""

    passages: list[str]
    questions: list[DevQuestion]


def load_devset(folder: Path | None = None, *, passages_max: int = 400, questions_max: int = 400) -> DevSet:
    """The set in `folder`, or the bundled one; of a longer set its beginning. Raises ModelError on an unfit folder.

    A row may carry its text in two languages (`zh` and `en`, `q_zh` and `q_en`); each counts as a text of its own.
    """
    root = folder if folder is not None else resources.files("causeway.models") / "devtexts"
    passages: list[str] = []
    owners: dict[str, set[int]] = {}
    for row in _read_rows(root / "passages.jsonl"):
        for text in _texts(row, PASSAGE_FIELDS):
            if len(passages) < passages_max:
                owners.setdefault(str(row["pid"]), set()).add(len(passages))
                passages.append(text)
    questions = [
        DevQuestion(text, frozenset(owners[str(row["pid"])]))
        for row in _read_rows(root / "questions.jsonl")
        if str(row["pid"]) in owners
        for text in _texts(row, QUESTION_FIELDS)
    ]
    if not passages or not questions:
        raise ModelError(
            f"{root} has no question about its passages; give a folder with passages.jsonl and questions.jsonl."
        )
    return DevSet(passages, questions[:questions_max])


def _texts(row: dict[str, Any], fields: tuple[str, ...]) -> list[str]:
    title = f"{row['title']}\n" if row.get("title") else ""
    return [title + str(row[field]) for field in fields if row.get(field)]


def _read_rows(path: Traversable) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise ModelError(f"{path} is missing; give a folder with passages.jsonl and questions.jsonl.")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ModelError(f"{path} line {number} is not JSON ({error}); mend that line.") from error
        if "pid" in row:
            yield row
