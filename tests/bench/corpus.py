"""Synthetic knowledge of any size, published as already embedded: real passages recombined, vectors near real ones."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from causeway.bus import Bus
from causeway.language import sentences
from causeway.models import Encoder
from causeway.proto import Message, subjects
from causeway.proto.chunks import Manifest, Place
from causeway.proto.documents import Residency
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised

CHUNKS_PER_DOCUMENT = 20
SENTENCES_PER_CHUNK = 3
NOISE = 0.35
PUBLISH_AT_ONCE = 2_000

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The bundled bilingual passages and questions."""

    passages: list[str]
    questions: list[str]


def bundled() -> Texts:
    """From libs/models, where they serve to measure quantization."""
    folder = files("causeway.models") / "devtexts"
    passages = [json.loads(line) for line in (folder / "passages.jsonl").read_text(encoding="utf-8").splitlines()]
    questions = [json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    return Texts(
        passages=[row[name] for row in passages for name in ("en", "zh") if row.get(name)],
        questions=[row[name] for row in questions for name in ("q_en", "q_zh") if row.get(name)],
    )


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """`vectors[i]` belongs to `chunks[i]`."""

    kb: str
    model: str
    chunks: list[str]
    vectors: Vectors

    @classmethod
    def make(cls, kb: str, size: int, encoder: Encoder, seed: int) -> "Corpus":
        """`size` chunks. Texts are sentences of the bundled passages, each with a number; vectors are a real passage's
        plus noise, so that neighbourhoods look like those of real text."""
        random = np.random.default_rng(seed)
        passages = bundled().passages
        real = encoder.encode_passages(passages)
        picks = random.integers(0, len(passages), size=(size, SENTENCES_PER_CHUNK))
        noise = random.normal(size=(size, encoder.dims)).astype(np.float32)
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        vectors = real[picks[:, 0]] + NOISE * noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        lines = [[span.of(passage) for span in sentences(passage)] for passage in passages]
        chunks = [" ".join(_numbered(row, [lines[pick] for pick in picks[row]])) for row in range(size)]
        return cls(kb=kb, model=encoder.model_id, chunks=chunks, vectors=vectors.astype(np.float32))

    def entries(self, site: str) -> Iterator[tuple[str, Message, str]]:
        """What the embedder would publish: (subject, message, message id), each manifest after its chunks."""
        for start in range(0, len(self.chunks), CHUNKS_PER_DOCUMENT):
            rows = range(start, min(start + CHUNKS_PER_DOCUMENT, len(self.chunks)))
            for row in rows:
                chunk_id = self.chunk_id(row)
                yield (
                    subjects.KNOWLEDGE_CHUNK.at(site, self.kb, chunk_id.hex()),
                    self._chunk(row),
                    f"c:{chunk_id.hex()}",
                )
            manifest = self._manifest(start, [self.chunk_id(row) for row in rows])
            key = manifest.document_key.hex()
            yield subjects.KNOWLEDGE_DOCUMENT.at(site, self.kb, key), DocumentRevised(manifest=manifest), f"d:{key}"

    def chunk_id(self, row: int) -> bytes:
        """The id of a chunk."""
        return hashlib.blake2b(f"{self.kb}:{row}".encode(), digest_size=16).digest()

    def _chunk(self, row: int) -> ChunkEmbedded:
        return ChunkEmbedded(
            kb=self.kb,
            chunk_id=self.chunk_id(row),
            model=self.model,
            language="en" if self.chunks[row].isascii() else "zh",
            context=f"Ledger {row // CHUNKS_PER_DOCUMENT}",
            text=self.chunks[row],
            dims=self.vectors.shape[1],
            vector_f16=self.vectors[row].astype("<f2").tobytes(),
        )

    def _manifest(self, start: int, chunk_ids: list[bytes]) -> Manifest:
        return Manifest(
            kb=self.kb,
            document_id=f"ledger-{start // CHUNKS_PER_DOCUMENT}",
            document_key=hashlib.blake2b(f"{self.kb}:document:{start}".encode(), digest_size=16).digest(),
            revision=1,
            title=f"Ledger {start // CHUNKS_PER_DOCUMENT}",
            media_type="text/plain",
            language="en",
            residency=Residency.PUBLIC,
            model=self.model,
            places=[Place(chunk_id=chunk_id) for chunk_id in chunk_ids],
        )


def _numbered(row: int, passages: list[list[str]]) -> list[str]:
    """No sentence stands twice in the corpus: what was read once must not answer for the work of another chunk."""
    return [f"{row}: {line}" for passage in passages for line in passage]


async def publish(bus: Bus, corpus: Corpus, site: str) -> None:
    """All of it, in windows: a manifest never overtakes its chunks, because a window ends before the next begins."""
    window: list[tuple[str, Message, str]] = []
    for entry in corpus.entries(site):
        window.append(entry)
        if len(window) >= PUBLISH_AT_ONCE and isinstance(entry[1], DocumentRevised):
            await _publish_window(bus, window)
            window = []
    if window:
        await _publish_window(bus, window)


async def _publish_window(bus: Bus, window: list[tuple[str, Message, str]]) -> None:
    await bus.publish_many([entry for entry in window if isinstance(entry[1], ChunkEmbedded)])
    await bus.publish_many([entry for entry in window if isinstance(entry[1], DocumentRevised)])
