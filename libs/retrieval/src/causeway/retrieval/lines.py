"""The lines (sentences) of the few passages that contend for the first place: what is encoded to rerank and to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from causeway.language import Span, sentences, terms
from causeway.retrieval.fusion import Ranked, share_held
from causeway.retrieval.passage import Passage
from causeway.retrieval.question import Question

# Measured: a fifth contender, or one further behind, changes no set by more than .003.
CONTENDERS_MAX = 4
CONTENDER_MARGIN = 3.0
# Sixteen short lines cost about 50 ms on two cores; seven is the mean.
LINES_MAX = 16
LINE_CHARS_MAX = 600


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence of a passage, and where it stands: `order` of `count`.

    `coverage` is the share of the question's idf that the line holds; `fresh_coverage` leaves out the terms that the
    passage's context holds anyway: a title is repeated all over its document and tells nothing about the sentence.
    """

    chunk_id: bytes
    span: Span
    text: str
    coverage: float
    fresh_coverage: float
    order: int
    count: int


def contenders(ranked: Sequence[Ranked]) -> list[Ranked]:
    """Return the candidates close enough to the best to be looked at line by line."""
    return [one for one in ranked[:CONTENDERS_MAX] if one.score >= ranked[0].score - CONTENDER_MARGIN]


def split(question: Question, ranked: Sequence[Ranked], weights: Mapping[str, float]) -> list[Line]:
    """Return at most LINES_MAX lines of the contenders, in reading order.

    Where there are more, each contender keeps its lines of highest coverage, the contenders taking turns.
    `weights` are the idf of the question's terms.
    """
    kept = {term: weight for term, weight in weights.items() if term in question.terms}
    by_passage = [lines_of(one.candidate.passage, kept) for one in contenders(ranked)]
    if sum(map(len, by_passage)) <= LINES_MAX:
        return list(chain.from_iterable(by_passage))
    turns = zip_longest(*(sorted(lines, key=lambda line: -line.coverage) for lines in by_passage))
    chosen = [line for turn in turns for line in turn if line is not None][:LINES_MAX]
    chosen_keys = {(line.chunk_id, line.order) for line in chosen}
    return [line for lines in by_passage for line in lines if (line.chunk_id, line.order) in chosen_keys]


def lines_of(passage: Passage, weights: Mapping[str, float]) -> list[Line]:
    """Return the sentences of a passage as lines; one without an end within LINE_CHARS_MAX characters is cut there."""
    spans = list(chain.from_iterable(map(_cut, sentences(passage.text))))
    in_context = set(terms(passage.context))
    fresh = {term: weight for term, weight in weights.items() if term not in in_context}
    return [
        Line(
            chunk_id=passage.chunk_id,
            span=span,
            text=span.of(passage.text),
            coverage=share_held(weights, span.of(passage.text)),
            fresh_coverage=share_held(fresh, span.of(passage.text)),
            order=order,
            count=len(spans),
        )
        for order, span in enumerate(spans)
    ]


def _cut(span: Span) -> list[Span]:
    starts = range(span.start, span.end, LINE_CHARS_MAX)
    return [Span(start, min(start + LINE_CHARS_MAX, span.end)) for start in starts]
