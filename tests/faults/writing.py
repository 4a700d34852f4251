"""What the two sites write: a seeded stream of revisions, acknowledged one by one, as the embedder publishes them."""

import hashlib
import random
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from causeway.bus import Bus, BusError
from causeway.proto import subjects
from causeway.proto.chunks import Manifest, Place
from causeway.proto.documents import Residency
from causeway.proto.identity import chunk_id, document_key
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised

KB = "k"
MODEL = "made-4"
DIMS = 4
CHUNKS = 4
FIRST_REVISION = 1_760_000_000_000
PUBLISH_S = 120.0
_STREAM = subjects.KNOWLEDGE_DOCUMENT.stream


@dataclass(kw_only=True)
class Document:
    """A document as its site wants it. `shareable` is whether the hub must have this state of it."""

    name: str
    revision: int = 0
    texts: list[str] = field(default_factory=list)
    deleted: bool = False
    residency: Residency = Residency.PUBLIC

    @property
    def shareable(self) -> bool:
        return not self.deleted and self.residency is Residency.PUBLIC


@dataclass(kw_only=True)
class Writer:
    """One site's producer. `documents` is what was acknowledged; `secrets` what must never leave."""

    site: str
    key: bytes
    rng: random.Random
    bus: Bus
    count: int
    documents: dict[str, Document] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    written: int = 0

    async def write(self) -> None:
        """One revision of some document: an edit of one chunk mostly, sometimes a deletion or another label."""
        name = f"{self.site}-{self.rng.randrange(self.count)}"
        known = self.documents.get(name) or Document(name=name)
        wanted = self._next(known)
        await self._publish(wanted)
        self.documents[name] = wanted
        self.written += 1

    def _next(self, known: Document) -> Document:
        revision = FIRST_REVISION + self.written
        chance = self.rng.random()
        texts = list(known.texts) or [self._text() for _ in range(CHUNKS)]
        if known.texts and chance < 0.04:
            return Document(name=known.name, revision=revision, texts=[], deleted=True)
        texts[self.rng.randrange(len(texts))] = self._text()
        residency = Residency.RESTRICTED if chance > 0.95 else Residency.PUBLIC
        if residency is Residency.RESTRICTED:
            texts = [f"SECRET {self._text()}" for _ in texts]
            self.secrets.update(texts)
        elif any(text in self.secrets for text in texts):
            texts = [self._text() for _ in texts]
        return Document(name=known.name, revision=revision, texts=texts, residency=residency)

    def _text(self) -> str:
        return " ".join(f"w{self.rng.randrange(5_000)}" for _ in range(40))

    async def _publish(self, document: Document) -> None:
        chunks = [self._chunk(text) for text in document.texts]
        entries = [
            (
                subjects.KNOWLEDGE_CHUNK.at(self.site, KB, chunk.chunk_id.hex()),
                chunk,
                f"{chunk.chunk_id.hex()}:{document.revision}",
            )
            for chunk in chunks
        ]
        manifest = Manifest(
            kb=KB,
            document_id=document.name,
            document_key=document_key(self.key, KB, document.name),
            revision=document.revision,
            deleted=document.deleted,
            residency=document.residency,
            model=MODEL,
            places=[Place(chunk_id=chunk.chunk_id) for chunk in chunks],
        )
        subject = subjects.KNOWLEDGE_DOCUMENT.at(self.site, KB, manifest.document_key.hex())
        while True:
            # With a server that is down anything fails, or its acknowledgement is lost: look what stands, begin again.
            with suppress(BusError, TimeoutError, OSError):
                last = await self.bus.last(_STREAM, subject)
                message = last.message if last else None
                if isinstance(message, DocumentRevised) and message.manifest.revision == manifest.revision:
                    return
                await self.bus.publish_many(entries, timeout_s=PUBLISH_S)
                await self.bus.publish(
                    subject,
                    DocumentRevised(manifest=manifest),
                    msg_id=f"{manifest.document_key.hex()}:{manifest.revision}",
                    expected_last_subject_seq=last.seq if last else 0,
                    timeout_s=PUBLISH_S,
                )
                return

    def _chunk(self, text: str) -> ChunkEmbedded:
        seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
        vector = np.random.default_rng(seed).standard_normal(DIMS)
        return ChunkEmbedded(
            kb=KB,
            chunk_id=chunk_id(self.key, KB, MODEL, text),
            model=MODEL,
            language="en",
            context="",
            text=text,
            dims=DIMS,
            vector_f16=(vector / np.linalg.norm(vector)).astype(np.float16).tobytes(),
        )
