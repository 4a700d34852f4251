"""What a new revision means against what came before: which chunks to send, and whether it comes too late. Pure."""

import enum
import hashlib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import msgspec

from causeway.ingestor.chunking import Cut, embed_text
from causeway.ingestor.extraction import Extraction
from causeway.proto import identity
from causeway.proto.chunks import ChunkCut, Manifest, Place, RevisionDrafted
from causeway.proto.documents import Document, DocumentDeleted, DocumentRestored, Residency
from causeway.proto.history import ChunkText

_STRICTEST_FIRST = (Residency.RESTRICTED, Residency.INTERNAL, Residency.PUBLIC)


class Standing(enum.Enum):
    """Where a revision stands against the last draft of its document."""

    NEW = "new"
    DRAFTED = "drafted"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, kw_only=True)
class Naming:
    """What makes ids: the site's secret, and the embedding space."""

    key: bytes
    model: str


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What to publish: the chunks, each once, and then the manifest that names them all."""

    chunks: list[ChunkCut]
    drafted: RevisionDrafted


def key_of(message: Document | DocumentDeleted | DocumentRestored, naming: Naming) -> bytes:
    """The key of a document in the compacted logs."""
    return identity.document_key(naming.key, message.kb, message.document_id)


def standing(last: Manifest | None, revision: int) -> Standing:
    """An older revision never overtakes a newer one, and a revision is drafted once."""
    if last is None or last.revision < revision:
        return Standing.NEW
    return Standing.DRAFTED if last.revision == revision else Standing.SUPERSEDED


def vouched(last: Manifest | None, published: Manifest | None) -> set[bytes]:
    """The chunks that need not be sent: those that knowledge holds and that nothing on its way drops.

    `published` proves that they were embedded; `last` that no manifest between the two makes readers sweep them. A
    chunk that was lost on its way (a dead letter) is in the first only after it has been sent again.
    """
    if last is None or published is None:
        return set()
    return {place.chunk_id for place in last.places} & {place.chunk_id for place in published.places}


def chunk_cuts(cuts: list[Cut], kb: str, naming: Naming) -> list[ChunkCut]:
    """The message of every chunk, in order; equal chunks have equal ids."""
    return [
        ChunkCut(
            kb=kb,
            chunk_id=identity.chunk_id(naming.key, kb, naming.model, embed_text(cut.context, cut.text)),
            model=naming.model,
            language=cut.language,
            context=cut.context,
            text=cut.text,
        )
        for cut in cuts
    ]


def manifest_of(
    document: Document, revision: int, extraction: Extraction, messages: list[ChunkCut], body: bytes, naming: Naming
) -> Manifest:
    """The manifest of a parsed document. `messages` are its chunks in order."""
    return Manifest(
        kb=document.kb,
        document_id=document.document_id,
        document_key=key_of(document, naming),
        revision=revision,
        title=extraction.title,
        filename=document.filename,
        media_type=extraction.media_type,
        language=extraction.language,
        residency=document.residency,
        metadata=document.metadata,
        content_sha256=hashlib.sha256(body).hexdigest(),
        model=naming.model,
        pages=extraction.pages,
        places=[
            Place(chunk_id=message.chunk_id, page_first=cut.page_first, page_last=cut.page_last)
            for message, cut in zip(messages, extraction.cuts, strict=True)
        ],
    )


def tombstone(deleted: DocumentDeleted, revision: int, naming: Naming) -> Manifest:
    """The manifest of a document that is no more."""
    return Manifest(
        kb=deleted.kb,
        document_id=deleted.document_id,
        document_key=key_of(deleted, naming),
        revision=revision,
        deleted=True,
        model=naming.model,
    )


def cuts_of(texts: Sequence[ChunkText], places: Sequence[Place]) -> list[Cut]:
    """The chunks of an earlier revision, as if they had just been cut."""
    return [
        Cut(
            ordinal=ordinal,
            context=text.context,
            text=text.text,
            language=text.language,
            page_first=place.page_first,
            page_last=place.page_last,
        )
        for ordinal, (text, place) in enumerate(zip(texts, places, strict=True))
    ]


def restored(
    message: DocumentRestored, revision: int, past: Manifest, messages: list[ChunkCut], naming: Naming
) -> Manifest:
    """The manifest of an earlier revision as the newest. Its chunks are named anew: by the model and key of now, which
    gives the same ids where these have not changed."""
    return msgspec.structs.replace(
        past,
        document_id=message.document_id,
        document_key=key_of(message, naming),
        revision=revision,
        model=naming.model,
        places=[
            Place(chunk_id=cut.chunk_id, page_first=place.page_first, page_last=place.page_last)
            for cut, place in zip(messages, past.places, strict=True)
        ],
    )


def tightened(manifest: Manifest, *others: Residency) -> Manifest:
    """The manifest under the strictest of all these residencies: going back in time must not let anything leave."""
    strictest = min((manifest.residency, *others), key=_STRICTEST_FIRST.index)
    return msgspec.structs.replace(manifest, residency=strictest)


def draft(manifest: Manifest, messages: list[ChunkCut], known: AbstractSet[bytes]) -> Draft:
    """What to publish for `manifest` if the chunks `known` need not be sent."""
    new = {message.chunk_id: message for message in messages if message.chunk_id not in known}
    return Draft(chunks=list(new.values()), drafted=RevisionDrafted(manifest=manifest, chunks_new=len(new)))
