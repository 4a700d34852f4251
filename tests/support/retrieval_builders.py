"""Candidates, ranked passages and fixed models for tests of the retrieval stages."""

import numpy as np
from numpy.typing import NDArray

from causeway.language import detect, terms
from causeway.retrieval import Candidate, LexicalIndex, Passage, Question, Ranked, ask, gather, rank, reranking
from causeway.retrieval.fusion import FEATURES, GROUPS
from causeway.retrieval.models import Centres, FusionModel

DIMS = 8


def unit_vector(*values: float) -> NDArray[np.float32]:
    """Return a vector of DIMS numbers and length 1 that starts with `values`."""
    vector = np.zeros(DIMS, np.float32)
    vector[: len(values)] = values
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def plain_model(**weights: float) -> FusionModel:
    """Return a model with the same named weights in every group and no centres."""
    row = np.array([weights.get(name, 0.0) for name in FEATURES])
    second = np.array([float(name == "line_dense") for name in reranking.FEATURES])
    return FusionModel(
        weights=dict.fromkeys(GROUPS, row), second=dict.fromkeys(GROUPS, second), centres=Centres({}, {})
    )


class SmallBase:
    """A knowledge base of a few passages, each with a vector of its own choice."""

    def __init__(self) -> None:
        self.index = LexicalIndex()
        self.passages: dict[bytes, Passage] = {}
        self.vectors: dict[bytes, NDArray[np.float32]] = {}

    def add(self, name: str, text: str, vector: NDArray[np.float32], context: str = "") -> None:
        """Add a passage; its id is `name`."""
        chunk_id = name.encode()
        self.passages[chunk_id] = Passage(chunk_id, context, text, detect(text))
        self.vectors[chunk_id] = vector
        self.index.upsert(chunk_id, terms(f"{context}\n{text}"))

    def ranked(self, text: str, vector: NDArray[np.float32], model: FusionModel | None = None) -> list[Ranked]:
        """Search both ways and fuse."""
        question = ask(text)
        dense = sorted(self.vectors, key=lambda key: -float(self.vectors[key] @ vector))
        lexical = [chunk_id for chunk_id, _ in self.index.search(question.terms, 50)]
        return rank(question, self.gathered(question, vector, dense, lexical, model), model)

    def gathered(
        self,
        question: Question,
        vector: NDArray[np.float32],
        dense: list[bytes],
        lexical: list[bytes],
        model: FusionModel | None = None,
    ) -> list[Candidate]:
        """Return the candidates of two lists of ids."""
        return gather(
            question,
            vector,
            dense,
            lexical,
            index=self.index,
            vectors=lambda ids: np.stack([self.vectors[chunk_id] for chunk_id in ids]),
            about=lambda ids: [self.passages.get(chunk_id) for chunk_id in ids],
            model=model,
        )
