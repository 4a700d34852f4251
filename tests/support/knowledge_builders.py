"""Chunks, manifests and vaults for tests, small and deterministic."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from causeway.edge_inference.history_rule import HistoryRule
from causeway.edge_inference.keys import Keyring
from causeway.edge_inference.records import Chunk, ChunkRecord, Revision
from causeway.edge_inference.vault import Batch, Vault
from causeway.edge_inference.vault_folder import open_keyring
from causeway.proto.chunks import Manifest, Place
from causeway.proto.knowledge import DocumentShadowed

KEK = bytes(range(32))
KB = "handbook"
DIMS = 384
CREATED = 1_767_225_600_000_000_000


def chunk_id(text: str, kb: str = KB, place: str = "") -> bytes:
    """An id as a chunk's text and kb give it, under the key of a place (empty: one's own)."""
    return hashlib.blake2b(f"{kb}|{text}".encode(), digest_size=16, key=place.encode()).digest()


def document_key(document_id: str, place: str = "") -> bytes:
    """An id as the log's subject has it, under the key of a place (empty: one's own)."""
    return hashlib.blake2b(document_id.encode(), digest_size=16, key=place.encode()).digest()


def unit_vector(seed: int | str, dims: int = DIMS) -> NDArray[np.float32]:
    """A vector of length 1, the same for the same seed."""
    number = int.from_bytes(hashlib.blake2b(str(seed).encode(), digest_size=8).digest(), "big")
    vector = np.random.default_rng(number).standard_normal(dims).astype(np.float32)
    return vector / np.linalg.norm(vector)


def chunk(text: str, seq: int, kb: str = KB, origin: str = "") -> Chunk:
    """A chunk of the log."""
    record = ChunkRecord(
        text=text,
        context="Handbook › Leave",
        language="en",
        model="test-model",
        vector_f16=unit_vector(text).astype("<f2").tobytes(),
        origin=origin,
    )
    return Chunk(kb=kb, chunk_id=chunk_id(text, kb, origin), seq=seq, record=record)


def revision(
    document_id: str,
    texts: list[str],
    number: int,
    seq: int,
    kb: str = KB,
    *,
    deleted: bool = False,
    origin: str = "",
    at_ms: int = 0,
) -> Revision:
    """A manifest of the log that names the chunks of `texts`."""
    manifest = Manifest(
        kb=kb,
        document_id=document_id,
        document_key=document_key(document_id, origin),
        revision=number,
        deleted=deleted,
        title=f"Title of {document_id}",
        places=[
            Place(chunk_id=chunk_id(text, kb, origin), page_first=page, page_last=page)
            for page, text in enumerate(texts, start=1)
        ],
    )
    return Revision(seq=seq, manifest=manifest, origin=origin, at_ms=at_ms)


def batch(*entries: Chunk | Revision, created: int = CREATED) -> Batch:
    """Entries in log order, with the watermark after the last."""
    return Batch(
        chunks=[entry for entry in entries if isinstance(entry, Chunk)],
        revisions=[entry for entry in entries if isinstance(entry, Revision)],
        seq=max(entry.seq for entry in entries),
        stream_created=created,
    )


def document(
    document_id: str, texts: list[str], number: int, seq: int, kb: str = KB, origin: str = "", at_ms: int = 0
) -> Batch:
    """A whole document as the log gives it: its chunks, then its manifest."""
    chunks = [chunk(text, seq + place, kb, origin) for place, text in enumerate(texts)]
    named = revision(document_id, texts, number, seq + len(texts), kb, origin=origin, at_ms=at_ms)
    return batch(*chunks, named)


def shadow(
    document_id: str, revision: int, winner: str = "hub", origin: str = "", *, concurrent: bool = False
) -> DocumentShadowed:
    """A shadow over a revision of a document of an origin; revision 0 lifts it."""
    return DocumentShadowed(
        kb=KB,
        document_id=document_id,
        document_key=document_key(document_id, origin),
        revision=revision,
        winner=winner,
        winner_revision=1,
        concurrent=concurrent,
    )


def open_vault(folder: Path, kek: bytes = KEK, clock_ms: int | None = 1_000, rule: HistoryRule | None = None) -> Vault:
    """A vault without its lock, made if it is not there; its clock stands still unless it is None."""
    folder.mkdir(parents=True, exist_ok=True)
    ring: Keyring = open_keyring(folder, kek)
    if clock_ms is None:
        return Vault(folder, ring, rule=rule)
    return Vault(folder, ring, clock_ms=lambda: clock_ms, rule=rule)
