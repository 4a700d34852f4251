"""The evaluation sets as documents and questions, and the half that each belongs to."""

import gzip
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from causeway.language import detect, sentences

QA_SETS = ("zh_dureader_robust", "zh_cmrc2018", "zh_drcd", "en_nq_gold")
XQUAD_PAIRS = (("zh", "zh"), ("en", "en"), ("zh", "en"), ("en", "zh"))
# What stands beside bi_xquad in a large knowledge base of both languages, and every how many of its questions is asked.
MIXED_IN = {"zh_cmrc2018": 3, "en_nq_gold": 2}
CHUNK_CHARS = {"zh": 300, "en": 800}


@dataclass(frozen=True)
class Asked:
    """A question, the documents that are right, the answers where there are any, and the row of the report it is in."""

    text: str
    right: frozenset[str]
    answers: tuple[str, ...]
    row: str

    @property
    def half(self) -> int:
        """0 or 1 by the first right document, so that questions of one passage are never on both sides."""
        return half(min(self.right))


@dataclass(frozen=True)
class Corpus:
    """A set: documents as id to (title, text), and its questions."""

    name: str
    documents: dict[str, tuple[str, str]]
    questions: list[Asked]


def half(document_id: str) -> int:
    """Return 0 or 1 by a hash of the document's id."""
    return _bit(document_id, 0)


def _bit(document_id: str, byte: int) -> int:
    return hashlib.blake2b(document_id.encode(), digest_size=byte + 1).digest()[byte] & 1


def norm(text: str) -> str:
    """Return letters and digits only, NFKC and case folded: how an answer is looked for in a text."""
    return "".join(mark for mark in unicodedata.normalize("NFKC", text).casefold() if mark.isalnum())


def corpora(root: Path) -> Iterator[Corpus]:
    """Yield every set of `root` that this package reports."""
    others: dict[str, tuple[str, str]] = {}
    asked_of_others: list[Asked] = []
    for name in QA_SETS:
        documents = {row["pid"]: (row.get("title") or "", row["text"]) for row in _rows(root / name / "passages.jsonl")}
        asked = [
            Asked(row["question"], frozenset([row["pid"]]), tuple(row["answers"]), name)
            for row in _rows(root / name / "questions.jsonl")
        ]
        yield Corpus(name, documents, asked)
        if name in MIXED_IN:
            others |= documents
            asked_of_others += [replace(one, row=f"mixed {name}") for one in asked[:: MIXED_IN[name]]]
    yield from _xquad(root / "bi_xquad")
    yield mixed(root / "bi_xquad", 0)
    large = mixed(root / "bi_xquad", 1)
    yield replace(large, documents=large.documents | others, questions=large.questions + asked_of_others)
    yield _cranfield(root / "en_cranfield")
    yield _scifact(root / "en_scifact")


def _xquad(folder: Path) -> Iterator[Corpus]:
    passages, questions = list(_rows(folder / "passages.jsonl")), list(_rows(folder / "questions.jsonl"))
    for asked, written in XQUAD_PAIRS:
        name = f"bi_xquad {asked}>{written}"
        yield Corpus(
            name,
            {row["pid"]: (row.get("title") or "", row[written]) for row in passages},
            [_xquad_asked(row, asked, written, name) for row in questions],
        )


def mixed(folder: Path, turn: int) -> Corpus:
    """Return bi_xquad with each passage in one language only, asked in both.

    A hash of the passage's id chooses its language, the other one with the other `turn` (0 or 1).
    """
    passages, questions = list(_rows(folder / "passages.jsonl")), list(_rows(folder / "questions.jsonl"))
    written = {row["pid"]: ("zh", "en")[_bit(row["pid"], 1) ^ turn] for row in passages}
    return Corpus(
        f"mixed {turn}",
        {row["pid"]: (row.get("title") or "", row[written[row["pid"]]]) for row in passages},
        [
            _xquad_asked(row, asked, written[row["pid"]], f"mixed {asked}>{written[row['pid']]}")
            for asked in ("zh", "en")
            for row in questions
        ],
    )


def _xquad_asked(row: dict[str, Any], asked: str, written: str, name: str) -> Asked:
    return Asked(row[f"q_{asked}"], frozenset([row["pid"]]), tuple(row[f"a_{written}"]), name)


def _cranfield(folder: Path) -> Corpus:
    documents = {
        str(row["doc_id"]): (row["title"], row["text"]) for row in _rows(folder / "corpus.jsonl") if row["text"]
    }
    asked = [
        Asked(row["question"], frozenset(key for key, code in row["qrels"].items() if code > 0), (), "en_cranfield")
        for row in _rows(folder / "queries.jsonl")
    ]
    return Corpus("en_cranfield", documents, asked)


def _scifact(folder: Path) -> Corpus:
    documents = {str(row["doc_id"]): (row["title"], row["text"]) for row in _rows(folder / "corpus.jsonl.gz")}
    asked = [
        Asked(row["claim"], frozenset(map(str, row["cited"])), (), "en_scifact")
        for row in _rows(folder / "claims.jsonl")
        if row["src"] == "validation"
    ]
    return Corpus("en_scifact", documents, asked)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def chunks(text: str, scale: float = 1.0) -> list[str]:
    """Cut a text at sentence ends into pieces of about the length that the service's chunker aims at."""
    target = int(scale * CHUNK_CHARS["zh" if detect(text) == "zh" else "en"])
    pieces: list[str] = []
    start = end = 0
    for span in sentences(text):
        if end > start and span.end - start > target:
            pieces.append(text[start:end])
            start = span.start
        end = span.end
    pieces.append(text[start:end] if end > start else text)
    return [part for piece in pieces for part in re.findall(rf"(?s).{{1,{2 * target}}}", piece)]
