"""Lexical search, learned fusion of dense and lexical scores, and reading: pure functions over arrays."""

from causeway.retrieval.answerability import Verdict, judge
from causeway.retrieval.fusion import (
    ABROAD_PROBES,
    CANDIDATES_PER_LIST,
    Candidate,
    Ranked,
    abroad,
    gather,
    rank,
    toward_other_language,
)
from causeway.retrieval.lexical import IndexFullError, LexicalIndex, Match
from causeway.retrieval.lines import LINES_MAX, Line, split
from causeway.retrieval.passage import Passage
from causeway.retrieval.question import AnswerKind, Question, ask
from causeway.retrieval.reading import AnswerSpan, Reading, read
from causeway.retrieval.reranking import LineScores, measure, rerank

__all__ = [
    "ABROAD_PROBES",
    "CANDIDATES_PER_LIST",
    "LINES_MAX",
    "AnswerKind",
    "AnswerSpan",
    "Candidate",
    "IndexFullError",
    "LexicalIndex",
    "Line",
    "LineScores",
    "Match",
    "Passage",
    "Question",
    "Ranked",
    "Reading",
    "Verdict",
    "abroad",
    "ask",
    "gather",
    "judge",
    "measure",
    "rank",
    "read",
    "rerank",
    "split",
    "toward_other_language",
]
