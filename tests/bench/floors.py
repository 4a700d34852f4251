"""The bare parts: what the same work costs with nothing of Causeway around it."""

import time
from collections.abc import Callable, Sequence

import chromadb
import nats
import numpy as np
from nats.aio.msg import Msg

from causeway.language import detect, terms
from causeway.models import Encoder
from causeway.retrieval import (
    CANDIDATES_PER_LIST,
    LexicalIndex,
    Passage,
    ask,
    gather,
    judge,
    measure,
    rank,
    read,
    rerank,
    split,
)
from tests.bench.corpus import Corpus, Vectors
from tests.bench.table import percentile


def timed_ms(work: Callable[[int], object], times: int) -> list[float]:
    """Milliseconds of `work(i)` for each i."""
    samples = []
    for number in range(times):
        started = time.perf_counter()
        work(number)
        samples.append((time.perf_counter() - started) * 1_000)
    return samples


def chroma_of(corpus: Corpus) -> chromadb.Collection:
    """A bare Chroma collection with the same vectors."""
    client = chromadb.EphemeralClient()
    collection = client.create_collection(
        f"bench-{corpus.kb}", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
    )
    for start in range(0, len(corpus.chunks), 5_000):
        rows = range(start, min(start + 5_000, len(corpus.chunks)))
        collection.add(ids=[str(row) for row in rows], embeddings=corpus.vectors[start : rows.stop])
    return collection


def lexical_of(corpus: Corpus) -> LexicalIndex:
    """A bare lexical index of the same texts."""
    index = LexicalIndex()
    for row, text in enumerate(corpus.chunks):
        index.upsert(corpus.chunk_id(row), terms(text))
    return index


class BareAsk:
    """Encode + search + read, by direct calls in this process: no bus, no vault, no decryption, no citations."""

    def __init__(self, corpus: Corpus, encoder: Encoder, questions: list[str]) -> None:
        self._corpus, self._encoder = corpus, encoder
        self._asked = [ask(question) for question in questions]
        self._vectors = encoder.encode_queries(questions)
        self._chroma, self._lexical = chroma_of(corpus), lexical_of(corpus)
        self._rows = {corpus.chunk_id(row): row for row in range(len(corpus.chunks))}

    def parts_ms(self, times: int) -> dict[str, list[float]]:
        """Samples of each part."""
        count = len(self._asked)
        found = [self._search(number) for number in range(count)]
        return {
            "encode": timed_ms(lambda n: self._encoder.encode_queries([self._asked[n % count].text]), times),
            "search": timed_ms(lambda n: self._search(n % count), times),
            "read": timed_ms(lambda n: self._read(n % count, *found[n % count]), times),
        }

    def _search(self, number: int) -> tuple[list[bytes], list[bytes]]:
        result = self._chroma.query(
            query_embeddings=[self._vectors[number]], n_results=CANDIDATES_PER_LIST, include=["distances"]
        )
        dense = [self._corpus.chunk_id(int(row)) for row in result["ids"][0]]
        lexical = self._lexical.search(self._asked[number].terms, CANDIDATES_PER_LIST)
        return dense, [chunk_id for chunk_id, _ in lexical]

    def _read(self, number: int, dense: list[bytes], lexical: list[bytes]) -> None:
        asked, vector = self._asked[number], self._vectors[number]
        ranked = rank(
            asked,
            gather(
                asked, vector, dense, lexical, index=self._lexical, vectors=self._vectors_of, about=self._passages_of
            ),
        )
        weights = self._lexical.weights(asked.terms)
        lines = split(asked, ranked, weights)
        scores = measure(asked, vector, self._encoder.encode_passages([line.text for line in lines]))
        ranked = rerank(asked, ranked, lines, scores)
        judge(asked, ranked, read(asked, ranked, lines, scores.cosines))

    def _vectors_of(self, ids: Sequence[bytes]) -> Vectors:
        return self._corpus.vectors[[self._rows[chunk_id] for chunk_id in ids]]

    def _passages_of(self, ids: Sequence[bytes]) -> list[Passage | None]:
        texts = [self._corpus.chunks[self._rows[chunk_id]] for chunk_id in ids]
        return [
            Passage(chunk_id=chunk_id, context="Ledger", text=text, language=detect(text))
            for chunk_id, text in zip(ids, texts, strict=True)
        ]


async def round_trip_ms(url: str, user: str, password: str, times: int, reply_bytes: int) -> list[float]:
    """A bare NATS request-reply between two connections, with a reply of an answer's size."""
    responder = await nats.connect(url, user=user, password=password)
    asker = await nats.connect(url, user=user, password=password)
    body = np.random.default_rng(0).bytes(reply_bytes)

    async def echo(message: Msg) -> None:
        await message.respond(body)

    await responder.subscribe("bench.echo", cb=echo)
    await responder.flush()
    samples = []
    for _ in range(times):
        started = time.perf_counter()
        await asker.request("bench.echo", b"x" * 200, timeout=5)
        samples.append((time.perf_counter() - started) * 1_000)
    await asker.close()
    await responder.close()
    return samples


def exact_search_ms(corpus: Corpus, vectors: Vectors, times: int) -> float:
    """Median of an exact search by one matrix product."""

    def search(number: int) -> None:
        scores = corpus.vectors @ vectors[number % len(vectors)]
        np.argpartition(-scores, CANDIDATES_PER_LIST)[:CANDIDATES_PER_LIST]

    return percentile(timed_ms(search, times), 50)
