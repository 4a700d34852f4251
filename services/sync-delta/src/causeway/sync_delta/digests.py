"""What two replicas of a document compare: 16 bytes over all that both must hold of it, and nothing else."""

import hashlib
from collections.abc import Callable

from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import ChunkEmbedded
from causeway.sync_delta.encoding import UnsharableChunkError, quantized

DIGEST_BYTES = 16
ABSENT = b""
"""The content hash of a chunk that is not there: the document then differs from every whole one."""


def content_hash(chunk: ChunkEmbedded) -> bytes:
    """BLAKE2b-128 over model, dims, language, context, text and the vector in int8, which both sides have alike.

    The origin's float16 and the float16 that the other side makes of its int8 differ, their int8 does not. A vector
    that is damaged beyond that counts as its bytes, so that this raises nothing.
    """
    return _digest(
        b"chunk",
        chunk.model.encode(),
        _number(chunk.dims),
        chunk.language.encode(),
        chunk.context.encode(),
        chunk.text.encode(),
        _vector(chunk),
    )


def document_digest(manifest: Manifest, repair: int, content_hash: Callable[[bytes], bytes]) -> bytes:
    """BLAKE2b-128 over the manifest as it was shared, field by field, with the content of each place in order.

    `content_hash` gives the hash of the chunk that the replica holds under an id, or `ABSENT`.
    """
    fields = [
        manifest.document_id.encode(),
        _number(manifest.revision),
        _number(repair),
        _number(manifest.deleted),
        *(text.encode() for text in _described(manifest)),
        _number(manifest.pages),
        _number(len(manifest.metadata)),
        *(part.encode() for pair in sorted(manifest.metadata.items()) for part in pair),
    ]
    for place in manifest.places:
        pages = _number(place.page_first) + _number(place.page_last)
        fields += [place.chunk_id, pages, content_hash(place.chunk_id)]
    return _digest(b"document", *fields)


def _described(manifest: Manifest) -> tuple[str, ...]:
    return (
        manifest.title,
        manifest.filename,
        manifest.media_type,
        manifest.language,
        str(manifest.residency),
        manifest.content_sha256,
        manifest.model,
    )


def _vector(chunk: ChunkEmbedded) -> bytes:
    try:
        return quantized(chunk.vector_f16, chunk.dims)[1]
    except UnsharableChunkError:
        return chunk.vector_f16


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)


def _digest(person: bytes, *fields: bytes) -> bytes:
    hasher = hashlib.blake2b(digest_size=DIGEST_BYTES, person=person)
    for field in fields:
        # The length before each field keeps ("ab", "c") and ("a", "bc") apart.
        hasher.update(len(field).to_bytes(8, "big"))
        hasher.update(field)
    return hasher.digest()
