"""Values to rows of Milvus and back. Pure: what can not be read back is an error that names the row."""

import base64
import itertools
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from causeway.milvus.errors import ShelfRefused
from causeway.milvus.schema import ANCHOR, PART_CHARS_MAX, TEXT_BYTES_MAX
from causeway.milvus.values import ShelfPosition, ShelvedChunk, ShelvedDocument
from causeway.proto import decode, encode
from causeway.proto.codec import UndecodableError
from causeway.proto.knowledge import DocumentRevised

Row = dict[str, Any]
CHUNK_FIELDS = ["id", "kb", "origin", "document_key", "chunk_id", "language", "context", "text", "live"]
DOCUMENT_FIELDS = ["id", "document_key", "part", "parts", "origin", "revision", "repair", "shadowed", "revised"]
TITLE_BYTES_MAX = 4_000
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"}


def chunk_row_id(document_key: bytes, chunk_id: bytes) -> str:
    """The primary key of a chunk of a document."""
    return f"{document_key.hex()}:{chunk_id.hex()}"


def chunk_row(chunk: ShelvedChunk) -> Row:
    """A row to write.

    Raises:
        ShelfRefused: a text is longer than Milvus takes, or there is no vector.
    """
    for name, value in (("text", chunk.text), ("context", chunk.context)):
        if len(value.encode()) > TEXT_BYTES_MAX:
            raise ShelfRefused(
                f"{name} of chunk {chunk.chunk_id.hex()} has over {TEXT_BYTES_MAX} bytes: cut it smaller"
            )
    if chunk.vector is None:
        raise ShelfRefused(f"chunk {chunk.chunk_id.hex()} has no vector")
    return {
        "id": chunk_row_id(chunk.document_key, chunk.chunk_id),
        "kb": chunk.kb,
        "origin": chunk.origin,
        "document_key": chunk.document_key.hex(),
        "chunk_id": chunk.chunk_id.hex(),
        "language": chunk.language,
        "context": chunk.context,
        "text": chunk.text,
        "live": chunk.live,
        "dense": chunk.vector.tolist(),
    }


def chunk_of(row: Mapping[str, Any], model: str) -> ShelvedChunk:
    """What a row says."""
    return ShelvedChunk(
        kb=row["kb"],
        origin=row["origin"],
        document_key=bytes.fromhex(row["document_key"]),
        chunk_id=bytes.fromhex(row["chunk_id"]),
        model=model,
        language=row["language"],
        context=row["context"],
        text=row["text"],
        live=bool(row["live"]),
        vector=np.asarray(row["dense"], dtype=np.float32) if "dense" in row else None,
    )


def document_rows(document: ShelvedDocument) -> list[Row]:
    """The rows of a document: one, or several where its manifest is long. The first is the one to write last."""
    packed = base64.b85encode(zlib.compress(encode(document.revised), 1)).decode()
    pieces = [packed[start : start + PART_CHARS_MAX] for start in range(0, len(packed), PART_CHARS_MAX)]
    manifest, key = document.manifest, document.key.hex()
    common: Row = {
        "document_key": key,
        "parts": len(pieces),
        "kb": manifest.kb,
        "origin": document.origin,
        "document_id": manifest.document_id,
        "title": _cut(manifest.title),
        "revision": manifest.revision,
        "repair": document.repair,
        "deleted": manifest.deleted,
        "shadowed": document.shadowed,
        "anchor": ANCHOR,
    }
    return [
        {"id": f"{key}:{part}", "part": part, "revised": piece, **common}
        for part, piece in reversed(list(enumerate(pieces)))
    ]


def _cut(title: str) -> str:
    return title.encode()[:TITLE_BYTES_MAX].decode("utf-8", "ignore")


def documents_of(rows: Iterable[Mapping[str, Any]]) -> dict[bytes, ShelvedDocument]:
    """Documents of their rows; one whose parts do not fit together (a write was cut off) is left out."""
    by_key: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_key.setdefault(row["document_key"], []).append(row)
    found = (_document_of(parts) for parts in by_key.values())
    return {document.key: document for document in found if document is not None}


def _document_of(rows: list[Mapping[str, Any]]) -> ShelvedDocument | None:
    parts = {int(row["part"]): row for row in rows}
    head = parts.get(0)
    if head is None or any(part not in parts for part in range(head["parts"])):
        return None
    ordered = [parts[part] for part in range(head["parts"])]
    try:
        revised = decode(zlib.decompress(base64.b85decode("".join(row["revised"] for row in ordered))), DocumentRevised)
    except (zlib.error, ValueError, UndecodableError):
        return None
    return ShelvedDocument(origin=head["origin"], revised=revised, shadowed=int(head["shadowed"]))


def position_row(position: ShelfPosition) -> Row:
    """The row of the position."""
    value = {
        "seq": position.seq,
        "stream_created": position.stream_created,
        "clearing": position.clearing,
        "form": position.form,
    }
    return state_row("position", value)


def position_of(value: Mapping[str, Any] | None) -> ShelfPosition:
    """The position that a row says, or the beginning."""
    if value is None:
        return ShelfPosition()
    return ShelfPosition(
        seq=value["seq"],
        stream_created=value["stream_created"],
        clearing=value["clearing"],
        form=value.get("form", 0),
    )


def state_row(key: str, value: Mapping[str, Any]) -> Row:
    """A row of STATE."""
    return {"id": key, "value": json.dumps(value, ensure_ascii=False), "anchor": ANCHOR}


def any_of(field: str, values: Sequence[str]) -> str:
    """A filter expression: the field is one of these, which may be any text."""
    return f"{field} in [{', '.join(map(_quoted, values))}]"


def _quoted(text: str) -> str:
    # Only what every server takes back: Milvus Lite knows no \u, and no server a line break within quotes.
    return '"' + "".join(_ESCAPES.get(letter, letter) for letter in text) + '"'


def batched(rows: Sequence[Any], size: int) -> Iterable[list[Any]]:
    """Pieces of at most `size`."""
    iterator = iter(rows)
    while piece := list(itertools.islice(iterator, size)):
        yield piece
