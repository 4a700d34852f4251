"""Chunks of the other language are searched for where a knowledge base has some, and hardly cost where it has none."""

from collections.abc import Sequence
from typing import cast

import numpy as np

from causeway.edge_inference.exact import ExactIndex
from causeway.edge_inference.finding import chunks_abroad
from causeway.edge_inference.knowledge_index import KnowledgeIndex
from causeway.edge_inference.ports import Vectors
from causeway.edge_inference.records import ChunkRecord
from causeway.edge_inference.vault_reader import VaultReader
from causeway.retrieval import ABROAD_PROBES, ask
from causeway.retrieval.models import shipped_fusion
from tests.support.knowledge_builders import DIMS, KB, chunk_id, unit_vector

QUESTION = ask("蒸汽机是谁发明的")
CENTRES = shipped_fusion().centres


class Opened:
    """A reader that keeps what it was asked to open."""

    def __init__(self) -> None:
        self.records: dict[bytes, ChunkRecord] = {}
        self.asked: list[bytes] = []

    def named_records(self, kb: str, chunk_ids: Sequence[bytes]) -> dict[bytes, ChunkRecord]:
        self.asked += chunk_ids
        return {chunk: self.records[chunk] for chunk in chunk_ids if chunk in self.records}


def vector_near(language: str, seed: str) -> Vectors:
    """A vector as the encoder gives it to a text of that language: its centre and something of its own."""
    vector = CENTRES.passage(language) + 0.3 * unit_vector(seed)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def knowledge(count: int, language: str, texts: str, reader: Opened, index: KnowledgeIndex) -> None:
    for number in range(count):
        text = f"{texts} {number}"
        record = ChunkRecord(
            text=text,
            context="",
            language=language,
            model="m",
            vector_f16=vector_near(language, text).astype("<f2").tobytes(),
        )
        reader.records[chunk_id(text)] = record
        index.put([(chunk_id(text), record)])


def test_only_a_few_chunks_are_opened_where_there_is_one_language() -> None:
    reader, index = Opened(), KnowledgeIndex("m", DIMS, lambda: ExactIndex(DIMS))
    knowledge(30, "zh", "蒸汽机的历史", reader, index)
    found: dict[bytes, ChunkRecord] = {}
    asked = vector_near("zh", "question")
    assert chunks_abroad(QUESTION, asked, index, cast(VaultReader, reader), KB, found) == []
    assert len(reader.asked) == ABROAD_PROBES


def test_chunks_of_the_other_language_are_found_and_opened() -> None:
    reader, index = Opened(), KnowledgeIndex("m", DIMS, lambda: ExactIndex(DIMS))
    knowledge(60, "zh", "蒸汽机的历史", reader, index)
    knowledge(10, "en", "History of the steam engine", reader, index)
    asked = vector_near("zh", "question")
    nearest = [reader.records[hit.chunk_id].language for hit in index.dense.search(asked, 50)]
    assert "en" not in nearest
    found: dict[bytes, ChunkRecord] = {}
    abroad = chunks_abroad(QUESTION, asked, index, cast(VaultReader, reader), KB, found)
    assert len(abroad) == 10
    assert all(found[chunk].language == "en" for chunk in abroad)
    assert len(reader.asked) == len(set(reader.asked))


def test_a_chunk_that_is_gone_is_not_found() -> None:
    reader, index = Opened(), KnowledgeIndex("m", DIMS, lambda: ExactIndex(DIMS))
    knowledge(3, "en", "History of the steam engine", reader, index)
    gone = reader.records.popitem()[0]
    abroad = chunks_abroad(QUESTION, vector_near("zh", "question"), index, cast(VaultReader, reader), KB, {})
    assert len(abroad) == 2
    assert gone not in abroad
