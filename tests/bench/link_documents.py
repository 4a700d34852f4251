"""Documents of a site in any number, as its embedder writes them: sentences of the bundled passages, or given texts."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from causeway.language import sentences
from causeway.proto import Message, encode, subjects
from causeway.proto.chunks import Manifest, Place
from causeway.proto.documents import Residency
from causeway.proto.identity import chunk_id, document_key
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from tests.bench.corpus import bundled

KB = "k"
MODEL = "multilingual-e5-small"
DIMS = 384
PARAGRAPH_BYTES = 450

Entry = tuple[str, Message, str]
Vectors = npt.NDArray[np.float32]
Encoding = Callable[[list[str]], Vectors]


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a number of revisions puts into KNOWLEDGE: first the chunks, then the documents."""

    chunks: list[Entry]
    documents: list[Entry]
    text_bytes: int

    @property
    def deltas(self) -> int:
        """Messages that cross the link for them."""
        return len(self.chunks) + len(self.documents)

    @property
    def knowledge_bytes(self) -> int:
        """The same records as KNOWLEDGE holds them, without subjects and headers."""
        return sum(len(encode(message)) for _, message, _ in (*self.chunks, *self.documents))


@dataclass(frozen=True, kw_only=True)
class Documents:
    """The documents of a kb, by number and revision. A revision after the first one replaces one paragraph.

    No paragraph is there twice: each begins with a number of its own, as entries of a ledger do.
    """

    site: str
    key: bytes
    paragraphs: int = 1
    texts: Sequence[str] = ()

    def written(self, numbers: Iterable[int], revision: int = 1, encoding: Encoding | None = None) -> Written:
        """These documents at a revision, with those of their chunks that it brings. Vectors are random unit vectors
        where there is no `encoding`: int8 takes as many bytes for them."""
        chunks: list[Entry] = []
        documents: list[Entry] = []
        size = 0
        for number in numbers:
            texts = [self._text(number, paragraph, revision) for paragraph in range(self.paragraphs)]
            new = texts if revision == 1 else [texts[revision % self.paragraphs]]
            size += sum(len(text.encode()) for text in new)
            vectors = (encoding or _random)(new)
            chunks += [self._chunk(text, vector, revision) for text, vector in zip(new, vectors, strict=True)]
            documents.append(self._document(number, texts, revision))
        return Written(chunks=chunks, documents=documents, text_bytes=size)

    def _text(self, number: int, paragraph: int, revision: int) -> str:
        newest = next((r for r in range(revision, 1, -1) if r % self.paragraphs == paragraph), 1)
        name = f"{number}.{paragraph}.{newest}"
        rng = np.random.default_rng(_seed(name))
        if self.texts:
            return f"{name} {self.texts[int(rng.integers(len(self.texts)))]}"
        lines = _lines(bool(rng.integers(2)))
        said = [name]
        for pick in rng.permutation(len(lines)):
            said.append(lines[pick])
            if sum(len(line.encode()) for line in said) >= PARAGRAPH_BYTES:
                break
        return " ".join(said)

    def _id(self, text: str) -> bytes:
        return chunk_id(self.key, KB, MODEL, text)

    def _chunk(self, text: str, vector: npt.NDArray[np.float32], revision: int) -> Entry:
        name = self._id(text)
        chunk = ChunkEmbedded(
            kb=KB,
            chunk_id=name,
            model=MODEL,
            language="en" if text.isascii() else "zh",
            context="Ledger",
            text=text,
            dims=len(vector),
            vector_f16=vector.astype("<f2").tobytes(),
        )
        return subjects.KNOWLEDGE_CHUNK.at(self.site, KB, name.hex()), chunk, f"{name.hex()}:{revision}"

    def _document(self, number: int, texts: Sequence[str], revision: int) -> Entry:
        document_id = f"ledger-{number}.txt"
        manifest = Manifest(
            kb=KB,
            document_id=document_id,
            document_key=document_key(self.key, KB, document_id),
            revision=revision,
            title=f"Ledger {number}",
            filename=document_id,
            media_type="text/plain",
            language="en",
            residency=Residency.PUBLIC,
            content_sha256=hashlib.sha256("".join(texts).encode()).hexdigest(),
            model=MODEL,
            places=[Place(chunk_id=self._id(text)) for text in texts],
        )
        key = manifest.document_key.hex()
        subject = subjects.KNOWLEDGE_DOCUMENT.at(self.site, KB, key)
        return subject, DocumentRevised(manifest=manifest), f"{key}:{revision}"


def texts_of(path: Path) -> list[str]:
    """The `text` (or `en` and `zh`) of each row of a JSONL file."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row[name] for row in rows for name in ("text", "en", "zh") if row.get(name)]


def _random(texts: list[str]) -> Vectors:
    made = np.stack([np.random.default_rng(_seed(text)).standard_normal(DIMS) for text in texts])
    vectors: Vectors = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    return vectors


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


@cache
def _lines(ascii_only: bool) -> tuple[str, ...]:
    passages = bundled().passages
    return tuple(span.of(each) for each in passages if each.isascii() is ascii_only for span in sentences(each))
