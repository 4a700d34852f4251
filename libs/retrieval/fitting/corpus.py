"""The evaluation sets as documents and questions, and the half that each belongs to."""

import gzip
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causeway.language import detect, sentences

QA_SETS = ("zh_dureader_robust", "zh_cmrc2018", "zh_drcd", "en_nq_gold")
XQUAD_PAIRS = (("zh", "zh"), ("en", "en"), ("zh", "en"), ("en", "zh"))
CHUNK_CHARS = {"zh": 300, "en": 800}


@dataclass(frozen=True)
class Asked:
    """A question, the documents that are right, and the answers where the set has them."""

    text: str
    right: frozenset[str]
    answers: tuple[str, ...]

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
    return hashlib.blake2b(document_id.encode(), digest_size=1).digest()[0] & 1


def norm(text: str) -> str:
    """Return letters and digits only, NFKC and case folded: how an answer is looked for in a text."""
    return "".join(mark for mark in unicodedata.normalize("NFKC", text).casefold() if mark.isalnum())


def corpora(root: Path) -> Iterator[Corpus]:
    """Yield every set of `root` that this package reports."""
    for name in QA_SETS:
        documents = {row["pid"]: (row.get("title") or "", row["text"]) for row in _rows(root / name / "passages.jsonl")}
        asked = [
            Asked(row["question"], frozenset([row["pid"]]), tuple(row["answers"]))
            for row in _rows(root / name / "questions.jsonl")
        ]
        yield Corpus(name, documents, asked)
    yield from _xquad(root / "bi_xquad")
    yield _cranfield(root / "en_cranfield")
    yield _scifact(root / "en_scifact")


def _xquad(folder: Path) -> Iterator[Corpus]:
    passages, questions = list(_rows(folder / "passages.jsonl")), list(_rows(folder / "questions.jsonl"))
    for asked, written in XQUAD_PAIRS:
        yield Corpus(
            f"bi_xquad {asked}>{written}",
            {row["pid"]: (row.get("title") or "", row[written]) for row in passages},
            [Asked(row[f"q_{asked}"], frozenset([row["pid"]]), tuple(row[f"a_{written}"])) for row in questions],
        )


def _cranfield(folder: Path) -> Corpus:
    documents = {
        str(row["doc_id"]): (row["title"], row["text"]) for row in _rows(folder / "corpus.jsonl") if row["text"]
    }
    asked = [
        Asked(row["question"], frozenset(key for key, code in row["qrels"].items() if code > 0), ())
        for row in _rows(folder / "queries.jsonl")
    ]
    return Corpus("en_cranfield", documents, asked)


def _scifact(folder: Path) -> Corpus:
    documents = {str(row["doc_id"]): (row["title"], row["text"]) for row in _rows(folder / "corpus.jsonl.gz")}
    asked = [
        Asked(row["claim"], frozenset(map(str, row["cited"])), ())
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
