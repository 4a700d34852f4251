"""What lies where in a snapshot, and how records become files and back. Pure: bytes in, bytes out.

    causeway.json                          place, when, the check of the chunk key
    .gitattributes                         vectors are Git LFS objects
    <kb>/documents/<origin>/<key>.json     a revision with its stamp
    <kb>/chunks/<origin>/<shard>.jsonl     texts of the chunks whose ids begin with this byte
    <kb>/vectors/<origin>/<shard>.f16      their vectors: 16 bytes of id, then float16 numbers, sorted by id

A shard is the first byte of a chunk's id, so that an edit changes a few small files.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import msgspec

from causeway.cli.errors import BadDataError
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised

FORMAT = 1
HEAD_FILE = "causeway.json"
ATTRIBUTES_FILE = ".gitattributes"
ATTRIBUTES = b"*.f16 filter=lfs diff=lfs merge=lfs -text\n*.json text eol=lf\n*.jsonl text eol=lf\n"
LFS_POINTER = b"version https://git-lfs"
ID_BYTES = 16


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Where and when a snapshot was taken. `chunk_key_check` tells two chunk keys apart and nothing else."""

    format: int = FORMAT
    place: str
    taken_unix_ms: int
    chunk_key_check: str
    kbs: list[str]


class ChunkLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a chunk file: everything but the vector."""

    chunk_id: bytes
    model: str
    dims: int
    language: str
    context: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """A document or a chunk with the place that it came from."""

    origin: str
    message: DocumentRevised | ChunkEmbedded


@dataclass(kw_only=True)
class Contents:
    """The records of one kb; a chunk or document of the same id takes the place of the one before."""

    documents: dict[tuple[str, bytes], DocumentRevised] = field(default_factory=dict)
    chunks: dict[tuple[str, bytes], ChunkEmbedded] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Take one record in."""
        if isinstance(record.message, DocumentRevised):
            self.documents[record.origin, record.message.manifest.document_key] = record.message
        else:
            self.chunks[record.origin, record.message.chunk_id] = record.message

    def keep_named(self) -> None:
        """Drop the chunks that no document names."""
        named = {
            (origin, place.chunk_id)
            for (origin, _), revised in self.documents.items()
            for place in revised.manifest.places
        }
        self.chunks = {key: chunk for key, chunk in self.chunks.items() if key in named}

    def missing(self) -> list[str]:
        """The ids of the documents whose chunks are not all here."""
        return [
            revised.manifest.document_id
            for (origin, _), revised in self.documents.items()
            if any((origin, place.chunk_id) not in self.chunks for place in revised.manifest.places)
        ]


def files_of(kb: str, contents: Contents) -> dict[PurePosixPath, bytes]:
    """The files of a kb. The same records always give the same bytes."""
    files = {
        PurePosixPath(kb, "documents", origin, f"{key.hex()}.json"): _pretty(revised)
        for (origin, key), revised in contents.documents.items()
    }
    shards: defaultdict[tuple[str, str], list[ChunkEmbedded]] = defaultdict(list)
    for (origin, chunk_id), chunk in sorted(contents.chunks.items()):
        shards[origin, chunk_id[:1].hex()].append(chunk)
    for (origin, shard), chunks in shards.items():
        files[PurePosixPath(kb, "chunks", origin, f"{shard}.jsonl")] = b"".join(map(_line, chunks))
        rows = b"".join(chunk.chunk_id + chunk.vector_f16 for chunk in chunks)
        files[PurePosixPath(kb, "vectors", origin, f"{shard}.f16")] = rows
    return files


def contents_of(kb: str, files: Iterable[tuple[PurePosixPath, bytes]]) -> Contents:
    """The records in a kb's files.

    Raises:
        BadDataError: a file is damaged, is a Git LFS pointer, or a chunk has no vector.
    """
    contents = Contents()
    lines: dict[tuple[str, str], list[ChunkLine]] = {}
    rows: dict[tuple[str, str], bytes] = {}
    for path, body in files:
        kind, origin, name = path.parts[-3:]
        where = (origin, name.partition(".")[0])
        try:
            if kind == "documents":
                contents.add(Record(origin=origin, message=msgspec.json.decode(body, type=DocumentRevised)))
            elif kind == "chunks":
                lines[where] = [msgspec.json.decode(line, type=ChunkLine) for line in body.splitlines()]
            elif kind == "vectors":
                rows[where] = _whole(body, path)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise BadDataError(f"{path} is damaged: {error}", "Check it out again: git checkout -- .") from error
    for where, chunk_lines in lines.items():
        for chunk in _joined(kb, chunk_lines, rows.get(where, b"")):
            contents.add(Record(origin=where[0], message=chunk))
    return contents


def head_bytes(head: Head) -> bytes:
    """The head file."""
    return _pretty(head)


def read_head(body: bytes) -> Head:
    """The head of a snapshot.

    Raises:
        BadDataError: not a head file, or one of a newer format.
    """
    try:
        head = msgspec.json.decode(body, type=Head)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadDataError(f"{HEAD_FILE} can not be read: {error}", "Is this the repository of a snapshot?") from error
    if head.format != FORMAT:
        raise BadDataError(f"the snapshot has format {head.format}, this program reads {FORMAT}", "Use a newer one.")
    return head


def _pretty(message: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(message), indent=2) + b"\n"


def _line(chunk: ChunkEmbedded) -> bytes:
    line = ChunkLine(
        chunk_id=chunk.chunk_id,
        model=chunk.model,
        dims=chunk.dims,
        language=chunk.language,
        context=chunk.context,
        text=chunk.text,
    )
    return msgspec.json.encode(line) + b"\n"


def _whole(body: bytes, path: PurePosixPath) -> bytes:
    if body.startswith(LFS_POINTER):
        raise BadDataError(f"{path} is a pointer, its Git LFS object is not here", "Fetch the objects: git lfs pull")
    return body


def _joined(kb: str, lines: list[ChunkLine], rows: bytes) -> list[ChunkEmbedded]:
    chunks: list[ChunkEmbedded] = []
    at = 0
    for line in lines:
        end = at + ID_BYTES + 2 * line.dims
        if rows[at : at + ID_BYTES] != line.chunk_id or len(rows) < end:
            raise BadDataError(
                f"the vector of chunk {line.chunk_id.hex()} is not where its text says",
                "Check it out again: git lfs pull",
            )
        chunks.append(
            ChunkEmbedded(
                kb=kb,
                chunk_id=line.chunk_id,
                model=line.model,
                language=line.language,
                context=line.context,
                text=line.text,
                dims=line.dims,
                vector_f16=rows[at + ID_BYTES : end],
            )
        )
        at = end
    return chunks
