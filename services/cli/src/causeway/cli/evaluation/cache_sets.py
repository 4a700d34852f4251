"""Sets of question pairs, and of sentences with a rewording: which files a folder must have, and what they say."""

from dataclasses import dataclass
from pathlib import Path

from causeway.cli.errors import BadDataError
from causeway.cli.evaluation.json_lines import json_lines

FORM = """A .jsonl file, plain or .gz, or a folder of such files, each one of these forms, one JSON object a line:
  id, q1, q2, label (1: one answer does for both), lang (zh or en)
  id, origin, similar: every origin is cached, every similar is asked"""


@dataclass(frozen=True, kw_only=True)
class PairCase:
    """Two questions, and whether one answer does for both."""

    id: str
    one: str
    other: str
    same: bool
    language: str


@dataclass(frozen=True, kw_only=True)
class RewordedCase:
    """A text that is cached, and a rewording of it that is asked."""

    id: str
    cached: str
    asked: str


@dataclass(frozen=True, kw_only=True)
class CacheSet:
    """Pairs or rewordings, never both."""

    name: str
    pairs: tuple[PairCase, ...] = ()
    reworded: tuple[RewordedCase, ...] = ()

    def texts(self) -> list[str]:
        """Every text once."""
        found = [text for case in self.pairs for text in (case.one, case.other)]
        found += [text for case in self.reworded for text in (case.cached, case.asked)]
        return sorted(set(found))


def load_cache_sets(data: Path, limit: int = 0) -> list[CacheSet]:
    """The sets of a folder, or the one of a file, with the first `limit` lines of each (0: all).

    Raises:
        BadDataError: no such file, or a line that is of neither form.
    """
    paths = [data] if data.is_file() else sorted([*data.glob("*.jsonl"), *data.glob("*.jsonl.gz")])
    if not paths:
        raise BadDataError(f"{data} has no .jsonl file", f"--data takes:\n{FORM}")
    return [_load(path, limit) for path in paths]


def _load(path: Path, limit: int) -> CacheSet:
    pairs: list[PairCase] = []
    reworded: list[RewordedCase] = []
    for number, row in json_lines(path):
        name = str(row.get("id") or number)
        if {"q1", "q2", "label"} <= row.keys():
            if str(row["label"]) not in ("0", "1"):
                raise BadDataError(f"{path}, line {number}: label is {row['label']!r}", "It is 1 or 0.")
            same, language = str(row["label"]) == "1", str(row.get("lang") or "")
            pairs.append(PairCase(id=name, one=str(row["q1"]), other=str(row["q2"]), same=same, language=language))
        elif {"origin", "similar"} <= row.keys():
            reworded.append(RewordedCase(id=name, cached=str(row["origin"]), asked=str(row["similar"])))
        else:
            keys = ", ".join(sorted(row))
            raise BadDataError(f"{path}, line {number}: keys {keys} are of no known form", f"--data takes:\n{FORM}")
        if limit and number >= limit:
            break
    if pairs and reworded:
        raise BadDataError(f"{path} has lines of both forms", "Put them into two files.")
    name = path.name.removesuffix(".gz").removesuffix(".jsonl")
    return CacheSet(name=name, pairs=tuple(pairs), reworded=tuple(reworded))
