"""A set carried through the stages of an ask, each stage as the package runs it, so that every fit sees real inputs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from causeway.language import detect, terms
from causeway.retrieval import (
    ABROAD_PROBES,
    CANDIDATES_PER_LIST,
    LexicalIndex,
    Line,
    LineScores,
    Passage,
    Question,
    Ranked,
    abroad,
    ask,
    gather,
    measure,
    rank,
    split,
    toward_other_language,
)
from causeway.retrieval.fusion import Candidate
from causeway.retrieval.models import FusionModel
from libs.retrieval.fitting.corpus import Asked, Corpus, chunks, norm
from libs.retrieval.fitting.vectors import VectorCache


@dataclass
class Case:
    """One question on its way: what was found, in what order, and the lines that were read."""

    asked: Asked
    question: Question
    vector: NDArray[np.float32]
    dense_ids: list[bytes]
    lexical_ids: list[bytes]
    withheld: bool = False
    candidates: list[Candidate] = field(default_factory=list)
    ranked: list[Ranked] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    scores: LineScores = field(default_factory=lambda: LineScores(np.zeros(0, np.float32), np.zeros(0, np.float32)))

    def right(self, chunk_id: bytes) -> bool:
        """Say whether a chunk belongs to a right document."""
        return not self.withheld and document_of(chunk_id) in self.asked.right

    def holds(self, text: str) -> bool:
        """Say whether a text holds one of the answers."""
        normed = norm(text)
        return any(norm(answer) in normed for answer in self.asked.answers)


def document_of(chunk_id: bytes) -> str:
    """Return the document of a chunk id of these sets."""
    return chunk_id.decode().rsplit("#", 1)[0]


class Stage:
    """A set's indexes. Ids are `document#number`."""

    def __init__(self, corpus: Corpus, vectors: VectorCache, scale: float = 1.0) -> None:
        self.corpus = corpus
        self.passages: dict[bytes, Passage] = {}
        self.index = LexicalIndex()
        for key, (title, text) in corpus.documents.items():
            for number, piece in enumerate(chunks(text, scale)):
                chunk_id = f"{key}#{number}".encode()
                self.passages[chunk_id] = Passage(chunk_id, title, piece, detect(piece))
                self.index.upsert(chunk_id, terms(f"{title}\n{piece}"))
        self.ids = list(self.passages)
        self.places = {chunk_id: place for place, chunk_id in enumerate(self.ids)}
        self._vectors = vectors
        self.rows = vectors.passages([(f"{p.context}\n" if p.context else "") + p.text for p in self.passages.values()])

    def cases(self, withheld: bool = False) -> list[Case]:
        """Search both indexes for every question; `withheld` hides the right documents from it."""
        questions = self.corpus.questions
        vectors = self._vectors.questions([asked.text for asked in questions])
        return [self._case(asked, vector, withheld) for asked, vector in zip(questions, vectors, strict=True)]

    def _case(self, asked: Asked, vector: NDArray[np.float32], withheld: bool) -> Case:
        question = ask(asked.text)
        spare = CANDIDATES_PER_LIST + (20 if withheld else 0)
        dense = [self.ids[place] for place in np.argsort(-(self.rows @ vector))[:spare]]
        lexical = [chunk_id for chunk_id, _ in self.index.search(question.terms, spare)]
        if withheld:
            dense, lexical = ([i for i in found if document_of(i) not in asked.right] for found in (dense, lexical))
        return Case(asked, question, vector, dense[:CANDIDATES_PER_LIST], lexical[:CANDIDATES_PER_LIST], withheld)

    def gather(self, cases: Sequence[Case], model: FusionModel) -> None:
        """Fill in the candidates."""
        for case in cases:
            case.candidates = gather(
                case.question,
                case.vector,
                [*case.dense_ids, *self._abroad(case, model)],
                case.lexical_ids,
                index=self.index,
                vectors=lambda ids: self.rows[[self.places[chunk_id] for chunk_id in ids]],
                about=lambda ids: [self.passages[chunk_id] for chunk_id in ids],
                model=model,
            )

    def _abroad(self, case: Case, model: FusionModel) -> list[bytes]:
        """Search for passages of the other language, as the service does."""
        moved = toward_other_language(case.question, case.vector, model)
        if moved is None:
            return []
        found = [self.ids[place] for place in np.argsort(-(self.rows @ moved))[:CANDIDATES_PER_LIST]]
        if not abroad(case.question, [self.passages[i] for i in found[:ABROAD_PROBES]]):
            return []
        kept = abroad(case.question, [self.passages[chunk_id] for chunk_id in found])
        return [i for i in kept if not (case.withheld and document_of(i) in case.asked.right)]

    def look(self, cases: Sequence[Case], model: FusionModel) -> None:
        """Rank the candidates and encode the lines of those that contend."""
        for case in cases:
            case.ranked = rank(case.question, case.candidates, model)
            case.lines = split(case.question, case.ranked, self.index.weights(case.question.terms))
        self._vectors.passages(list({line.text for case in cases for line in case.lines}))
        for case in cases:
            rows = self._vectors.passages([line.text for line in case.lines])
            case.scores = measure(case.question, case.vector, rows, model)
