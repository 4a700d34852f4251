"""Reads of a vault by the side of its writer: one reader per thread, each with a connection of its own."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from causeway.edge_inference import schema
from causeway.edge_inference.envelope import Kind
from causeway.edge_inference.records import (
    ChunkRecord,
    ChunkVector,
    unpack_chunk,
    unpack_document,
    unpack_second_vector,
    unpack_vector,
)
from causeway.edge_inference.references import References
from causeway.edge_inference.sealed_rows import SealedRows, tampering_named
from causeway.edge_inference.vault import State, Vault, read_state
from causeway.proto.chunks import Manifest, Place

_MANIFESTS_MAX = 64
R = TypeVar("R", ChunkRecord, ChunkVector)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A document that a chunk is part of, and where in it."""

    manifest: Manifest
    place: Place


class VaultReader:
    """Opens chunks and the manifests that name them. Not for two threads at once.

    `unnamed` counts the chunks that were asked for within a snapshot and that nothing in it names.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._sql = schema.connect(vault.folder, writes=False)
        self._rows = SealedRows(self._sql, vault.envelope)
        self._references = References(self._sql)
        self.unnamed = 0
        self._manifests: OrderedDict[tuple[int, bytes, bytes], Manifest] = OrderedDict()

    def close(self) -> None:
        """Let go of the connection."""
        self._sql.close()

    @contextmanager
    def snapshot(self) -> Iterator[State]:
        """Read one state of the vault until the end of the block, whatever is committed meanwhile."""
        self._sql.execute("BEGIN")
        self.unnamed = 0
        try:
            self._rows.envelope = self._vault.envelope
            with tampering_named(self._vault.folder):
                yield read_state(self._rows)
        finally:
            self._sql.execute("ROLLBACK")

    def chunk(self, kb: str, chunk_id: bytes) -> ChunkRecord | None:
        """A chunk, or None when it is not (or no longer) in the vault."""
        packed = self._open(Kind.CHUNK, kb, chunk_id)
        return None if packed is None else unpack_chunk(packed[1])

    def named_records(self, kb: str, chunk_ids: Sequence[bytes]) -> dict[bytes, ChunkRecord]:
        """Those of the chunks that a document names now which no shadow hides."""
        number = self._vault.kb_numbers.get(kb)
        if number is None or not chunk_ids:
            return {}
        self._rows.envelope = self._vault.envelope
        named = self._references.shown_among(number, chunk_ids)
        self.unnamed += len(set(chunk_ids)) - len(named)
        with tampering_named(self._vault.folder):
            packed = self._rows.get_many(Kind.CHUNK, number, [chunk for chunk in chunk_ids if chunk in named])
            records = {chunk: unpack_chunk(record) for chunk, record in packed.items()}
            return records | self._in_space(number, records)

    def origins(self, kb: str, chunk_id: bytes) -> list[Origin]:
        """The documents that name a chunk now and are searched; none when it has been dropped."""
        number = self._vault.kb_numbers.get(kb)
        if number is None:
            return []
        keys = self._references.documents_of(number, chunk_id)
        manifests = [manifest for key in keys if (manifest := self._manifest(kb, number, key)) is not None]
        return [
            Origin(manifest=manifest, place=place)
            for manifest in manifests
            if (place := next((place for place in manifest.places if place.chunk_id == chunk_id), None)) is not None
        ]

    def named_chunks(self, kb: str) -> Iterator[tuple[bytes, ChunkRecord]]:
        """Every chunk that a document names which no shadow hides.

        Raises:
            VaultTamperedError: a record is not what was sealed.
        """
        return self._named(kb, unpack_chunk)

    def named_vectors(self, kb: str) -> Iterator[tuple[bytes, ChunkVector]]:
        """The same, without their prose: what dense search is built from."""
        return self._named(kb, unpack_vector)

    def _named(self, kb: str, unpack: Callable[[bytes], R]) -> Iterator[tuple[bytes, R]]:
        number = self._vault.kb_numbers.get(kb)
        if number is None:
            return
        self._rows.envelope = self._vault.envelope
        named = self._references.shown_chunks(number)
        with tampering_named(self._vault.folder):
            for slot, packed in self._rows.each(Kind.CHUNK, number):
                if slot.id in named:
                    record = unpack(packed)
                    yield slot.id, self._in_space(number, {slot.id: record}).get(slot.id, record)

    def _in_space(self, number: int, records: Mapping[bytes, R]) -> dict[bytes, R]:
        """Those of the records that have another model's vector and a second one of the wanted space: with that."""
        space = self._vault.space
        other = [chunk for chunk, record in records.items() if space and record.model != space]
        second = {
            chunk: unpack_second_vector(packed)
            for chunk, packed in (self._rows.get_many(Kind.VECTOR, number, other) if other else {}).items()
        }
        return {
            chunk: msgspec.structs.replace(records[chunk], model=space, vector_f16=vector.vector_f16)
            for chunk, vector in second.items()
            if vector.model == space
        }

    def _manifest(self, kb: str, number: int, key: bytes) -> Manifest | None:
        tag = self._rows.tag_of(Kind.DOCUMENT, number, key)
        if tag is None:
            return None
        cached = self._manifests.get((number, key, tag))
        if cached is None:
            opened = self._open(Kind.DOCUMENT, kb, key)
            if opened is None:
                return None
            _, packed = opened
            cached = self._manifests[number, key, tag] = unpack_document(packed).manifest
            if len(self._manifests) > _MANIFESTS_MAX:
                self._manifests.popitem(last=False)
        return cached

    def _open(self, kind: Kind, kb: str, row_id: bytes) -> tuple[int, bytes] | None:
        number = self._vault.kb_numbers.get(kb)
        if number is None:
            return None
        self._rows.envelope = self._vault.envelope
        with tampering_named(self._vault.folder):
            held = self._rows.get(kind, number, row_id)
        return None if held is None else (held.version, held.record)


def unit_vectors(records: Sequence[ChunkRecord | ChunkVector]) -> NDArray[np.float32]:
    """The vectors of records as one matrix [n, dims]."""
    if not records:
        return np.empty((0, 0), np.float32)
    flat = np.frombuffer(b"".join(record.vector_f16 for record in records), dtype="<f2")
    return flat.reshape(len(records), -1).astype(np.float32)
