"""Answers and searches from one replica's vault and indexes. Blocking; each thread has a reader of its own."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from causeway.edge_inference.citing import cite_chunks, cite_documents, residency_of
from causeway.edge_inference.finding import Finder, Found, Scored
from causeway.edge_inference.knowledge_index import KnowledgeIndex, KnowledgeIndexes
from causeway.edge_inference.ports import Vectors
from causeway.edge_inference.problems import EmptyQuestionError, TermsBehindError, UnknownKbError
from causeway.edge_inference.routing import strictest
from causeway.edge_inference.stopwatch import Stopwatch
from causeway.edge_inference.vault import State, Vault
from causeway.edge_inference.vault_reader import VaultReader
from causeway.edge_inference.wording import abstention, abstention_reason, behind_reason
from causeway.proto.answers import Answer, Ask, Author, Citation, Route, Search, SearchMode, SearchResult
from causeway.proto.documents import Residency

CLOSEST_MAX = 3
_PAUSES_S = (0.01, 0.02, 0.05, 0.1, 0.2)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Answered:
    """An answer made of the documents' own sentences, and the passages that it rests on, best first.

    `residency` is the strictest label of these and of the closest passages, whether they are cited or not: what the
    question is about. `vector` is the question's.
    """

    answer: Answer
    passages: tuple[str, ...]
    residency: Residency
    vector: Vectors


class Answering:
    """Everything that an answer cites was in the vault at one watermark: the epoch that the answer names."""

    def __init__(self, site: str, vault: Vault, indexes: KnowledgeIndexes, finder: Finder) -> None:
        self._site = site
        self._vault = vault
        self._indexes = indexes
        self._finder = finder
        self._local = threading.local()

    def answer(self, ask: Ask, watch: Stopwatch) -> Answered:
        """The sentences that answer, or a clear abstention.

        Raises:
            UnknownKbError, EmptyQuestionError: with what the asker can do about it.
        """
        index = self._index(ask.kb, ask.question)
        behind = len(index.behind)

        def look(reader: VaultReader) -> tuple[Found, list[Scored], list[Citation], Residency, Residency]:
            found = self._finder.find(index, reader, ask.kb, ask.question, ask.language, watch)
            with watch.part("cite"):
                cited = self._cited(found)
                own = residency_of(reader, ask.kb, cited)
                near = residency_of(reader, ask.kb, found.chunks[:CLOSEST_MAX])
                return found, cited, cite_chunks(reader, ask.kb, cited, ask.passages_max), own, near

        (found, cited, citations, own, near), state = self._at_one_moment(look)
        answer = self._worded(ask, found, citations, own, self._epoch(state), watch)
        if behind:
            answer = _less_sure(answer, behind, len(index))
        passages = tuple(chunk.record.text for chunk in cited)
        return Answered(answer=answer, passages=passages, residency=strictest(own, near), vector=found.vector)

    def search(self, search: Search, watch: Stopwatch) -> SearchResult:
        """Documents best first, each by its best chunk.

        Raises:
            UnknownKbError, EmptyQuestionError, TermsBehindError: with what the asker can do about it.
        """
        index = self._index(search.kb, search.question)
        if index.behind and search.mode is not SearchMode.DENSE:
            raise TermsBehindError(search.kb, len(index.behind), len(index))

        def look(reader: VaultReader) -> list[Citation]:
            chunks = self._finder.search(index, reader, search.kb, search.question, search.mode, watch)
            with watch.part("cite"):
                return cite_documents(reader, search.kb, chunks, search.documents_max)

        passages, state = self._at_one_moment(look)
        return SearchResult(kb=search.kb, passages=passages, epoch=self._epoch(state), latency_ms=watch.latency_ms())

    def _at_one_moment(self, look: Callable[[VaultReader], T]) -> tuple[T, State]:
        """Look in one moment of the vault, and again if the index turned out to be of another: between a commit and the
        index that follows it, a search finds chunks under names that the vault does not have any more, or not yet."""
        reader = self._reader()
        for pause_s in (*_PAUSES_S, 0.0):
            with reader.snapshot() as state:
                found = look(reader)
            if not reader.unnamed:
                break
            time.sleep(pause_s)
        return found, state

    def _cited(self, found: Found) -> list[Scored]:
        if not found.verdict.answers:
            return list(found.chunks[:CLOSEST_MAX])
        by_id = {chunk.chunk_id: chunk for chunk in found.chunks}
        return [by_id[chunk] for chunk in dict.fromkeys(span.chunk_id for span in found.reading.spans)]

    def _worded(
        self,
        ask: Ask,
        found: Found,
        citations: list[Citation],
        residency: Residency,
        epoch: dict[str, int],
        watch: Stopwatch,
    ) -> Answer:
        answers = found.verdict.answers
        text = found.reading.text if answers else abstention(found.question.language, closest=bool(citations))
        return Answer(
            kb=ask.kb,
            text=text,
            sentences=[span.text for span in found.reading.spans] if answers else [],
            written_by=Author.EXTRACT,
            route=Route.EDGE,
            abstained=not answers,
            reason="" if answers else abstention_reason(found.verdict.probability, found.question.language),
            language=found.question.language,
            confidence=round(found.verdict.probability, 4),
            features={name: round(value, 4) for name, value in found.verdict.features.items()},
            citations=citations,
            epoch=epoch,
            latency_ms=watch.latency_ms(),
            residency=residency,
        )

    def _epoch(self, state: State) -> dict[str, int]:
        """Where this place's log stood, and how much of what each other place shares had come into it."""
        return {**state.watermarks, self._site: state.seq}

    def _index(self, kb: str, question: str) -> KnowledgeIndex:
        if not question.strip():
            raise EmptyQuestionError()
        index = self._indexes.of(kb)
        if index is None or len(index) == 0:
            raise UnknownKbError(kb, self._indexes.names)
        return index

    def _reader(self) -> VaultReader:
        if not hasattr(self._local, "reader"):
            self._local.reader = VaultReader(self._vault)
        reader: VaultReader = self._local.reader
        return reader


def _less_sure(answer: Answer, behind: int, chunks: int) -> Answer:
    """The answer, saying that words of the question may have been missed. More asks are abstained from meanwhile."""
    reason = "; ".join(part for part in (answer.reason, behind_reason(behind, chunks, answer.language)) if part)
    features = answer.features | {"terms_behind": round(behind / max(1, chunks), 4)}
    return msgspec.structs.replace(answer, reason=reason, features=features)
