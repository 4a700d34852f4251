"""What the shelf must become for one document: which rows to write, which to delete. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from causeway.milvus.values import ShelvedChunk, ShelvedDocument
from causeway.proto.documents import Residency
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from causeway.sync_delta.residency import gate, leaving


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The document as it must stand, the ids of the chunks to write, and the rows to delete."""

    document: ShelvedDocument
    wanted: tuple[bytes, ...]
    surplus: tuple[ShelvedChunk, ...]


def newest(origin: str, came: DocumentRevised | None, held: ShelvedDocument | None) -> ShelvedDocument | None:
    """What came, unless a newer revision is held; of equal ones what came, which may have been embedded anew."""
    arrived = ShelvedDocument(origin=origin, revised=came) if came is not None else None
    if arrived is None or (held is not None and held.version > arrived.version):
        return held
    return arrived


def as_shared(document: ShelvedDocument, *, held: bool) -> ShelvedDocument | None:
    """What of it may be on the shelf: all that is public; of other documents that the shelf holds a tombstone, as
    would cross the link, and else nothing, so that nobody can ask whether they are there."""
    manifest = document.manifest
    if manifest.residency is Residency.PUBLIC:
        return document
    if not held:
        return None
    tombstone = leaving(manifest, gate(manifest, shared_before=True))
    return replace(document, revised=msgspec.structs.replace(document.revised, manifest=tombstone))


def plan(
    document: ShelvedDocument, held: ShelvedDocument | None, rows: Iterable[ShelvedChunk], *, thorough: bool = False
) -> Plan:
    """A row with the id of a named chunk is that chunk, because the id is a hash of it.

    Not so after a repair or if `thorough`: then every row is written again.
    """
    manifest = document.manifest
    named = {} if document.withdrawn else dict.fromkeys(place.chunk_id for place in manifest.places)
    again = thorough or (held is not None and held.version < document.version and document.repair > 0)
    good: set[bytes] = set()
    surplus: list[ShelvedChunk] = []
    for row in rows:
        if row.chunk_id not in named or manifest.model not in ("", row.model):
            surplus.append(row)
        elif not again and (row.live, row.kb, row.origin) == (document.live, manifest.kb, document.origin):
            good.add(row.chunk_id)
    wanted = tuple(chunk_id for chunk_id in named if chunk_id not in good)
    return Plan(document=document, wanted=wanted, surplus=tuple(surplus))


def row_of(document: ShelvedDocument, chunk: ChunkEmbedded) -> ShelvedChunk:
    """The chunk as this document has it."""
    return ShelvedChunk(
        kb=document.manifest.kb,
        origin=document.origin,
        document_key=document.key,
        chunk_id=chunk.chunk_id,
        model=chunk.model,
        language=chunk.language,
        context=chunk.context,
        text=chunk.text,
        live=document.live,
        vector=np.frombuffer(chunk.vector_f16, dtype="<f2").astype(np.float32),
    )


def embedded_of(row: ShelvedChunk) -> ChunkEmbedded:
    """A row that was read with its vector, as the log has chunks."""
    vector = row.vector if row.vector is not None else np.zeros(0, np.float32)
    return ChunkEmbedded(
        kb=row.kb,
        chunk_id=row.chunk_id,
        model=row.model,
        language=row.language,
        context=row.context,
        text=row.text,
        dims=len(vector),
        vector_f16=vector.astype("<f2").tobytes(),
    )


def by_document(rows: Iterable[ShelvedChunk]) -> Mapping[bytes, list[ShelvedChunk]]:
    """Rows by document key."""
    found: dict[bytes, list[ShelvedChunk]] = {}
    for row in rows:
        found.setdefault(row.document_key, []).append(row)
    return found
