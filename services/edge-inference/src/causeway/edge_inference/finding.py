"""From a question to ranked chunks, to the sentences that answer, to a verdict. All of it is work of one thread."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from causeway.edge_inference.knowledge_index import KnowledgeIndex
from causeway.edge_inference.ports import Encoder, Vectors
from causeway.edge_inference.records import ChunkRecord
from causeway.edge_inference.stopwatch import Stopwatch
from causeway.edge_inference.vault_reader import VaultReader
from causeway.language import script
from causeway.proto.answers import SearchMode
from causeway.retrieval import (
    ABROAD_PROBES,
    CANDIDATES_PER_LIST,
    Candidate,
    Passage,
    Question,
    Ranked,
    Reading,
    Verdict,
    abroad,
    ask,
    gather,
    judge,
    measure,
    rank,
    read,
    rerank,
    split,
    toward_other_language,
)
from causeway.retrieval.models import shipped_answerability, shipped_fusion, shipped_reading

_LINES_KEPT_MAX = 4_096


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A chunk with the score that ranked it."""

    chunk_id: bytes
    score: float
    record: ChunkRecord


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the evidence says: chunks best first, the sentences that answer, and whether that is an answer.

    `vector` is the question's.
    """

    question: Question
    vector: Vectors
    chunks: tuple[Scored, ...]
    reading: Reading
    verdict: Verdict


class LineVectors:
    """Vectors of sentences, the last few thousand kept: the same passages contend for many questions.

    What is new is encoded by `threads` at a time: an asker waits for this longer than for anything else.
    """

    def __init__(self, encoder: Encoder, threads: int = 1, kept_max: int = _LINES_KEPT_MAX) -> None:
        self._encoder = encoder
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "lines")
        self._kept_max = kept_max
        self._kept: OrderedDict[str, Vectors] = OrderedDict()
        self._turn = threading.Lock()

    def of(self, texts: Sequence[str]) -> Vectors:
        """One row for each text, in order; those that are not kept are encoded in one batch."""
        with self._turn:
            known = {text: self._kept[text] for text in texts if text in self._kept}
        fresh = [text for text in dict.fromkeys(texts) if text not in known]
        if fresh:
            known |= self._encoded(fresh)
        self._keep(known)
        return np.stack([known[text] for text in texts])

    def _encoded(self, texts: list[str]) -> dict[str, Vectors]:
        # Dealt out by length, so that each thread has as much to do.
        by_length = sorted(texts, key=len)
        hands = [by_length[thread :: self._threads] for thread in range(min(self._threads, len(texts)))]
        encoded = self._pool.map(self._encoder.encode_passages, hands)
        # Rows are copied, so that one of them does not keep the whole batch in memory.
        return {
            text: row.copy()
            for hand, rows in zip(hands, encoded, strict=True)
            for text, row in zip(hand, rows, strict=True)
        }

    def _keep(self, known: dict[str, Vectors]) -> None:
        with self._turn:
            for text, row in known.items():
                self._kept[text] = row
                self._kept.move_to_end(text)
            while len(self._kept) > self._kept_max:
                self._kept.popitem(last=False)


class Finder:
    """Encodes questions itself, so that an ask never waits behind documents that are being embedded."""

    def __init__(self, encoder: Encoder, threads: int = 1) -> None:
        self._encoder = encoder
        self._lines = LineVectors(encoder, threads)

    def warm(self) -> None:
        """The first run of a model is its slowest, and so is the first use of a dictionary: let no asker have them."""
        for text in ("warm up", "预热知识库"):
            self._encoder.encode_queries([ask(text).text])
            script(text)
        for load in (shipped_fusion, shipped_reading, shipped_answerability):
            load()

    def search(
        self, index: KnowledgeIndex, reader: VaultReader, kb: str, text: str, mode: SearchMode, watch: Stopwatch
    ) -> list[Scored]:
        """Chunks best first. `dense` and `lexical` are one list as it comes; `hybrid` is what answers rest on."""
        question = ask(text)
        if mode is SearchMode.HYBRID:
            return list(self._look(index, reader, kb, question, self._vector(question, watch), watch)[0])
        with watch.part("search"):
            if mode is SearchMode.LEXICAL:
                hits = index.lexical.search(question.terms, CANDIDATES_PER_LIST)
            else:
                vector = self._encoder.encode_queries([question.text])[0]
                hits = [(hit.chunk_id, hit.score) for hit in index.dense.search(vector, CANDIDATES_PER_LIST)]
        with watch.part("open"):
            records = reader.named_records(kb, [chunk for chunk, _ in hits])
        return [Scored(chunk_id=chunk, score=score, record=records[chunk]) for chunk, score in hits if chunk in records]

    def find(
        self, index: KnowledgeIndex, reader: VaultReader, kb: str, text: str, language: str, watch: Stopwatch
    ) -> Found:
        """The evidence for an answer."""
        question = ask(text, language)
        vector = self._vector(question, watch)
        chunks, ranked, reading = self._look(index, reader, kb, question, vector, watch)
        with watch.part("judge"):
            verdict = judge(question, ranked, reading)
        return Found(question=question, vector=vector, chunks=chunks, reading=reading, verdict=verdict)

    def _vector(self, question: Question, watch: Stopwatch) -> Vectors:
        with watch.part("encode"):
            vector: Vectors = self._encoder.encode_queries([question.text])[0]
        return vector

    def _look(
        self,
        index: KnowledgeIndex,
        reader: VaultReader,
        kb: str,
        question: Question,
        vector: Vectors,
        watch: Stopwatch,
    ) -> tuple[tuple[Scored, ...], list[Ranked], Reading]:
        with watch.part("search"):
            dense = [hit.chunk_id for hit in index.dense.search(vector, CANDIDATES_PER_LIST)]
            lexical = [chunk for chunk, _ in index.lexical.search(question.terms, CANDIDATES_PER_LIST)]
        with watch.part("open"):
            records = reader.named_records(kb, list(dict.fromkeys([*dense, *lexical])))
            dense += chunks_abroad(question, vector, index, reader, kb, records)
        with watch.part("rank"):
            ranked = rank(question, _candidates(question, vector, dense, lexical, index, records))
            weights = index.lexical.weights(question.terms)
            lines = split(question, ranked, weights)
        with watch.part("encode_lines"):
            rows = self._lines.of([line.text for line in lines]) if lines else np.zeros((0, len(vector)), np.float32)
        with watch.part("read"):
            scores = measure(question, vector, rows)
            ranked = rerank(question, ranked, lines, scores)
            reading = read(question, ranked, lines, scores.cosines)
        chunks = tuple(Scored(chunk_id=one.chunk_id, score=one.score, record=records[one.chunk_id]) for one in ranked)
        return chunks, ranked, reading


def chunks_abroad(
    question: Question,
    vector: Vectors,
    index: KnowledgeIndex,
    reader: VaultReader,
    kb: str,
    records: dict[bytes, ChunkRecord],
) -> list[bytes]:
    """Search for chunks of the other language and open them into `records`; none where the nearest few are not."""
    moved = toward_other_language(question, vector)
    if moved is None:
        return []
    near = [hit.chunk_id for hit in index.dense.search(moved, CANDIDATES_PER_LIST)]

    def of_other_language(chunks: list[bytes]) -> list[bytes]:
        records.update(reader.named_records(kb, [chunk for chunk in chunks if chunk not in records]))
        return abroad(question, [_passage(chunk, records[chunk]) for chunk in chunks if chunk in records])

    return of_other_language(near) if of_other_language(near[:ABROAD_PROBES]) else []


def _candidates(
    question: Question,
    vector: Vectors,
    dense: list[bytes],
    lexical: list[bytes],
    index: KnowledgeIndex,
    records: dict[bytes, ChunkRecord],
) -> list[Candidate]:
    def vectors(chunks: Sequence[bytes]) -> Vectors:
        zero = np.zeros(len(vector), np.float32)
        rows = [records[chunk].vector() if index.comparable(records[chunk]) else zero for chunk in chunks]
        return np.stack(rows) if rows else np.zeros((0, len(vector)), np.float32)

    def about(chunks: Sequence[bytes]) -> list[Passage | None]:
        return [_passage(chunk, records[chunk]) if chunk in records else None for chunk in chunks]

    return gather(question, vector, dense, lexical, index=index.lexical, vectors=vectors, about=about)


def _passage(chunk_id: bytes, record: ChunkRecord) -> Passage:
    return Passage(chunk_id=chunk_id, context=record.context, text=record.text, language=record.language)
