"""What is published for a document: the message, its ids, and whether the body travels inline. Pure."""

import hashlib
from collections.abc import Mapping

from causeway.proto.documents import Document, ObjectRef, Residency

# What a dead letter and the headers add to a body, so that a message that fits in also fits into DEAD.
ENVELOPE_BYTES = 64 * 1024


def fits_inline(body_bytes: int, message: Document, payload_bytes_max: int) -> bool:
    """Whether the body may travel in the message itself, with room for the envelope of a dead letter."""
    described = len(message.document_id) + len(message.title) + len(message.filename)
    described += sum(len(name) + len(value) for name, value in message.metadata.items())
    return body_bytes + 4 * described + ENVELOPE_BYTES <= payload_bytes_max


def describe(
    kb: str,
    document_id: str,
    *,
    filename: str,
    media_type: str,
    title: str,
    residency: Residency,
    metadata: Mapping[str, str],
) -> Document:
    """The message without its body."""
    return Document(
        kb=kb,
        document_id=document_id,
        filename=filename,
        media_type=media_type,
        title=title,
        residency=residency,
        metadata=dict(metadata),
    )


def message_id(action: str, message_bytes: bytes, content_sha256: str, after_seq: int = 0) -> str:
    """The id of a publication: the same for the same content, until it is known to have been stored as `after_seq`."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (action.encode(), message_bytes, content_sha256.encode(), str(after_seq).encode()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return f"{action}.{digest.hexdigest()}"


def object_name(kb: str, document_id: str, content_sha256: str, nonce: str) -> str:
    """A name of its own for each publication: two revisions with the same bytes are deleted apart."""
    key = hashlib.blake2b(document_id.encode(), digest_size=8).hexdigest()
    return f"{kb}/{key}/{content_sha256[:16]}.{nonce}"


def with_body(message: Document, body: bytes | None, ref: ObjectRef | None) -> Document:
    """The message with its body, or with where its body is."""
    return Document(
        kb=message.kb,
        document_id=message.document_id,
        filename=message.filename,
        media_type=message.media_type,
        title=message.title,
        residency=message.residency,
        metadata=message.metadata,
        body=body,
        object=ref,
    )
