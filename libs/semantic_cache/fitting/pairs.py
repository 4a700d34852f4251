"""Pairs to fit and to measure on, all of sets whose licence is open: labelled ones, and near ones that differ."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causeway.semantic_cache import Pair, read

NEIGHBOURS = 3
Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True)
class Asked:
    """A question about a passage, with its gold answers folded."""

    text: str
    answers: frozenset[str]


def labelled(path: Path, encode: Encode) -> list[Pair]:
    """The pairs of a file of q1, q2, label. Pairs of the same words that are labelled as different are left out."""
    rows = list(_lines(path))
    ones, others = encode([row["q1"] for row in rows]), encode([row["q2"] for row in rows])
    pairs = [
        Pair(read(row["q1"]), read(row["q2"]), float(one @ other), str(row["label"]) == "1")
        for row, one, other in zip(rows, ones, others, strict=True)
    ]
    return [pair for pair in pairs if pair.same or pair.one.normal != pair.other.normal]


def rewordings(path: Path, encode: Encode) -> list[Pair]:
    """Of a file of origin, similar: each with its own (same), and with the nearest origins of others (different)."""
    rows = list(_lines(path))
    origins = sorted({row["origin"] for row in rows})
    held, asked = encode(origins), encode([row["similar"] for row in rows])
    pairs = []
    for row, cosines in zip(rows, asked @ held.T, strict=True):
        one, own = read(row["similar"]), origins.index(row["origin"])
        pairs.append(Pair(one, read(row["origin"]), float(cosines[own]), same=True))
        cosines[own] = -1.0
        pairs += [Pair(one, read(origins[at]), float(cosines[at]), same=False) for at in _nearest(cosines)]
    return pairs


def neighbours(questions: Sequence[Asked], encode: Encode) -> list[Pair]:
    """Each question of a set of documents with the nearest others that no answer is shared with: what a cache of one
    knowledge base must keep apart."""
    vectors = encode([question.text for question in questions])
    found: dict[tuple[int, int], Pair] = {}
    for at, question in enumerate(questions):
        cosines = vectors @ vectors[at]
        cosines[at] = -1.0
        for near in _nearest(cosines):
            other = questions[near]
            one, two = read(question.text), read(other.text)
            if not question.answers & other.answers and one.normal != two.normal:
                found[min(at, near), max(at, near)] = Pair(one, two, float(cosines[near]), same=False)
    return list(found.values())


def questions(data: Path, language: str) -> list[Asked]:
    """The questions of the open sets of one language."""
    files = {
        "zh": [
            ("zh_cmrc2018", "question", "answers"),
            ("zh_drcd", "question", "answers"),
            ("bi_xquad", "q_zh", "a_zh"),
        ],
        "en": [("bi_xquad", "q_en", "a_en"), ("en_nq_gold", "question", "answers")],
    }
    return [
        Asked(row[question], frozenset(answer.casefold() for answer in row[answers]))
        for folder, question, answers in files[language]
        for row in _lines(data / folder / "questions.jsonl")
    ]


def _nearest(cosines: Vectors) -> list[int]:
    return [int(at) for at in np.argpartition(-cosines, NEIGHBOURS)[:NEIGHBOURS]]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())
