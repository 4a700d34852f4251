"""Learned fusion: one order out of the dense and the lexical list, by a small linear model over scores of both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causeway.language import script, terms
from causeway.retrieval.lexical import K1, LexicalIndex, Match
from causeway.retrieval.models import Centres, FusionModel, shipped_fusion
from causeway.retrieval.passage import Passage
from causeway.retrieval.question import Question

# How many chunks each list proposes; beyond this the right one is almost never found by either.
CANDIDATES_PER_LIST = 50
# So many of the nearest tell whether a knowledge base has passages of the other language at all (of five, .99 are).
ABROAD_PROBES = 5
FEATURES = (
    "dense",
    "centred",
    "centred_own",
    "standout",
    "lexical",
    "lexical_relative",
    "coverage",
    "coverage_gap",
    "context_coverage",
    "dense_rank",
    "lexical_rank",
    "length",
    "bias",
)
# "zh-Hant": the encoder reads Traditional text worse (.843 against .963 R@1), so the lexical list must weigh more.
GROUPS = ("zh", "zh-Hant", "en", "zh>en", "en>zh")

Vectors = NDArray[np.float32]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that a list proposed, with the scores of both lists.

    `dense` is the cosine; `centred` the cosine after the typical question and passage are taken away, which makes
    questions comparable with passages of another language; `lexical` is BM25 over the most the question could score;
    `coverage` and `context_coverage` are the shares of the question's idf that the chunk and its context hold, and
    `missing` is the idf of the rarest term that it lacks, over that of the rarest of all.
    """

    passage: Passage
    dense: float
    centred: float
    lexical: float
    coverage: float
    context_coverage: float
    missing: float = 1.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its fused score (a logit against the other candidates) and what the score was made of."""

    chunk_id: bytes
    score: float
    candidate: Candidate
    features: dict[str, float]


def toward_other_language(
    question: Question, question_vector: Vectors, model: FusionModel | None = None
) -> Vectors | None:
    """Return the vector that finds passages of the other language, or None where the centres are of another model.

    Between the languages lies a distance that hides every passage of the other one behind those of the question's own.
    """
    centres = (model or shipped_fusion()).centres
    if centres.dims != len(question_vector):
        return None
    own, other = ("zh", "en") if question.language == "zh" else ("en", "zh")
    return np.asarray(question_vector - centres.question(own) + centres.question(other), np.float32)


def abroad(question: Question, passages: Sequence[Passage]) -> list[bytes]:
    """Return the passages that are not in the question's language; what is not Chinese counts as English."""
    chinese = question.language == "zh"
    return [passage.chunk_id for passage in passages if (passage.language == "zh") != chinese]


def gather(
    question: Question,
    question_vector: Vectors,
    dense_ids: Sequence[bytes],
    lexical_ids: Sequence[bytes],
    *,
    index: LexicalIndex,
    vectors: Callable[[Sequence[bytes]], Vectors],
    about: Callable[[Sequence[bytes]], Sequence[Passage | None]],
    model: FusionModel | None = None,
) -> list[Candidate]:
    """Return the union of both lists with the scores of both for each chunk; chunks that are gone are left out.

    `vectors` returns one row per id in order, `about` the passage of each id, or None for one that is gone.
    """
    ids = list(dict.fromkeys([*dense_ids, *lexical_ids]))
    passages = [passage for passage in about(ids) if passage is not None]
    if not passages:
        return []
    kept = [passage.chunk_id for passage in passages]
    rows = np.asarray(vectors(kept), np.float32)
    centred = centred_cosines(question, question_vector, passages, rows, (model or shipped_fusion()).centres)
    matches = index.match(question.terms, kept)
    return _candidates(index.weights(question.terms), passages, rows @ question_vector, centred, matches)


def _candidates(
    weights: Mapping[str, float],
    passages: Sequence[Passage],
    cosines: Vectors,
    centred: Vectors,
    matches: Sequence[Match],
) -> list[Candidate]:
    total = sum(weights.values()) or 1.0
    in_context = {context: share_held(weights, context) for context in {passage.context for passage in passages}}
    return [
        Candidate(
            passage=passage,
            dense=float(cosines[row]),
            centred=float(centred[row]),
            lexical=matches[row].score / (total * (K1 + 1)),
            coverage=matches[row].coverage,
            context_coverage=in_context[passage.context],
            missing=matches[row].missing,
        )
        for row, passage in enumerate(passages)
    ]


def share_held(weights: Mapping[str, float], text: str) -> float:
    """Return the share (0..1) of the weights whose terms `text` holds."""
    total = sum(weights.values())
    if not text or not total:
        return 0.0
    held = set(terms(text))
    return sum(weight for term, weight in weights.items() if term in held) / total


def centred_cosines(
    question: Question, question_vector: Vectors, passages: Sequence[Passage], rows: Vectors, centres: Centres
) -> Vectors:
    """Return the cosines of question and passages, each less its language's centre; plain ones for other models."""
    if centres.dims != len(question_vector):
        return rows @ question_vector
    asked = question_vector - centres.question(question.language)
    moved = rows - np.stack([centres.passage(passage.language) for passage in passages])
    lengths = np.linalg.norm(moved, axis=1) * np.linalg.norm(asked)
    return np.asarray(moved @ asked / np.maximum(lengths, 1e-6), np.float32)


def features(candidates: Sequence[Candidate]) -> Matrix:
    """Return one row of FEATURES for each of a question's candidates.

    Gaps and ranks of dense scores are against the candidates of the same language: across languages cosines differ by
    more than a right and a wrong passage do. All else is against the whole list.
    """
    dense, centred, lexical, coverage, context, length = np.array(
        [
            (c.dense, c.centred, c.lexical, c.coverage, c.context_coverage, np.log1p(len(c.passage.text)))
            for c in candidates
        ],
        np.float64,
    ).T
    dense_gap, dense_rank, centred_gap, standout = np.zeros((4, len(candidates)))
    chinese = np.array([c.passage.language == "zh" for c in candidates])
    for own in (chinese, ~chinese):
        if own.any():
            dense_gap[own] = dense[own] - dense[own].max()
            dense_rank[own] = _reciprocal_rank(dense[own])
            centred_gap[own] = centred[own] - centred[own].max()
            standout[own] = (centred[own] - centred[own].mean()) / (centred[own].std() + 0.02)
    columns = (
        dense_gap * 20.0,
        (centred - centred.max()) * 10.0,
        centred_gap * 10.0,
        standout,
        lexical * 10.0,
        lexical / max(1e-9, lexical.max()),
        coverage * 4.0,
        (coverage - coverage.max()) * 4.0,
        context * 4.0,
        dense_rank,
        _reciprocal_rank(lexical),
        length,
        np.ones(len(candidates)),
    )
    return np.stack(columns, axis=1)


def _reciprocal_rank(values: Matrix) -> Matrix:
    """Return 1 / rank of each value, 0 for values that are no score at all."""
    order = np.argsort(-values, kind="stable")
    ranks = np.empty(len(values), np.float64)
    ranks[order] = 1.0 / np.arange(1, len(values) + 1)
    return np.where(values > 0, ranks, 0.0)


def groups(question: Question, candidates: Sequence[Candidate]) -> list[str]:
    """Return which weights judge each candidate: those of its language where the question shares it, else of both.

    What is not Chinese counts as English.
    """
    if question.language != "zh":
        return ["en>zh" if c.passage.language == "zh" else "en" for c in candidates]
    own = "zh-Hant" if script(question.text) == "Hant" else "zh"
    return [own if c.passage.language == "zh" else "zh>en" for c in candidates]


def rank(question: Question, candidates: Sequence[Candidate], model: FusionModel | None = None) -> list[Ranked]:
    """Return the candidates with their fused scores, best first; equal scores in the order given."""
    if not candidates:
        return []
    used = model or shipped_fusion()
    rows = features(candidates)
    weights = np.stack([used.weights[name] for name in groups(question, candidates)])
    scores = (rows * weights).sum(axis=1)
    return [
        Ranked(
            chunk_id=candidates[at].passage.chunk_id,
            score=float(scores[at]),
            candidate=candidates[at],
            features=dict(zip(FEATURES, rows[at].tolist(), strict=True)),
        )
        for at in np.argsort(-scores, kind="stable")
    ]
