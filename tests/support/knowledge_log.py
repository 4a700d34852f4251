"""Writes documents to KNOWLEDGE as the embedder does, for tests of what reads it."""

from causeway.bus import Bus
from causeway.proto import Message, subjects
from causeway.proto.chunks import Manifest, Place
from causeway.proto.documents import Residency
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised, DocumentShadowed, Watermark
from tests.support.hashed_encoder import HashedEncoder
from tests.support.knowledge_builders import KB, chunk_id, document_key

Entry = tuple[str, Message, str]
TITLE = "Handbook"


def chunk_entry(site: str, text: str, kb: str = KB, salt: str = "", place: str = "") -> Entry:
    """A chunk with its vector; `salt` tells a re-publication from the first, `place` is whose key names it."""
    encoder = HashedEncoder()
    message = ChunkEmbedded(
        kb=kb,
        chunk_id=chunk_id(text, kb, place),
        model=encoder.model_id,
        language="zh" if any(letter >= "\u4e00" for letter in text) else "en",
        context=f"{TITLE} › Leave",
        text=text,
        dims=encoder.dims,
        vector_f16=encoder.encode_passages([text])[0].astype("<f2").tobytes(),
    )
    identity = message.chunk_id.hex()
    return subjects.KNOWLEDGE_CHUNK.at(site, kb, identity), message, f"chunk/{identity}/{salt}"


def manifest_entry(
    site: str,
    document_id: str,
    texts: list[str],
    revision: int,
    kb: str = KB,
    *,
    deleted: bool = False,
    place: str = "",
    residency: Residency = Residency.RESTRICTED,
) -> Entry:
    """A manifest, or a tombstone."""
    manifest = Manifest(
        kb=kb,
        document_id=document_id,
        document_key=document_key(document_id, place),
        revision=revision,
        deleted=deleted,
        title=TITLE,
        residency=residency,
        pages=len(texts),
        places=[
            Place(chunk_id=chunk_id(text, kb, place), page_first=page, page_last=page)
            for page, text in enumerate(texts, start=1)
        ],
    )
    key = manifest.document_key.hex()
    subject = subjects.KNOWLEDGE_DOCUMENT.at(site, kb, key)
    return subject, DocumentRevised(manifest=manifest), f"document/{key}/{revision}"


def document_entries(
    site: str,
    document_id: str,
    texts: list[str],
    revision: int,
    kb: str = KB,
    *,
    residency: Residency = Residency.RESTRICTED,
) -> list[Entry]:
    """A whole document: its chunks, then its manifest."""
    chunks = [chunk_entry(site, text, kb, salt=str(revision)) for text in texts]
    return [*chunks, manifest_entry(site, document_id, texts, revision, kb, residency=residency)]


def foreign_entries(origin: str, document_id: str, texts: list[str], revision: int, kb: str = KB) -> list[Entry]:
    """A document of another place, as sync-delta writes it: under that place's token and ids, and public."""
    chunks = [chunk_entry(origin, text, kb, salt=str(revision), place=origin) for text in texts]
    manifest = manifest_entry(origin, document_id, texts, revision, kb, place=origin, residency=Residency.PUBLIC)
    return [*chunks, manifest]


def shadow_entry(site: str, shadow: DocumentShadowed) -> Entry:
    """A shadow over a document of the place `site`."""
    key = shadow.document_key.hex()
    return subjects.KNOWLEDGE_SHADOW.at(site, shadow.kb, key), shadow, f"shadow/{key}/{shadow.revision}"


def watermark_entry(origin: str, outbox_seq: int) -> Entry:
    """How much of what a place shares has come."""
    watermark = Watermark(origin=origin, outbox_seq=outbox_seq, inbox_seq=outbox_seq)
    return subjects.WATERMARK.at(origin), watermark, f"watermark/{origin}/{outbox_seq}"


async def publish(bus: Bus, *entries: Entry) -> None:
    """In order, each acknowledged."""
    for subject, message, msg_id in entries:
        await bus.publish(subject, message, msg_id=msg_id)
