"""Routing sets on disk: questions with how right a weak and a strong model were."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causeway.cli.errors import BadDataError
from causeway.cli.evaluation.json_lines import json_lines

FORM = """A folder of files *.jsonl, plain or .gz, each a set, one JSON object a line, of one of these forms:
  {"prompt": text, "weak": 0 to 1, "strong": 0 to 1}
  {"turns": [text, ...], "scores": {model: {turn: 0 to 10}, other: ...}}, as MT-bench has; asked is the first turn"""
SCORE_MAX = 10.0
PAIR = 2


@dataclass(frozen=True, kw_only=True)
class RoutingSet:
    """Questions [n] and how right the two models were about each, from 0 to 1."""

    name: str
    questions: tuple[str, ...]
    weak: tuple[float, ...]
    strong: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class _Row:
    question: str
    results: tuple[float, float] | dict[str, float]


def load_routing_sets(folder: Path, limit: int = 0) -> list[RoutingSet]:
    """The sets of a folder by name, each with `limit` of its questions (0: all), evenly spaced.

    Raises:
        BadDataError: it is not such a folder, or a line lacks what it takes; the text says what is expected.
    """
    files = sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")])
    if not files:
        problem = f"{folder} holds no *.jsonl" if folder.is_dir() else f"{folder} is not a folder"
        raise BadDataError(problem, f"--data takes:\n{FORM}")
    return [_read(path, limit) for path in files]


def _read(path: Path, limit: int) -> RoutingSet:
    rows = [_row(path, number, line) for number, line in json_lines(path)]
    if not rows:
        raise BadDataError(f"{path} is empty", f"--data takes:\n{FORM}")
    weak_name, strong_name = _pair(path, rows)
    count = min(limit or len(rows), len(rows))
    kept = [rows[number * len(rows) // count] for number in range(count)]
    pairs = [
        row.results if isinstance(row.results, tuple) else (row.results[weak_name], row.results[strong_name])
        for row in kept
    ]
    return RoutingSet(
        name=path.name.removesuffix(".gz").removesuffix(".jsonl"),
        questions=tuple(row.question for row in kept),
        weak=tuple(weak for weak, _ in pairs),
        strong=tuple(strong for _, strong in pairs),
    )


def _row(path: Path, number: int, row: dict[str, Any]) -> _Row:
    try:
        if "prompt" in row:
            results = float(row["weak"]), float(row["strong"])
            if not all(0 <= result <= 1 for result in results):
                raise ValueError(f"results are from 0 to 1, not {results}")
            return _Row(question=str(row["prompt"]), results=results)
        scores = {
            model: sum(float(score) for score in turns.values()) / len(turns) / SCORE_MAX
            for model, turns in row["scores"].items()
        }
        return _Row(question=str(row["turns"][0]), results=scores)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise BadDataError(f"{path}, line {number}: {_problem(error)}", f"--data takes:\n{FORM}") from error


def _problem(error: Exception) -> str:
    return f"no key {error}" if isinstance(error, KeyError) else f"of no known form ({error})"


def _pair(path: Path, rows: list[_Row]) -> tuple[str, str]:
    """The two models that the scores name, the one with less on the whole first; empty names for the other form."""
    scored = [row.results for row in rows if isinstance(row.results, dict)]
    if not scored:
        return "", ""
    names = set(scored[0])
    if len(names) != PAIR or len(scored) != len(rows) or any(set(each) != names for each in scored):
        raise BadDataError(f"{path}: every line must score the same two models", f"--data takes:\n{FORM}")
    totals = {name: sum(each[name] for each in scored) for name in names}
    weak, strong = sorted(sorted(names), key=lambda name: totals[name])
    return weak, strong
